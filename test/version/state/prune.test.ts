import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ShortlistError } from '../../../src/base/errors.js';
import { listVersions, readCurrent } from '../../../src/version/state/catalog.js';
import { withLock } from '../../../src/version/locks/lock.js';
import { writeNote } from '../../../src/version/state/notes.js';
import { currentPath, historyPath, indexPath, stagingPath, versionPath } from '../../../src/version/disk/paths.js';
import { prune, type KeepReason } from '../../../src/version/state/prune.js';
import { publish, refuse, rollback, setAlias } from '../../../src/version/state/publish.js';
import { copyRoot, failureOf, INDEX, makeVersion, overwrite, temporaryDirectory } from '../versions.js';

const template = temporaryDirectory();
const names: string[] = [];
for (const seed of [1, 2, 3, 4, 5]) {
  names.push((await makeVersion(template, { seed, rows: 2, shards: 1, attributes: false })).version);
}
/** By the time of their builds. */
const [a, b, c, d, e] = names as [string, string, string, string, string];

async function published(...versions: string[]): Promise<string> {
  const root = copyRoot(template);
  for (const version of versions) await publish(root, INDEX, version);
  return root;
}

async function refused(root: string, ...versions: string[]): Promise<void> {
  for (const version of versions) {
    await refuse(root, INDEX, version, { gate: { pass: false }, refusedBy: 'recall@100 is 0.5' });
  }
}

/** What was deleted, and why each of the others was not. */
async function pruned(root: string, keep: number): Promise<[deleted: string[], kept: Record<string, KeepReason>]> {
  const { deleted, kept } = await prune(root, INDEX, { keep });
  return [[...deleted], Object.fromEntries(kept.map(({ version, reason }) => [version, reason]))];
}

describe('prune', () => {
  it('counts versions that were published: nights that the gate refused push none of them out', async () => {
    const root = await published(a, b);
    await refused(root, c, d, e);
    const [deleted, kept] = await pruned(root, 2);
    expect(deleted).toEqual([c]);
    expect(kept).toEqual({ [a]: 'rollback', [b]: 'current', [d]: 'unpublished', [e]: 'unpublished' });
    expect((await rollback(root, INDEX)).version).toBe(a);
  });

  it('keeps what a rollback would go to, though it is not among the newest', async () => {
    const root = await published(a, b, c, d);
    expect(await pruned(root, 1)).toEqual([[a, b], { [c]: 'rollback', [d]: 'current', [e]: 'unpublished' }]);
  });

  it('keeps the one below it too where a rollback would pass it over', async () => {
    const root = await published(a, b, c, d);
    rmSync(join(versionPath(root, INDEX, c), 'shard-0000.ids'), { force: true });
    const [deleted, kept] = await pruned(root, 1);
    expect(deleted).toEqual([a]);
    expect(kept).toMatchObject({ [b]: 'rollback', [c]: 'rollback', [d]: 'current' });
    expect(await rollback(root, INDEX)).toMatchObject({ version: b, skipped: [c] });
  });

  it('keeps what a rollback has left, which servers may serve still, until the next move', async () => {
    const root = await published(a, b, c);
    await rollback(root, INDEX);
    expect((await pruned(root, 1))[1]).toMatchObject({ [a]: 'rollback', [b]: 'current', [c]: 'replaced' });
    await publish(root, INDEX, e);
    expect((await pruned(root, 1))[0]).toEqual([a, c]);
  });

  it('of those that never were published deletes those older than all that it keeps of the others', async () => {
    const root = await published(b, d);
    expect(await pruned(root, 1)).toEqual([[a, c], { [b]: 'rollback', [d]: 'current', [e]: 'unpublished' }]);
  });

  it('counts by when a version was published last, not by when it was built', async () => {
    const root = await published(d, c, b, a);
    expect((await pruned(root, 2))[1]).toMatchObject({ [a]: 'current', [b]: 'rollback' });
    expect((await listVersions(root, INDEX)).map(({ version }) => version)).not.toContain(d);
  });

  it('where nothing was published keeps the newest builds', async () => {
    expect(await pruned(copyRoot(template), 2)).toEqual([[a, b, c], { [d]: 'unpublished', [e]: 'unpublished' }]);
  });

  it('where HISTORY was lost counts what the gate has passed', async () => {
    const root = await published(b, c, d);
    for (const version of [b, c]) await writeNote(root, INDEX, version, 'gate', { pass: true });
    rmSync(historyPath(root, INDEX));
    expect((await pruned(root, 3))[1]).toMatchObject({ [b]: 'published', [c]: 'rollback', [d]: 'current' });
  });

  it('spares versions with an alias, and deletes the others with their notes', async () => {
    const root = await published(a);
    await setAlias(root, INDEX, 'canary', b);
    for (const version of [a, c]) await writeNote(root, INDEX, version, 'gate', { pass: false });
    const { deleted, bytes } = await prune(root, INDEX, { keep: 1 });
    expect(deleted).toEqual([c, d]);
    expect(bytes).toBeGreaterThan(4096);
    expect(readdirSync(join(indexPath(root, INDEX), 'notes'))).toEqual([a]);
    expect(readdirSync(indexPath(root, INDEX)).sort()).toEqual(
      [a, b, e, 'CURRENT', 'HISTORY', 'aliases', 'locks', 'notes'].sort(),
    );
  });

  it('deletes nothing where no more versions exist than are kept', async () => {
    expect((await prune(await published(a), INDEX, { keep: 9 })).deleted).toEqual([]);
  });

  it('clears away what crashes have left, what a killed build has put into staging too', async () => {
    const root = await published(a);
    const index = indexPath(root, INDEX);
    mkdirSync(join(index, `.trash-${b}-x`));
    writeFileSync(join(index, `.trash-${b}-x`, 'shard-0000.ids'), 'x');
    writeFileSync(join(index, '.tmp-x'), 'x');
    mkdirSync(join(stagingPath(root, INDEX), 'some'), { recursive: true });
    writeFileSync(join(stagingPath(root, INDEX), 'some', 'shard-0000.vectors'), 'x');
    await writeNote(root, INDEX, '20000101T000000Z-00000000', 'gate', {});
    await prune(root, INDEX, { keep: 9 });
    expect(readdirSync(index).filter((name) => name.startsWith('.'))).toEqual([]);
    expect(readdirSync(join(index, 'notes'))).toEqual([]);
  });

  it('leaves the staging of a build that is under way', async () => {
    const root = await published(a);
    mkdirSync(stagingPath(root, INDEX));
    await withLock(root, INDEX, 'build', 'shortlist build', () => prune(root, INDEX, { keep: 9 }));
    expect(existsSync(stagingPath(root, INDEX))).toBe(true);
  });

  it('leaves a version whose manifest does not hold to a person', async () => {
    const root = await published(d);
    overwrite(join(versionPath(root, INDEX, a), 'MANIFEST.json'), '{}');
    expect(await prune(root, INDEX, { keep: 1 })).toMatchObject({ deleted: [b, c], damaged: [a] });
    expect(existsSync(versionPath(root, INDEX, a))).toBe(true);
  });

  it.each([currentPath, historyPath])('deletes nothing while what is published cannot be read', async (pathOf) => {
    const root = await published(a);
    overwrite(pathOf(root, INDEX), 'x');
    expect((await failureOf(prune(root, INDEX, { keep: 1 }))).code).toBe('state_corrupt');
    expect(await listVersions(root, INDEX)).toHaveLength(names.length);
  });

  it('that is interrupted says what it has deleted', async () => {
    const root = await published(e);
    const signal = AbortSignal.abort(new ShortlistError('interrupted', 'stop'));
    await expect(prune(root, INDEX, { keep: 1, signal })).rejects.toMatchObject({ code: 'interrupted' });
    expect(await listVersions(root, INDEX)).toHaveLength(names.length);
  });

  it.each([0, -1, 1.5, NaN])('does not keep %s versions', async (keep) => {
    expect((await failureOf(prune(await published(a), INDEX, { keep }))).code).toBe('usage');
  });
});

