/** Fifty builds killed at random moments beside a server that answers all the while. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { verifyVersion } from '../../src/retrieve/load/verify.js';
import { readCurrent } from '../../src/version/state/catalog.js';
import { randomMoments, runAndKill, timeOf } from '../cli/kill.js';
import { shortlistJson } from '../cli/process.js';
import { makeVectors, publishVersion, temporaryFolder, writeCatalog } from '../indexes.js';
import { Load } from '../serve/load.js';
import { TestServer } from '../serve/server.js';

const KILLS = 50;
const SEED = 2026;

it('the server never notices, the published version verifies, and the next build leaves no staging', async () => {
  const root = temporaryFolder();
  const input = join(root, '.listings.arrow');
  writeCatalog(input, { vectors: makeVectors(5000, 16, 1), dim: 16 });
  const { version } = await publishVersion(root, 'listings', { rows: 500, dim: 16 });
  const build = ['build', 'listings', '--input', input, '--shards', '2', '--root', root];
  const server = await TestServer.start(root);
  const load = new Load(server.port, 2);
  try {
    // A build that ends before its moment was not killed: another one is.
    const moments = randomMoments(4 * KILLS, await timeOf(build), SEED);
    let killed = 0;
    for (const moment of moments) {
      if (killed < KILLS && (await runAndKill(build, moment)) === null) killed++;
    }
    expect(killed).toBe(KILLS);
  } finally {
    const samples = await load.stop();
    await server.stop();
    console.log(`${samples.length} requests`);
    expect(samples.filter((sample) => sample.status !== 200 || sample.version !== version)).toEqual([]);
    expect(samples.length).toBeGreaterThan(KILLS);
  }
  expect((await readCurrent(root, 'listings'))?.version).toBe(version);
  expect(await verifyVersion(root, 'listings', version)).toEqual([]);
  expect((await shortlistJson(build)).code).toBe(0);
  expect(existsSync(join(root, 'listings', '.staging'))).toBe(false);
});
