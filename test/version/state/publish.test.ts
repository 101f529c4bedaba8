import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAliases, readCurrent, readHistory } from '../../../src/version/state/catalog.js';
import { nodeFiles, type FileSystem } from '../../../src/version/disk/files.js';
import { readNote } from '../../../src/version/state/notes.js';
import { aliasesPath, currentPath, historyPath, versionPath } from '../../../src/version/disk/paths.js';
import { prune } from '../../../src/version/state/prune.js';
import { publish, removeAlias, rollback, setAlias } from '../../../src/version/state/publish.js';
import { publishedStack } from '../../../src/version/state/rollback-stack.js';
import {
  MAX_HISTORY_ENTRIES,
  readRecordedMoves,
  writeCurrent,
  writeHistory,
  type Move,
} from '../../../src/version/state/state.js';
import { copyRoot, failureOf, INDEX, makeVersion, overwrite, snapshot, temporaryDirectory } from '../versions.js';

const template = temporaryDirectory();
const names: string[] = [];
for (const seed of [1, 2, 3, 4]) {
  names.push((await makeVersion(template, { seed, rows: 2, shards: 1, attributes: false })).version);
}
const [a, b, c, d] = names as [string, string, string, string];

async function published(...versions: string[]): Promise<string> {
  const root = copyRoot(template);
  for (const version of versions) await publish(root, INDEX, version);
  return root;
}

const currentOf = async (root: string): Promise<string | undefined> => (await readCurrent(root, INDEX))?.version;

describe('publish', () => {
  it('moves CURRENT, says what was there before, and records the move', async () => {
    const root = await published();
    expect(await publish(root, INDEX, a, { reason: 'first', who: 'ann@host' })).toMatchObject({
      version: a,
      previous: null,
      changed: true,
    });
    expect(await publish(root, INDEX, b)).toMatchObject({ version: b, previous: a, changed: true, recorded: true });
    expect(await currentOf(root)).toBe(b);
    expect(await readHistory(root, INDEX)).toMatchObject([
      { sequence: 1, action: 'publish', version: a, previous: null, reason: 'first', who: 'ann@host' },
      { sequence: 2, action: 'publish', version: b, previous: a, reason: null, who: null },
    ]);
  });

  it('of what is published already changes nothing', async () => {
    const root = await published(a, b);
    const before = await readHistory(root, INDEX);
    expect(await publish(root, INDEX, b)).toMatchObject({ version: b, previous: a, changed: false });
    expect(await readHistory(root, INDEX)).toEqual(before);
  });

  it('stores the verdict of the gate before it moves CURRENT', async () => {
    const root = await published(a);
    const stop: FileSystem = {
      ...nodeFiles,
      rename: (from, to) => (to.endsWith('CURRENT') ? Promise.reject(new Error('stop')) : nodeFiles.rename(from, to)),
    };
    await expect(publish(root, INDEX, b, { gate: { pass: true }, files: stop })).rejects.toThrow('stop');
    expect(await currentOf(root)).toBe(a);
    expect(await readNote(root, INDEX, b, 'gate')).toEqual({ pass: true });
  });

  it('of an unknown version or index names what there is', async () => {
    const root = await published(a);
    const unknown = `${b.slice(0, -1)}${b.endsWith('0') ? '1' : '0'}`;
    expect((await failureOf(publish(root, INDEX, unknown))).code).toBe('version_not_found');
    const failure = await failureOf(publish(root, 'listing', a));
    expect(failure.code).toBe('index_not_found');
    expect(failure.message).toContain('did you mean listings?');
    expect(readdirSync(root)).toEqual([INDEX]);
  });

  it('refuses a version whose manifest does not hold', async () => {
    const root = await published(a);
    overwrite(join(versionPath(root, INDEX, b), 'MANIFEST.json'), '{}');
    expect((await failureOf(publish(root, INDEX, b))).code).toBe('manifest_corrupt');
    expect(await currentOf(root)).toBe(a);
  });

  it('repairs a HISTORY that a crash left one move short', async () => {
    const root = await published(a);
    const lost: Move = {
      sequence: 2,
      action: 'publish',
      version: b,
      previous: a,
      at: new Date(0).toISOString(),
      reason: null,
      who: null,
    };
    await writeCurrent(root, INDEX, lost, nodeFiles);
    expect((await readHistory(root, INDEX)).map((move) => move.version)).toEqual([a, b]);
    expect(await readRecordedMoves(root, INDEX, nodeFiles)).toHaveLength(1);
    await publish(root, INDEX, c);
    expect((await readRecordedMoves(root, INDEX, nodeFiles)).map((move) => move.version)).toEqual([a, b, c]);
  });

  it('counts as done when only HISTORY cannot be written, and says so', async () => {
    const root = await published(a);
    const full: FileSystem = {
      ...nodeFiles,
      rename: (from, to) => (to.endsWith('HISTORY') ? Promise.reject(new Error('full')) : nodeFiles.rename(from, to)),
    };
    expect(await publish(root, INDEX, b, { files: full })).toMatchObject({ changed: true, recorded: false });
    expect(await currentOf(root)).toBe(b);
    expect((await readHistory(root, INDEX)).map((move) => move.version)).toEqual([a, b]);
    // With HISTORY behind, the next move would lose b from it: it is not made.
    await expect(publish(root, INDEX, c, { files: full })).rejects.toThrow('full');
    expect(await currentOf(root)).toBe(b);
  });

  it('keeps the newest thousand moves', async () => {
    const root = await published(a);
    const at = new Date(0).toISOString();
    const moves = Array.from({ length: MAX_HISTORY_ENTRIES }, (_, i): Move => {
      return {
        sequence: i + 1,
        action: 'publish',
        version: i % 2 === 0 ? a : b,
        previous: i % 2 === 0 ? b : a,
        at,
        reason: 'x'.repeat(1000),
        who: null,
      };
    });
    await writeHistory(root, INDEX, moves, nodeFiles);
    await writeCurrent(root, INDEX, moves.at(-1)!, nodeFiles);
    await publish(root, INDEX, c);
    const kept = await readHistory(root, INDEX);
    expect([kept.length, kept[0]!.sequence, kept.at(-1)!.sequence]).toEqual([1000, 2, 1001]);
  });

  it.each([
    ['CURRENT', currentPath],
    ['HISTORY', historyPath],
  ])('stops at a damaged %s, says what to do, and works when that is done', async (_, path) => {
    const root = await published(a, b);
    overwrite(path(root, INDEX), 'x');
    const failure = await failureOf(publish(root, INDEX, c));
    expect(failure).toMatchObject({ code: 'state_corrupt', file: path(root, INDEX) });
    expect(failure.message).toContain('remove it');
    rmSync(path(root, INDEX));
    await publish(root, INDEX, c);
    expect(await currentOf(root)).toBe(c);
    expect((await readHistory(root, INDEX)).at(-1)).toMatchObject({ sequence: 3, version: c });
  });
});

