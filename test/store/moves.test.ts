import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeAliasInStore, setAliasInStore } from '../../src/store/aliases.js';
import { publishInStore, rollbackInStore } from '../../src/store/moves.js';
import { openStore } from '../../src/store/objects/open-store.js';
import type { ObjectStore } from '../../src/store/objects/object-store.js';
import { pushVersion } from '../../src/store/push.js';
import { refuseInStore } from '../../src/store/refusals.js';
import { storeFiles } from '../../src/store/store-files.js';
import { readAliases, readCurrent, readHistory } from '../../src/version/state/catalog.js';
import { readEntries } from '../../src/version/state/history.js';
import { readRecordedMoves, type Move } from '../../src/version/state/state.js';
import { failureOf, INDEX } from '../version/versions.js';
import type { StoreUnderTest } from './contract.js';
import { makeRoot, startS3, STORES } from './versions.js';

const { root, versions } = await makeRoot(3);
const [a, b, c] = versions as [string, string, string];

const currentOf = async (store: ObjectStore) => (await readCurrent(store.url, INDEX, storeFiles(store)))?.version;
const movesOf = (store: ObjectStore) => readHistory(store.url, INDEX, storeFiles(store));
const recordedOf = (store: ObjectStore) => readRecordedMoves(store.url, INDEX, storeFiles(store));

function requireLinear(moves: readonly Move[]): void {
  moves.forEach(({ sequence, previous }, position) => {
    expect(sequence).toBe(position + 1);
    expect(previous).toBe(position === 0 ? null : moves[position - 1]!.version);
  });
}

async function pushAll(store: ObjectStore): Promise<void> {
  for (const version of versions) await pushVersion(root, INDEX, version, store);
}

describe.each(STORES)('what is published in %s', (_, start) => {
  let under: StoreUnderTest;
  let store: ObjectStore;
  beforeAll(async () => {
    under = await start();
    store = await openStore(under.url, under.env);
    await pushAll(store);
  });
  afterAll(async () => {
    store.close();
    await under.close();
  });

  it('moves forward and back as in a folder, with its history', async () => {
    expect(await publishInStore(store, INDEX, a, { reason: 'first', who: 'ann' })).toMatchObject({ version: a, previous: null, changed: true, recorded: true }); // prettier-ignore
    expect(await publishInStore(store, INDEX, b, { warned: ['rows'] })).toMatchObject({ version: b, previous: a });
    expect(await publishInStore(store, INDEX, b)).toMatchObject({ version: b, changed: false });
    await publishInStore(store, INDEX, c, { forced: 'recall is low' });
    expect(await rollbackInStore(store, INDEX, { dryRun: true })).toMatchObject({ version: b, previous: c });
    expect(await rollbackInStore(store, INDEX)).toMatchObject({ version: b, previous: c, changed: true });
    expect(await rollbackInStore(store, INDEX, { to: a })).toMatchObject({ version: a, previous: b });
    expect(await currentOf(store)).toBe(a);
    const moves = await recordedOf(store);
    requireLinear(moves);
    expect(moves.map(({ action, version }) => [action, version])).toEqual([
      ['publish', a],
      ['publish', b],
      ['publish', c],
      ['rollback', b],
      ['rollback', a],
    ]);
    expect(moves[0]).toMatchObject({ reason: 'first', who: 'ann' });
    expect(moves[1]).toMatchObject({ warned: ['rows'] });
    expect(moves[2]).toMatchObject({ forced: 'recall is low' });
  });

  it('does not move if another version is published than the caller expects', async () => {
    expect(await failureOf(publishInStore(store, INDEX, c, { expects: b }))).toMatchObject({ code: 'index_busy' });
    expect(await currentOf(store)).toBe(a);
    expect(await publishInStore(store, INDEX, c, { expects: a })).toMatchObject({ previous: a, changed: true });
  });

  it('shows refusals in the history', async () => {
    expect(await refuseInStore(store, INDEX, b, { refusedBy: 'rows is 0', who: 'ann' })).toBe(true);
    const { entries } = await readEntries(store.url, INDEX, storeFiles(store));
    expect(entries.at(-1)).toMatchObject({ action: 'refuse', version: b, previous: c, refused_by: 'rows is 0' });
  });

  it('has aliases, which are set, moved and removed', async () => {
    expect(await setAliasInStore(store, INDEX, 'canary', a)).toMatchObject({ version: a, previous: null });
    expect(await setAliasInStore(store, INDEX, 'canary', b)).toMatchObject({ version: b, previous: a });
    expect(await setAliasInStore(store, INDEX, 'other', 'canary')).toMatchObject({ version: b });
    expect(await readAliases(store.url, INDEX, storeFiles(store))).toEqual({ canary: b, other: b });
    expect(await removeAliasInStore(store, INDEX, 'canary')).toMatchObject({ version: null, previous: b });
    expect(await failureOf(removeAliasInStore(store, INDEX, 'canary'))).toMatchObject({ code: 'version_not_found' });
    expect(await failureOf(setAliasInStore(store, INDEX, 'x', 'canary'))).toMatchObject({ code: 'version_not_found' });
  });

  it('is not moved to a version that the store does not have, and the message names it', async () => {
    const failure = await failureOf(publishInStore(store, INDEX, '20200101T000000Z-00000000'));
    expect(failure).toMatchObject({ code: 'version_not_found' });
  });
});

