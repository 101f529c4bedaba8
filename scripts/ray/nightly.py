"""The nightly build on a Ray cluster, and answers to a file of queries if it is asked for.

    python nightly.py listings --input /shared/feed --shards 4 --root /shared/indexes --store gs://bucket/indexes
    python nightly.py listings ... --queries /shared/queries.arrow --parts 8 --out /shared/candidates

One task writes the plan, others build one shard each, and one makes the version of them. With --store it is pushed
and published there if the gate passes, else it is published under the root. With --queries, tasks answer one part
each; their files are OUT/part-0.arrow, OUT/part-1.arrow, ...

All nodes need the command `shortlist`, and the root, the input and the queries at the same paths. Ray starts a task
again if its node is lost. So does this program after input/output errors (74) and where something is busy (75). Any
other exit code ends the run with that code.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import ray

TRY_AGAIN = (74, 75)
TRIES = 3


class CommandFailed(Exception):
    """A command ended with an exit code other than 0. Its message is what it printed about that."""

    def __init__(self, command: str, code: int, message: str):
        super().__init__(command, code, message)  # all arguments: Ray pickles exceptions
        self.command, self.code, self.message = command, code, message

    def __str__(self) -> str:
        return f"shortlist {self.command} ended with {self.code}: {self.message}"


class TryAgain(CommandFailed):
    """The same command may succeed later."""


def shortlist(command: str, *args: str) -> dict:
    """Runs a command here. Its progress goes to the task's log. Returns its JSON."""
    done = subprocess.run(["shortlist", command, *args, "--json"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == 0:
        return json.loads(done.stdout)
    try:
        message = json.loads(done.stdout)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = done.stdout.strip() or "it printed nothing"
    raise (TryAgain if done.returncode in TRY_AGAIN else CommandFailed)(command, done.returncode, message)


@ray.remote(max_retries=TRIES, retry_exceptions=[TryAgain])
def run(command: str, *args: str) -> dict:
    return shortlist(command, *args)


def main() -> None:
    options = parse_options()
    ray.init()
    task = run.options(num_cpus=options.cpus, memory=options.memory_gib * 2**30)
    root = ("--root", options.root)
    version = build(options, task, root)
    print(f"{options.index}@{version} is published")
    if options.queries:
        answer(options, task, root, version)


def build(options: argparse.Namespace, task, root: tuple) -> str:
    """Returns the version that is published."""
    runs = Path(options.root) / ".runs"
    runs.mkdir(parents=True, exist_ok=True)
    plan = str(runs / f"{options.index}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.plan")
    ray.get(task.remote("plan-build", options.index, "--input", *options.input, "--shards", str(options.shards),
                        "--out", plan, *options.build_options, *root))  # fmt: skip
    threads = ("--threads", str(options.cpus))
    shards = [
        task.remote("build-shard", "--plan", plan, "--shard", str(i), *threads, *root) for i in range(options.shards)
    ]
    while shards:
        done, shards = ray.wait(shards)
        ray.get(done)  # raises at once if it failed
        print(f"{options.shards - len(shards)} of {options.shards} shards are built")
    publish_here = () if options.store else ("--publish",)
    version = ray.get(task.remote("assemble", "--plan", plan, *threads, *publish_here, *root))["version"]
    if options.store:
        target = f"{options.index}@{version}"
        ray.get(task.remote("push", target, "--to", options.store, *root))
        # The gate reads the versions under the root, and compares with the one that the store publishes.
        ray.get(task.remote("publish", target, "--root", options.store, "--cache", options.root))
    return version


def answer(options: argparse.Namespace, task, root: tuple, version: str) -> None:
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    target = f"{options.index}@{version}"
    parts = [
        task.remote("batch", target, "--queries", *options.queries, "-k", str(options.k),
                    "--part", f"{i}/{options.parts}", "--out", str(out / f"part-{i}.arrow"),
                    "--threads", str(options.cpus), *root)
        for i in range(options.parts)
    ]  # fmt: skip
    queries = sum(part["queries"] for part in ray.get(parts))
    print(f"{queries} queries are answered, in {options.parts} files in {out}")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     allow_abbrev=False)  # --m is an option of plan-build
    parser.add_argument("index")
    parser.add_argument("--input", nargs="+", required=True, help="files, folders or globs of the build")
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--root", required=True, help="folder of the indexes, which all nodes share")
    parser.add_argument("--store", help="URL of an object store to push to and to publish in")
    parser.add_argument("--queries", nargs="+", help="files of queries to answer from the new version")
    parser.add_argument("--out", help="with --queries: folder for the answers, which all nodes share")
    parser.add_argument("--parts", type=int, default=1, help="with --queries: number of tasks and files (default: 1)")
    parser.add_argument("-k", type=int, default=100, help="with --queries: candidates of a query (default: 100)")
    parser.add_argument("--cpus", type=int, default=1, help="cores of a task: give those of a node (default: 1)")
    parser.add_argument("--memory-gib", type=int, default=4, help="memory of a task (default: 4); ask shortlist plan")
    options, build_options = parser.parse_known_args()
    if options.queries and not options.out:
        parser.error("--queries needs --out")
    for name in ("root", "out"):
        if not Path(getattr(options, name) or "/").is_absolute():
            parser.error(f"--{name} must be an absolute path, since tasks run in other folders")
    options.build_options = build_options  # what is not named here is an option of plan-build
    return options


if __name__ == "__main__":
    try:
        main()
    except CommandFailed as error:
        failure = getattr(error, "cause", error)  # Ray wraps exceptions of tasks
        print(failure, file=sys.stderr)
        sys.exit(failure.code)