describe('rollback', () => {
  it('goes back through what was published, step by step, and not forth again', async () => {
    const root = await published(a, b, c);
    expect(await rollback(root, INDEX, { reason: 'bad prices' })).toMatchObject({
      version: b,
      previous: c,
      skipped: [],
    });
    expect((await readCurrent(root, INDEX))?.reason).toBe('bad prices');
    expect(await rollback(root, INDEX)).toMatchObject({ version: a, previous: b });
    const failure = await failureOf(rollback(root, INDEX));
    expect(failure.code).toBe('version_not_found');
    expect(failure.message).toContain(`none was published before ${a}`);
    expect(await currentOf(root)).toBe(a);
  });

  it('after a new publish goes to where that publish came from', async () => {
    const root = await published(a, b);
    await rollback(root, INDEX);
    await publish(root, INDEX, c);
    expect(await rollback(root, INDEX)).toMatchObject({ version: a });
  });

  it('passes over versions that no longer exist and says which', async () => {
    const root = await published(a, b, c, d);
    rmSync(versionPath(root, INDEX, c), { recursive: true });
    overwrite(join(versionPath(root, INDEX, b), 'MANIFEST.json'), '{}');
    expect(await rollback(root, INDEX)).toMatchObject({ version: a, skipped: [c, b] });
  });

  it('goes to a version that is named, if it was published before', async () => {
    const root = await published(a, b, c);
    expect(await rollback(root, INDEX, { to: a })).toMatchObject({ version: a, previous: c });
    expect((await failureOf(rollback(root, INDEX, { to: d }))).message).toContain('was never published');
    expect(await rollback(root, INDEX, { to: c })).toMatchObject({ version: c, previous: a });
    expect(await rollback(root, INDEX)).toMatchObject({ version: a });
  });

  it('goes to a version that an alias names', async () => {
    const root = await published(a, b);
    await setAlias(root, INDEX, 'good', a);
    expect(await rollback(root, INDEX, { to: 'good' })).toMatchObject({ version: a });
  });

  it('has nowhere to go where nothing is published', async () => {
    expect((await failureOf(rollback(await published(), INDEX))).code).toBe('version_not_found');
  });

  it('follows a stack: publish puts on top, rollback takes off', () => {
    const step = fc.oneof(
      fc.record({ action: fc.constant('publish' as const), version: fc.constantFrom('A', 'B', 'C', 'D', 'E') }),
      fc.record({ action: fc.constant('rollback' as const), version: fc.constant('') }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const model: string[] = [];
        const moves: Move[] = [];
        for (const { action, version } of steps) {
          const previous = model.at(-1) ?? null;
          if (action === 'publish' && version !== previous) model.push(version);
          else if (action === 'rollback' && model.length > 1 && !model.slice(0, -1).includes(previous!)) model.pop();
          else continue;
          moves.push({
            sequence: moves.length + 1,
            action,
            version: model.at(-1)!,
            previous,
            at: '',
            reason: null,
            who: null,
          });
        }
        expect(publishedStack(moves).at(-1)).toBe(model.at(-1));
        if (new Set(model).size === model.length) expect(publishedStack(moves)).toEqual(model);
      }),
      { seed: 5 },
    );
  });
});