describe('publishing in S3', () => {
  async function open() {
    const { server, url, close } = await startS3();
    const store = await openStore(url, server.env);
    await pushAll(store);
    return { server, store, close };
  }

  it('is refused for a version of which a file is missing or has another size, with its URL', async () => {
    const { server, store, close } = await open();
    const file = [...server.objects.keys()].find((key) => key.includes(`${a}/shard-0000`))!;
    server.put(file, Buffer.from('short'));
    expect(await failureOf(publishInStore(store, INDEX, a))).toMatchObject({ code: 'file_corrupt', file: `s3://bucket/${file}` }); // prettier-ignore
    server.objects.delete(file);
    expect(await failureOf(publishInStore(store, INDEX, a))).toMatchObject({ code: 'file_missing' });
    expect(await currentOf(store)).toBeUndefined();
    await close();
  });

  it('takes its own move for its own if the answer to the write is lost', async () => {
    const { server, store, close } = await open();
    await publishInStore(store, INDEX, a, { who: 'ann' });
    let lost = 0;
    server.fault = ({ method, key }) => (method === 'PUT' && key.endsWith('/CURRENT') && lost++ === 0 ? 'lost' : null);
    expect(await publishInStore(store, INDEX, b, { who: 'ann' })).toMatchObject({ version: b, previous: a, changed: true, recorded: true }); // prettier-ignore
    const moves = await recordedOf(store);
    requireLinear(moves);
    expect(moves.map(({ version }) => version)).toEqual([a, b]);
    await close();
  });

  it('tries again after 409, which a store answers while another conditional write is under way', async () => {
    const { server, store, close } = await open();
    let conflicts = 0;
    server.fault = ({ key, isConditional, method }) =>
      method === 'PUT' && isConditional && /CURRENT|HISTORY/.test(key) && conflicts++ < 3
        ? { status: 409, code: 'ConditionalRequestConflict' }
        : null;
    expect(await publishInStore(store, INDEX, a)).toMatchObject({ changed: true, recorded: true });
    expect(conflicts).toBeGreaterThan(3);
    await close();
  });

  it('loses no move wherever a publisher dies: the next one completes HISTORY', async () => {
    const { server, store, close } = await open();
    await publishInStore(store, INDEX, a);
    // Every write after that of CURRENT fails, as if the process had ended there.
    let isDead = false;
    server.fault = ({ method, key }) => {
      if (method !== 'PUT') return null;
      if (isDead) return { status: 403, code: 'AccessDenied' };
      isDead = key.endsWith('/CURRENT');
      return null;
    };
    expect(await publishInStore(store, INDEX, b)).toMatchObject({ changed: true, recorded: false });
    expect((await recordedOf(store)).map(({ version }) => version)).toEqual([a]);
    expect((await movesOf(store)).map(({ version }) => version)).toEqual([a, b]);
    server.fault = () => null;
    await publishInStore(store, INDEX, c);
    const moves = await recordedOf(store);
    requireLinear(moves);
    expect(moves.map(({ version }) => version)).toEqual([a, b, c]);
    await close();
  });

  it('does not depend on listings: a stale one hides no version and no move', async () => {
    const { server, store, close } = await open();
    server.listedKeys = [];
    await publishInStore(store, INDEX, a);
    await publishInStore(store, INDEX, b);
    expect(await rollbackInStore(store, INDEX)).toMatchObject({ version: a });
    expect(await rollbackInStore(store, INDEX, { to: b })).toMatchObject({ version: b });
    await close();
  });

  it('of three publishers in one process each loses moves to others, and none is lost', async () => {
    const { store, close } = await open();
    const publish = async (who: string) => {
      const won: string[] = [];
      for (let move = 0; move < 10; move++) {
        const version = versions[(move + who.length) % 3]!;
        const { changed } = await publishInStore(store, INDEX, version, { who, reason: String(move) });
        if (changed) won.push(`${who} ${move}`);
      }
      return won;
    };
    const won = (await Promise.all(['x', 'yy', 'zzz'].map(publish))).flat();
    const moves = await recordedOf(store);
    requireLinear(moves);
    expect(moves.map(({ who, reason }) => `${who!} ${reason!}`).sort()).toEqual(won.sort());
    await close();
  });
});
