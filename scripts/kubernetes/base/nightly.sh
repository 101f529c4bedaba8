#!/bin/sh
# One task of the nightly build, which is an array job of NIGHTLY_SHARDS + 1 tasks:
#   task 0 writes the plan; every task waits for it
#   tasks 0 to NIGHTLY_SHARDS - 1 build one shard each
#   the last task waits for all shards, makes the version of them, pushes it to the store and publishes it there if the
#   gate passes
#
# Takes variables:
#   JOB_COMPLETION_INDEX  number of the task
#   NIGHTLY_RUN           a name that all tasks of this night have, and those of no other night
#   NIGHTLY_WORK          a folder that all tasks share
#   NIGHTLY_INPUT         files, folders or globs that all tasks can read
#   NIGHTLY_SHARDS        number of shards
#   NIGHTLY_OPTIONS       more options of plan-build, if any
#   SHORTLIST_ROOT        folder of the indexes, which all tasks share
#   SHORTLIST_INDEX       the index
#   SHORTLIST_SOURCE      URL of the store
#
# A task that is started again, or twice at once, does no harm: the plan is written once, and the commands allow it. A
# task that fails ends with the exit code of its command. Whoever runs the job bounds the waits.
set -eu

KEEP_VERSIONS=3 # below SHORTLIST_ROOT; the store keeps all
BUSY=75         # shards are not built yet, or another build holds the lock of the index
run=$NIGHTLY_WORK/runs/$NIGHTLY_RUN
plan=$run/plan
task=$JOB_COMPLETION_INDEX

mkdir -p "$run"

if [ "$task" -eq 0 ] && [ ! -e "$plan" ]; then
  # shellcheck disable=SC2086 # several words each
  shortlist plan-build "$SHORTLIST_INDEX" --input $NIGHTLY_INPUT --shards "$NIGHTLY_SHARDS" --out "$plan" \
    ${NIGHTLY_OPTIONS:-}
fi
until [ -e "$plan" ]; do sleep 2; done

if [ "$task" -lt "$NIGHTLY_SHARDS" ]; then
  exec shortlist build-shard --plan "$plan" # it reads JOB_COMPLETION_INDEX too
fi

# A last task that is started again goes on with the version that it, or its double, has made.
while [ ! -e "$run/version" ]; do
  code=0
  built=$(shortlist assemble --plan "$plan" --json) || code=$?
  echo "$built"
  case $code in
    0)
      new=$(mktemp "$run/version.XXXXXX")
      node -p 'JSON.parse(process.argv[1]).version' "$built" >"$new"
      mv "$new" "$run/version"
      ;;
    "$BUSY") sleep 10 ;;
    *) exit "$code" ;;
  esac
done
target=$SHORTLIST_INDEX@$(cat "$run/version")

shortlist push "$target" --to "$SHORTLIST_SOURCE"
# The gate reads the versions here, and compares with the one that the store publishes.
shortlist publish "$target" --root "$SHORTLIST_SOURCE" --cache "$SHORTLIST_ROOT"
shortlist prune "$SHORTLIST_INDEX" --keep "$KEEP_VERSIONS"
# Plans and names of earlier nights.
find "$NIGHTLY_WORK/runs" -mindepth 1 -maxdepth 1 -mtime +7 -exec rm -r {} +