describe('an alias', () => {
  it('is set, moved and removed', async () => {
    const root = await published(a);
    expect(await setAlias(root, INDEX, 'canary', b)).toMatchObject({ version: b, previous: null });
    expect(await setAlias(root, INDEX, 'canary', c)).toMatchObject({ version: c, previous: b });
    expect(await readAliases(root, INDEX)).toEqual({ canary: c });
    expect(await removeAlias(root, INDEX, 'canary')).toMatchObject({ version: null, previous: c });
    expect(await readAliases(root, INDEX)).toEqual({});
  });

  it.each(['', '..', '../x', 'A', 'a b', 'a/b', '-x', 'x'.repeat(65), a])('is not named %j', async (name) => {
    const root = await published(a);
    expect((await failureOf(setAlias(root, INDEX, name, b))).code).toBe('usage');
    expect((await failureOf(removeAlias(root, INDEX, name))).code).toBe('usage');
  });

  it('names a version that exists, and is removed only where there is one', async () => {
    const root = await published(a);
    expect((await failureOf(setAlias(root, INDEX, 'canary', '20000101T000000Z-00000000'))).code).toBe(
      'version_not_found',
    );
    await setAlias(root, INDEX, 'canary', b);
    const failure = await failureOf(removeAlias(root, INDEX, 'canari'));
    expect(failure.code).toBe('version_not_found');
    expect(failure.message).toContain('canary');
  });

  it('that is damaged is an error that names its file, and can be set again or removed', async () => {
    const root = await published(a);
    for (const repair of [() => setAlias(root, INDEX, 'canary', b), () => removeAlias(root, INDEX, 'canary')]) {
      await setAlias(root, INDEX, 'canary', b);
      const path = join(aliasesPath(root, INDEX), 'canary');
      overwrite(path, 'x');
      expect(await failureOf(readAliases(root, INDEX))).toMatchObject({ code: 'state_corrupt', file: path });
      await repair();
      await readAliases(root, INDEX);
    }
  });
});

describe('a dry run', () => {
  it.each<[string, (root: string, options: { dryRun: boolean }) => Promise<unknown>]>([
    ['publish', (root, options) => publish(root, INDEX, c, { ...options, gate: { pass: true } })],
    ['rollback', (root, options) => rollback(root, INDEX, options)],
    ['setAlias', (root, options) => setAlias(root, INDEX, 'other', c, options)],
    ['removeAlias', (root, options) => removeAlias(root, INDEX, 'canary', options)],
    ['prune', (root, options) => prune(root, INDEX, { ...options, keep: 1 })],
  ])('of %s says what would be, and changes no file', async (_, change) => {
    const root = await published(a, b);
    await setAlias(root, INDEX, 'canary', a);
    const before = snapshot(root);
    const foretold = await change(root, { dryRun: true });
    expect(snapshot(root)).toEqual(before);
    expect(await change(root, { dryRun: false })).toEqual(foretold);
    expect(snapshot(root)).not.toEqual(before);
  });
});
