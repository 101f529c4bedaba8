import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listVersions, readAliases, readCurrent, readHistory } from '../../src/version/state/catalog.js';
import type { FileSystem } from '../../src/version/disk/files.js';
import type { LockOptions } from '../../src/version/locks/lock.js';
import { prune } from '../../src/version/state/prune.js';
import { publish, removeAlias, rollback, setAlias } from '../../src/version/state/publish.js';
import { findVersionProblems } from '../../src/version/sealed/verify.js';
import { FAULTS, FaultFileSystem, type Fault } from '../fault-file-system.js';
import { copyRoot, deadProcess, INDEX, makeVersion, temporaryDirectory } from './versions.js';

// Four versions: one that never was published; the first has an alias and was published, the second is current, the third is new.
const template = temporaryDirectory();
const now = (): Date => new Date('2026-01-02T03:04:05.000Z');
const names: string[] = [];
for (const seed of [4, 1, 2, 3])
  names.push((await makeVersion(template, { seed, rows: 2, shards: 1, attributes: false, now })).version);
const [, first, second, third] = names as [string, string, string, string];
await publish(template, INDEX, first, { now });
await publish(template, INDEX, second, { now });
await setAlias(template, INDEX, 'canary', first, { now });

interface State {
  readonly current: string | undefined;
  readonly history: readonly string[];
  readonly aliases: Readonly<Record<string, string>>;
  readonly versions: readonly string[];
}

async function stateOf(root: string): Promise<State> {
  return {
    current: (await readCurrent(root, INDEX))?.version,
    history: (await readHistory(root, INDEX)).map((move) => `${move.sequence} ${move.action} ${move.version}`),
    aliases: await readAliases(root, INDEX),
    versions: (await listVersions(root, INDEX)).map(({ version }) => version),
  };
}

interface Tools {
  readonly files?: FileSystem;
  readonly lock?: Omit<LockOptions, 'files'>;
}

const CHANGES: Record<string, (root: string, tools: Tools) => Promise<unknown>> = {
  publish: (root, tools) => publish(root, INDEX, third, { ...tools, now, gate: { pass: true } }),
  rollback: (root, tools) => rollback(root, INDEX, { ...tools, now, reason: 'test' }),
  'setting an alias': (root, tools) => setAlias(root, INDEX, 'canary', third, { ...tools, now }),
  'a new alias': (root, tools) => setAlias(root, INDEX, 'experiment-7', third, { ...tools, now }),
  'removing an alias': async (root, tools) => {
    // A retry after success is told that there is nothing left to remove.
    if ('canary' in (await readAliases(root, INDEX))) await removeAlias(root, INDEX, 'canary', { ...tools, now });
  },
  prune: async (root, tools) => {
    await removeAlias(root, INDEX, 'canary').catch(() => undefined);
    await prune(root, INDEX, { ...tools, now, keep: 1 });
  },
};

/** Operations that only look: to end there is to end at the next one that writes, and no disk is too full for them. */
const READS = /^(?:open read|read|list|stat|fstat|close) /;

/** What a run makes up: names of temporary files, and of a whole claim its token, its time and so its digest. */
const MADE_UP = /[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/g;
const CLAIM = /"token": "[^"]+"(,\n.*\n.*)"since": "[^"]+",\n.*"digest": "[^"]+"\n\}\n/;

/** Every name below the root with its mode and content: roots that have them in common are one to whoever reads them. */
function diskOf(root: string): string {
  const hash = createHash('sha256');
  const lines = readdirSync(root, { withFileTypes: true, recursive: true }).map((entry) => {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(root.length).replace(MADE_UP, '');
    const content = entry.isFile() ? readFileSync(path, 'latin1').replace(CLAIM, '$1') : '/';
    return `${name}\0${statSync(path).mode}\0${createHash('sha256').update(content).digest('hex')}`;
  });
  for (const line of lines.sort()) hash.update(`${line}\n`);
  return hash.digest('hex');
}

const untouched = diskOf(template);

/**
 * Runs the change once for each operation that it takes, with that operation failing, and looks at what is left.
 * @param checked what was left and looked at before: most operations only read, and leave the same when they fail
 */
