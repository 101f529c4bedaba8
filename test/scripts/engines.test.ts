/** Scripts for Kubernetes, Slurm, Ray and Terraform can be parsed, and call shortlist as it is. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { faultsOf, PROJECT, readProjectFile, shellCalls, shownCalls } from './command-lines.js';

const SHELL = ['scripts/kubernetes/base/nightly.sh', 'scripts/slurm/nightly.sh'];
const TERRAFORM = 'scripts/terraform/gcs';
const RAY = 'scripts/ray/nightly.py';
const WORDS = [
  'scripts/kubernetes/README.md',
  'scripts/kubernetes/base/nightly.yaml',
  'scripts/kubernetes/overlays/replicas/server.yaml',
  'scripts/kubernetes/overlays/sharded/leaf/leaf.yaml',
  'scripts/ray/README.md',
  'scripts/ray/rayjob.yaml',
  'scripts/slurm/README.md',
];

const has = (program: string, ...args: string[]): boolean => spawnSync(program, args).status === 0;
const hasPython = has('python3', '--version');
const hasTerraform = has('terraform', 'version');

describe.each(SHELL)('%s', (path) => {
  it('is a shell script', () => {
    const shell = readProjectFile(path).split('\n')[0]!.slice('#!'.length);
    const { status, stderr } = spawnSync(shell, ['-n', join(PROJECT, path)], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  });

  it('calls commands with options that exist', () => {
    const calls = shellCalls(readProjectFile(path));
    expect(calls.map(([command]) => command)).toEqual(expect.arrayContaining(['plan-build', 'build-shard', 'assemble', 'push', 'publish'])); // prettier-ignore
    expect(calls.flatMap(faultsOf)).toEqual([]);
  });
});

describe.each(WORDS)('what %s says', (path) => {
  it('names commands and options that exist', () => {
    expect(shownCalls(readProjectFile(path)).flatMap(faultsOf)).toEqual([]);
  });
});

describe.skipIf(!hasPython)('the program for Ray (skipped without Python)', () => {
  /** The constant texts among the arguments of each call of `remote`, and of `shortlist`. */
  const SCRIPT = `
import ast, json, sys
calls = [node for node in ast.walk(ast.parse(sys.stdin.read())) if isinstance(node, ast.Call)]
remote = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "remote" and call.args]
print(json.dumps([[arg.value if isinstance(arg, ast.Constant) else "..." for arg in call.args] for call in remote]))
`;

  it('calls commands with options that exist', () => {
    const { stdout, stderr } = spawnSync('python3', ['-c', SCRIPT], { input: readProjectFile(RAY), encoding: 'utf8' });
    expect(stderr).toBe('');
    const calls = (JSON.parse(stdout) as string[][]).filter(([command]) => command !== '...');
    expect(calls.map(([command]) => command).sort()).toEqual(['assemble', 'batch', 'build-shard', 'plan-build', 'publish', 'push']); // prettier-ignore
    expect(calls.flatMap(faultsOf)).toEqual([]);
  });

  it('is given options that it has by the job of KubeRay', () => {
    const job = /entrypoint: >-\n((?: {4}.*\n)+)/.exec(readProjectFile('scripts/ray/rayjob.yaml'))![1]!;
    const known = [...readProjectFile(RAY).matchAll(/add_argument\("([^"]+)"/g)].map(([, name]) => name);
    expect((job.match(/--[a-z-]+/g) ?? []).filter((flag) => !known.includes(flag))).toEqual([]);
  });
});

describe('the container image', () => {
  it('has the clients of all object stores', () => {
    const { peerDependencies } = JSON.parse(readProjectFile('package.json')) as { peerDependencies: object };
    const clients = Object.keys(peerDependencies);
    expect(clients.length).toBeGreaterThan(1);
    for (const name of clients) expect(readProjectFile('Dockerfile')).toContain(`"${name}"`);
  });
});

describe('the bucket of Terraform', () => {
  it.skipIf(!hasTerraform)('is written in its language, and formatted (skipped without Terraform)', () => {
    const { status, stdout, stderr } = spawnSync('terraform', ['fmt', '-check', '-diff', join(PROJECT, TERRAFORM)], { encoding: 'utf8' }); // prettier-ignore
    expect([status, stdout], stderr).toEqual([0, '']);
  });

  const [main, declared, outputs] = ['main', 'variables', 'outputs'].map((name) => readProjectFile(`${TERRAFORM}/${name}.tf`)); // prettier-ignore

  it('uses variables and resources that it declares', () => {
    const used = `${main!}${outputs!}`;
    for (const [, name] of used.matchAll(/\bvar\.(\w+)/g)) expect(declared).toContain(`variable "${name!}"`);
    for (const [, type, name] of used.matchAll(/\b(google_\w+)\.(\w+)/g))
      expect(main).toContain(`resource "${type!}" "${name!}"`);
  });

  it('makes accounts for the pods of scripts/kubernetes, by their names', () => {
    const accounts = readProjectFile('scripts/kubernetes/base/service-accounts.yaml');
    const named = [...accounts.matchAll(/^ {2}name: (\S+)/gm)].map(([, name]) => name);
    const made = [...main!.matchAll(/^ {4}(shortlist\S*) = \{/gm)].map(([, name]) => name);
    expect(made).toEqual(named);
    const namespace = /^ {2}name: (\S+)/m.exec(readProjectFile('scripts/kubernetes/base/namespace.yaml'))![1]!;
    expect(declared).toContain(`default     = "${namespace}"`);
  });
});
