/** All servers of a fleet move to a version together: no answer fails, and none mixes versions. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { publish, setAlias } from '../../../src/version/state/publish.js';
import { buildVersion, publishVersion, temporaryFolder } from '../../indexes.js';
import { Load } from '../load.js';
import { TestServer, waitFor } from '../server.js';

const SPEC = { rows: 600, dim: 8, shards: 2 };

it('moves to a version when every server has it, and answers from the old one until then', async () => {
  const root = temporaryFolder();
  const first = await publishVersion(root, 'listings', { ...SPEC, seed: 1 });
  const second = await buildVersion(root, 'listings', { ...SPEC, seed: 2 });
  const other = join(temporaryFolder(), 'copy'); // another machine
  cpSync(root, other, { recursive: true });
  const leaves = await Promise.all([
    TestServer.start(root, ['--workers', '1', '--shards', '0']),
    TestServer.start(other, ['--workers', '1', '--shards', '1']),
  ]);
  const gateway = await TestServer.startGateway(leaves);
  const load = new Load(gateway.port, 2);
  const current = async () => ((await (await gateway.get('/v1/indexes/listings')).json()) as { version: string }).version;
  try {
    expect(await current()).toBe(first.version);
    await publish(root, 'listings', second.version);
    await leaves[0].waitForLog('version is live', 0, (line) => line['version'] === second.version);
    await new Promise((resolve) => setTimeout(resolve, 1_500)); // three times as long as it takes to notice
    expect(await current()).toBe(first.version);

    await publish(other, 'listings', second.version);
    await waitFor('the switch', async () => ((await current()) === second.version ? true : undefined));
    await setAlias(root, 'listings', 'canary', first.version);
    await setAlias(other, 'listings', 'canary', first.version);
    const pinned = { id: 7, k: 5, version: 'canary' };
    await waitFor('the alias', async () => ((await gateway.search(pinned)).status === 200 ? true : undefined));
  } finally {
    const samples = await load.stop();
    await Promise.all([gateway, ...leaves].map((server) => server.stop()));
    expect(samples.filter(({ status }) => status !== 200)).toEqual([]);
    expect(samples.filter(({ generations }) => generations.length !== 1)).toEqual([]);
    expect(new Set(samples.map(({ version }) => version))).toEqual(new Set([first.version, second.version]));
  }
}); // prettier-ignore