/** A file system of 2 MiB of its own; null where this process may not make one. */
function mountSmall(): string | null {
  const folder = join(temporaryDirectory(), 'small');
  mkdirSync(folder);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return null;
  }
  return folder;
}

const small = mountSmall();

describe.skipIf(small === null)('a disk without one free byte (skipped where no file system can be mounted)', () => {
  const root = small!;
  afterAll(() => execFileSync('umount', ['-l', root])); // before the folder that it lies in is removed
  /** Fills it to the last block. */
  const fill = (): void => {
    const { bavail, bsize } = statfsSync(root);
    if (bavail > 0) writeFileSync(join(root, `.filler-${Date.now()}`), new Uint8Array(bavail * bsize));
    expect(statfsSync(root).bavail).toBe(0);
  };

  it('refuses publish, rollback and alias with nothing changed, and lets prune make room', async () => {
    execFileSync('cp', ['-r', join(template, INDEX), root]);
    for (const version of [a, b, c]) await publish(root, INDEX, version);
    fill();
    for (const change of [
      () => publish(root, INDEX, d, { gate: { pass: true } }),
      () => rollback(root, INDEX),
      () => setAlias(root, INDEX, 'canary', a),
    ])
      expect((await failureOf(change())).code).toBe('disk_full');
    expect((await readCurrent(root, INDEX))?.version).toBe(c);
    expect((await prune(root, INDEX, { keep: 1 })).deleted).toEqual([a, d]);
    expect(statfsSync(root).bavail).toBeGreaterThan(0);
    // The next time there is room for the lock again, and then for the rest.
    fill();
    expect((await prune(root, INDEX, { keep: 1 })).deleted).toEqual([]);
    for (const name of readdirSync(root)) if (name.startsWith('.filler')) rmSync(join(root, name));
    expect((await rollback(root, INDEX)).version).toBe(b);
  });
});