async function forEachFault(
  fault: Fault,
  change: (root: string, tools: Tools) => Promise<unknown>,
  checked: Set<string>,
  check: (root: string, failedAt: string) => Promise<void>,
): Promise<number> {
  const faultless = new FaultFileSystem(null, 0, temporaryDirectory());
  await change(copyRoot(template), { files: faultless });
  const turns = faultless.log.flatMap((name, i) => (fault === 'EIO' || !READS.test(name) ? [i + 1] : []));
  let root: string | null = null;
  for (const at of turns) {
    root ??= copyRoot(template);
    const files = new FaultFileSystem(fault, at, temporaryDirectory());
    // What runs on the failing file system is taken for gone afterwards, as a process that ended would be.
    await change(root, { files, lock: { owner: deadProcess() } }).catch(() => undefined);
    expect(files.log.length).toBeGreaterThanOrEqual(at);
    files.settle(root);
    const left = diskOf(root);
    const failedAt = `${fault} at operation ${at}: ${files.log[at - 1] ?? ''}`.replaceAll(root, '');
    const known = checked.has(left);
    if (!known) await check(root, failedAt);
    checked.add(left);
    if (known && left === untouched) continue;
    rmSync(root, { recursive: true });
    root = null;
  }
  return turns.length;
}

async function expectSound(root: string, versions: readonly string[], failedAt: string): Promise<void> {
  for (const version of versions) expect(await findVersionProblems(root, INDEX, version), failedAt).toEqual([]);
}

describe.each(Object.entries(CHANGES))('%s', (name, change) => {
  const checked = new Set<string>();

  it.each(FAULTS)('is done or not done when any operation meets %s, and a retry does it', async (fault) => {
    const [before, after] = [copyRoot(template), copyRoot(template)];
    await change(after, {});
    const wanted = await stateOf(after);
    const old = { ...(await stateOf(before)), ...(name === 'prune' && { aliases: wanted.aliases }) };
    expect(wanted).not.toEqual(old);
    const operations = await forEachFault(fault, change, checked, async (root, failedAt) => {
      const state = await stateOf(root);
      expect([old, wanted], failedAt).toContainEqual(state);
      await expectSound(root, state.versions, failedAt);
      // A second rollback goes back further, so it is retried only where the first did nothing.
      if (name !== 'rollback' || state.current === old.current) await change(root, {});
      expect(await stateOf(root), failedAt).toEqual(wanted);
    });
    expect(operations).toBeGreaterThan(10);
  });
});

describe('what was done', () => {
  const changes = Object.entries({
    ...CHANGES,
    build: (root: string, tools: Tools) => makeVersion(root, { now, ...tools }),
  });

  it.each(changes)('outlives a loss of power right after: %s', async (_, change) => {
    const root = copyRoot(template);
    const files = new FaultFileSystem('power loss, names lost', Infinity, temporaryDirectory());
    await change(root, { files });
    const wanted = await stateOf(root);
    files.dead = true;
    files.settle(root);
    expect(await stateOf(root)).toEqual(wanted);
    await expectSound(root, wanted.versions, 'after the end');
  });
});

describe('a build', () => {
  const build = (root: string, tools: Tools): Promise<unknown> =>
    makeVersion(root, { seed: 9, rows: 5, now, ...tools });
  const checked = new Set<string>();

  it.each(FAULTS)(
    'leaves a whole version or none when any operation meets %s, and the next build cleans up',
    async (fault) => {
      const old = await stateOf(template);
      const operations = await forEachFault(fault, build, checked, async (root, failedAt) => {
        const { versions, ...rest } = await stateOf(root);
        expect({ ...rest, versions: versions.slice(0, names.length) }, failedAt).toEqual(old);
        expect(versions.length, failedAt).toBeLessThanOrEqual(names.length + 1);
        await build(root, {});
        const next = await stateOf(root);
        expect(next.versions.length, failedAt).toBe(versions.length + 1);
        await expectSound(root, next.versions.slice(names.length), failedAt);
        expect(existsSync(join(root, INDEX, '.staging')), failedAt).toBe(false);
      });
      expect(operations).toBeGreaterThan(40);
    },
  );
});
