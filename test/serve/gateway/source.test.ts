/** A fleet whose servers pull their shards from a store, each into a root of its own. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { publishInStore } from '../../../src/store/moves.js';
import { openStore } from '../../../src/store/objects/open-store.js';
import { pullVersion } from '../../../src/store/pull.js';
import { pushVersion } from '../../../src/store/push.js';
import { publish } from '../../../src/version/state/publish.js';
import { buildVersion, temporaryFolder } from '../../indexes.js';
import { TestServer, waitFor } from '../server.js';
import { ask } from './fleet.js';

const INDEX = 'listings';
const SPEC = { rows: 500, dim: 8, shards: 4 };

it('each server pulls the files of its shards, and the fleet answers as one server that has all', async () => {
  const root = temporaryFolder();
  const first = await buildVersion(root, INDEX, { ...SPEC, seed: 1 });
  const second = await buildVersion(root, INDEX, { ...SPEC, seed: 2 });
  const store = await openStore(`file://${temporaryFolder()}`);
  for (const { version } of [first, second]) await pushVersion(root, INDEX, version, store);
  await publishInStore(store, INDEX, first.version);
  await publish(root, INDEX, first.version);
  const caches = [join(temporaryFolder(), 'a'), join(temporaryFolder(), 'b')];
  const source = ['--workers', '1', '--source', store.url, '--source-poll-ms', '200'];
  const whole = await TestServer.start(root, ['--workers', '1']);
  const leaves = await Promise.all([
    TestServer.start(caches[0]!, [...source, '--shards', '0-1']),
    TestServer.start(caches[1]!, [...source, '--shards', '2,3']),
  ]);
  const gateway = await TestServer.startGateway(leaves);
  try {
    const filesOf = (cache: string) => readdirSync(join(cache, INDEX, first.version)).filter((name) => name.startsWith('shard-')); // prettier-ignore
    expect(filesOf(caches[0]!).every((name) => /^shard-000[01]/.test(name))).toBe(true);
    expect(filesOf(caches[1]!)).toHaveLength(8);
    const body = { id: 3, k: 20, filter: { price: { $lt: 400 } }, include: { attributes: ['title'] } };
    expect(await ask(gateway, body, INDEX)).toEqual(await ask(whole, body, INDEX));
    await publishInStore(store, INDEX, second.version);
    await publish(root, INDEX, second.version);
    const move = async () => ((await ask(gateway, body, INDEX)).body['version'] === second.version ? true : undefined);
    await waitFor('the switch of the fleet', move);
    await whole.waitForLog('version is live', 0, (line) => line['version'] === second.version);
    expect(await ask(gateway, body, INDEX)).toEqual(await ask(whole, body, INDEX));
  } finally {
    await Promise.all([gateway, whole, ...leaves].map((server) => server.stop()));
  }
  await expect(pullVersion(store, caches[0]!, INDEX, second.version, { shards: [2] })).rejects.toMatchObject({
    code: 'file_missing',
    message: expect.stringContaining('a root of its own for each set of shards') as string,
  });
  store.close();
});
