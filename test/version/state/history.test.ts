import { rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readHistory } from '../../../src/version/state/catalog.js';
import { nodeFiles } from '../../../src/version/disk/files.js';
import { readEntries } from '../../../src/version/state/history.js';
import { readNote } from '../../../src/version/state/notes.js';
import { currentPath, historyPath, refusalsPath } from '../../../src/version/disk/paths.js';
import { publish, refuse, rollback } from '../../../src/version/state/publish.js';
import { writeSealed } from '../../../src/version/disk/sealed-json.js';
import { readVersionStatuses } from '../../../src/version/state/version-status.js';
import { copyRoot, INDEX, makeVersion, overwrite, snapshot, temporaryDirectory } from '../versions.js';

const template = temporaryDirectory();
const names: string[] = [];
for (const seed of [1, 2, 3]) {
  names.push((await makeVersion(template, { seed, rows: 2, shards: 1, attributes: false })).version);
}
const [a, b, c] = names as [string, string, string];
const verdict = { gate: { pass: false }, refusedBy: 'recall@100 is 0.5000 and the limit is 0.95' };

describe('the history of an index', () => {
  it('tells of publishes, rollbacks and refusals in their order, with who and why', async () => {
    const root = copyRoot(template);
    await refuse(root, INDEX, c, { ...verdict, who: 'night@host' });
    await publish(root, INDEX, a, { who: 'ann@host', reason: 'first' });
    await publish(root, INDEX, b);
    // A clock that goes back changes nothing in the order.
    await refuse(root, INDEX, c, { ...verdict, reason: 'again', now: () => new Date('2020-01-01') });
    await rollback(root, INDEX, { who: 'bob@host' });
    const { entries, damage } = await readEntries(root, INDEX);
    expect(damage).toBeNull();
    expect(entries).toMatchObject([
      { action: 'refuse', version: c, previous: null, who: 'night@host', refused_by: verdict.refusedBy },
      { action: 'publish', version: a, previous: null, who: 'ann@host', reason: 'first' },
      { action: 'publish', version: b, previous: a, who: null },
      { action: 'refuse', version: c, previous: b, reason: 'again', at: '2020-01-01T00:00:00.000Z' },
      { action: 'rollback', version: a, previous: b, who: 'bob@host' },
    ]);
    // A rollback follows moves alone.
    expect((await readHistory(root, INDEX)).map(({ action }) => action)).toEqual(['publish', 'publish', 'rollback']);
  });

  it('stores the verdict of a refusal, and with a dry run nothing', async () => {
    const root = copyRoot(template);
    const before = snapshot(root);
    await refuse(root, INDEX, c, { ...verdict, dryRun: true });
    expect(snapshot(root)).toEqual(before);
    expect(await refuse(root, INDEX, c, verdict)).toEqual({ current: null, recorded: true });
    expect(await readNote(root, INDEX, c, 'gate')).toEqual({ pass: false });
  });

  it('reads what releases wrote that did not note who', async () => {
    const root = copyRoot(template);
    const move = { sequence: 1, action: 'publish', version: a, previous: null, at: '2026-01-01T00:00:00.000Z', reason: null }; // prettier-ignore
    await writeSealed(currentPath(root, INDEX), { format: 1, index: INDEX, ...move }, nodeFiles);
    await writeSealed(historyPath(root, INDEX), { format: 1, index: INDEX, entries: [move] }, nodeFiles);
    await publish(root, INDEX, b, { who: 'ann@host' });
    expect((await readEntries(root, INDEX)).entries).toMatchObject([{ version: a, who: null }, { who: 'ann@host' }]);
  });

  it('tells of moves though REFUSALS are damaged, and begins them anew', async () => {
    const root = copyRoot(template);
    await publish(root, INDEX, a);
    overwrite(refusalsPath(root, INDEX), 'x');
    const { entries, damage } = await readEntries(root, INDEX);
    expect(entries).toHaveLength(1);
    expect(damage).toMatchObject({ code: 'state_corrupt' });
    await refuse(root, INDEX, c, verdict);
    expect((await readEntries(root, INDEX)).entries).toMatchObject([{ version: a }, { version: c }]);
  });
});

describe('the status of a version', () => {
  it('is current, published before, refused or new', async () => {
    const root = copyRoot(template);
    await publish(root, INDEX, a);
    await publish(root, INDEX, b);
    const statusesOf = async (): Promise<string[]> => {
      const moves = await readHistory(root, INDEX);
      const found = await readVersionStatuses(root, INDEX, [a, b, c], { current: b, moves }, nodeFiles);
      return found.map(({ status }) => status);
    };
    expect(await statusesOf()).toEqual(['published', 'current', 'new']);
    await refuse(root, INDEX, c, verdict);
    // One that was published stays so, whatever the gate says of it later.
    await refuse(root, INDEX, a, verdict);
    expect(await statusesOf()).toEqual(['published', 'current', 'refused']);
    rmSync(historyPath(root, INDEX));
    expect((await statusesOf())[1]).toBe('current');
  });
});
