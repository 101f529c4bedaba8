/** Two servers for each shard: one of them may be killed or stopped under load, and no request fails. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { publishVersion, temporaryFolder } from '../../indexes.js';
import { Load } from '../load.js';
import { TestServer, waitFor } from '../server.js';

const root = temporaryFolder();
const SHARDS = ['0', '0', '1', '1'];
let leaves: TestServer[];
let gateway: TestServer;

beforeAll(async () => {
  await publishVersion(root, 'listings', { rows: 2_000, dim: 16, shards: 2 });
  leaves = await Promise.all(SHARDS.map((shards) => startLeaf(shards)));
  gateway = await TestServer.startGateway(leaves);
});
afterAll(async () => {
  await Promise.all([gateway, ...leaves].map((server) => server.stop()));
});

function startLeaf(shards: string, ...flags: readonly string[]): Promise<TestServer> {
  return TestServer.start(root, ['--workers', '1', '--shards', shards, ...flags]);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function signalAll(leaf: TestServer, signal: NodeJS.Signals): void {
  leaf.process.kill(signal);
  for (const worker of leaf.workers) process.kill(worker, signal);
}

async function serversReady(count: number): Promise<void> {
  const isReady = async () => {
    const metrics = await (await gateway.get('/metrics')).text();
    return metrics.includes(`shortlist_fleet_servers{state="ready"} ${count}\n`) ? true : undefined;
  };
  await waitFor(`${count} servers`, isReady);
}

/** Runs load for a while before and after what happens. */
async function under(happens: () => Promise<void>): Promise<void> {
  const load = new Load(gateway.port, 8);
  await pause(2_000);
  await happens();
  await pause(3_000);
  const samples = await load.stop();
  expect(samples.length).toBeGreaterThan(100);
  expect(samples.filter(({ status }) => status !== 200).slice(0, 3)).toEqual([]);
}

it('answers everything while a server is killed and comes back', async () => {
  await under(async () => {
    const [killed] = leaves as [TestServer];
    signalAll(killed, 'SIGKILL');
    await killed.waitForExit();
    await serversReady(3);
    leaves[0] = await startLeaf('0', '--port', String(killed.port));
    await serversReady(4);
  });
}, 120_000);

it('answers everything while a server hangs, and uses it again when it goes on', async () => {
  await under(async () => {
    signalAll(leaves[3]!, 'SIGSTOP');
    await serversReady(3);
    await pause(2_000);
    signalAll(leaves[3]!, 'SIGCONT');
    await serversReady(4);
  });
}, 120_000);

it('answers everything while all servers are restarted one after the other', async () => {
  await under(async () => {
    for (const [position, shards] of SHARDS.entries()) {
      const { port } = leaves[position]!;
      expect(await leaves[position]!.stop()).toBe(0);
      leaves[position] = await startLeaf(shards, '--port', String(port));
      await serversReady(4);
    }
  });
}, 120_000);
