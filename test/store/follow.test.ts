import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeAliasInStore, setAliasInStore } from '../../src/store/aliases.js';
import { makeRoom } from '../../src/store/cache.js';
import { IndexFollower } from '../../src/store/follow.js';
import { publishInStore, rollbackInStore } from '../../src/store/moves.js';
import { openStore } from '../../src/store/objects/open-store.js';
import type { ObjectStore } from '../../src/store/objects/object-store.js';
import { pullVersion } from '../../src/store/pull.js';
import { pushVersion } from '../../src/store/push.js';
import { readAliases, readCurrent, readHistory } from '../../src/version/state/catalog.js';
import { aliasesPath, currentPath, historyPath } from '../../src/version/disk/paths.js';
import { INDEX, makeVersion, overwrite, temporaryDirectory } from '../version/versions.js';
import type { S3Server } from './s3-server.js';
import { makeRoot, startS3 } from './versions.js';

const { root, versions } = await makeRoot(3);
const [a, b, c] = versions as [string, string, string];

describe('a root that follows a store', () => {
  let server: S3Server;
  let store: ObjectStore;
  let close: () => Promise<void>;
  beforeAll(async () => {
    const under = await startS3();
    ({ server, close } = under);
    store = await openStore(under.url, under.env);
    for (const version of versions) await pushVersion(root, INDEX, version, store);
    await publishInStore(store, INDEX, a);
    await publishInStore(store, INDEX, b);
  });
  afterAll(() => close());

  function follow(to: string): IndexFollower {
    const { signal } = new AbortController();
    const tools = { store, root: to, signal, makeRoom: () => Promise.resolve(), onPulled: () => undefined };
    return new IndexFollower({ shards: [], ...tools }, INDEX);
  }

  const currentOf = async (of: string) => (await readCurrent(of, INDEX))?.version;

  it('asks for CURRENT only once if nothing has changed, and loads no version again', async () => {
    const follower = follow(temporaryDirectory());
    expect(await follower.look(true)).toEqual({ movedTo: b, failures: new Map() });
    server.requests.length = 0;
    expect(await follower.look(false)).toEqual({ movedTo: null, failures: new Map() });
    expect(server.requests.map(({ key, status }) => [key.split('/').at(-1), status])).toEqual([['CURRENT', 304]]);
  });

  it('repairs its own CURRENT, HISTORY and aliases', async () => {
    const to = temporaryDirectory();
    await setAliasInStore(store, INDEX, 'canary', a);
    await follow(to).look(true);
    for (const path of [currentPath(to, INDEX), historyPath(to, INDEX), join(aliasesPath(to, INDEX), 'canary')]) {
      overwrite(path, 'damage');
      expect((await follow(to).look(true)).failures.size).toBe(0);
      expect(await currentOf(to)).toBe(b);
      expect((await readHistory(to, INDEX)).map(({ version }) => version)).toEqual([a, b]);
      expect(await readAliases(to, INDEX)).toEqual({ canary: a });
    }
    await removeAliasInStore(store, INDEX, 'canary');
  });

  it('keeps an alias that a stale listing lacks, and drops one that is gone', async () => {
    const to = temporaryDirectory();
    const follower = follow(to);
    await setAliasInStore(store, INDEX, 'canary', c);
    await follower.look(true);
    server.listedKeys = [];
    await follower.look(true);
    expect(await readAliases(to, INDEX)).toEqual({ canary: c });
    server.listedKeys = null;
    await removeAliasInStore(store, INDEX, 'canary');
    await follower.look(false);
    expect(await readAliases(to, INDEX)).toEqual({});
  });

  it('keeps what is published if the store no longer says what is, and tells that', async () => {
    const to = temporaryDirectory();
    const follower = follow(to);
    await follower.look(true);
    const key = `indexes/${INDEX}/CURRENT`;
    const right = server.objects.get(key)!;
    server.objects.delete(key);
    expect([...(await follower.look(true)).failures].map(([what, { code }]) => [what, code])).toEqual([['CURRENT', 'version_not_found']]); // prettier-ignore
    server.put(key, Buffer.from('{}'));
    expect([...(await follower.look(true)).failures].map(([what, { code }]) => [what, code])).toEqual([['CURRENT', 'state_corrupt']]); // prettier-ignore
    expect(await currentOf(to)).toBe(b);
    server.put(key, right.bytes);
    expect((await follower.look(true)).failures.size).toBe(0);
  });

  it('deletes the oldest pulled versions beyond its limit, and none that was built here or may be needed', async () => {
    const to = temporaryDirectory();
    const built = await makeVersion(to, { seed: 9 });
    const follower = follow(to);
    await follower.look(true);
    await publishInStore(store, INDEX, c);
    await follower.look(true);
    await rollbackInStore(store, INDEX);
    await follower.look(true);
    const cached = () => readdirSync(join(to, INDEX)).filter((name) => [...versions, built.version].includes(name));
    const isInUse = (): boolean => false;
    // b is current, c was before it, and a is where a rollback would go.
    await setAliasInStore(store, INDEX, 'keep', a);
    await follower.look(true);
    expect(await makeRoom(to, { limitBytes: 0, incomingBytes: 0, isInUse })).toEqual([]);
    await removeAliasInStore(store, INDEX, 'keep');
    await publishInStore(store, INDEX, c);
    await follower.look(true);
    expect(await makeRoom(to, { limitBytes: 1e9, incomingBytes: 0, isInUse })).toEqual([]);
    expect(await makeRoom(to, { limitBytes: 0, incomingBytes: 0, isInUse: (_, version) => version === a })).toEqual([]);
    expect(await makeRoom(to, { limitBytes: 0, incomingBytes: 0, isInUse })).toMatchObject([{ version: a }]);
    expect(cached().sort()).toEqual([b, c, built.version].sort());
  });

  it('makes room where nothing is published too, for the versions in use', async () => {
    const to = temporaryDirectory();
    for (const version of versions) await pullVersion(store, to, INDEX, version);
    const isInUse = (_: string, version: string): boolean => version !== b;
    expect(await makeRoom(to, { limitBytes: 0, incomingBytes: 0, isInUse })).toMatchObject([{ version: b }]);
  });
});
