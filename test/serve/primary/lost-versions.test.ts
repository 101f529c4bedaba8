/** What a server does when a version that answers cannot be loaded again, and when a process cannot be started. */
import { chmodSync, constants, copyFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { prune } from '../../../src/version/state/prune.js';
import { publishVersion, temporaryFolder } from '../../indexes.js';
import { TestServer, waitFor } from '../server.js';

async function start(root: string, flags: readonly string[] = [], node?: string): Promise<TestServer> {
  const server = await TestServer.start(root, flags, {}, node);
  onTestFinished(async () => {
    server.process.kill('SIGKILL');
    await server.waitForExit();
  });
  return server;
}

async function statusOf(server: TestServer, index: string): Promise<number> {
  const response = await server.search({ id: 1, k: 1 }, index).catch(() => null);
  return response?.status ?? 0;
}

const SMALL = { rows: 100, dim: 8 };

it('a version that is gone takes its index alone down in workers that start later, until the next is published', async () => {
  const root = temporaryFolder();
  const first = await publishVersion(root, 'listings', { ...SMALL, seed: 1 });
  await publishVersion(root, 'others', { ...SMALL, seed: 2 });
  const server = await start(root, ['--workers', '1', '--memory-limit', '110MiB']);
  // What is published is refused, so the first version goes on answering, and nothing names it any more.
  for (const seed of [3, 5]) {
    const { version } = await publishVersion(root, 'listings', { seed, rows: 4_000, dim: 1024 });
    await server.waitForLog('version could not be loaded', 0, (line) => line['version'] === version && line['code'] === 'insufficient_memory'); // prettier-ignore
  }
  // Who finds first that it is gone, a look at what is served or the worker that starts, is a matter of milliseconds.
  const from = server.lines.length;
  expect((await prune(root, 'listings', { keep: 1 })).deleted).toEqual([first.version]);
  expect(await statusOf(server, 'listings')).toBe(200);
  process.kill(server.workers[0]!, 'SIGKILL');
  await server.waitForLog('version could not be loaded', from, (line) => line['code'] === 'version_not_found');
  await server.waitForLog('worker is listening', from);
  expect(await statusOf(server, 'others')).toBe(200);
  const refused = await server.search({ id: 1, k: 1 });
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ code: 'not_ready' });
  const metrics = await (await server.get('/metrics')).text();
  expect(metrics).toMatch(/shortlist_load_failures_total\{index="listings",code="version_not_found"\} [1-9]/);
  expect(metrics).toContain('shortlist_worker_restarts_total 1');
  expect(metrics).not.toContain('shortlist_live_version_info{index="listings"');
  const next = await publishVersion(root, 'listings', { ...SMALL, seed: 4 });
  await server.waitForLog('version is live', from, (line) => line['version'] === next.version);
  expect(await statusOf(server, 'listings')).toBe(200);
});

it('a worker that cannot load what the others answer from tries again and then answers as they do', async () => {
  const root = temporaryFolder();
  const { version } = await publishVersion(root, 'listings', SMALL);
  const server = await start(root, ['--workers', '2']);
  const folder = join(root, 'listings', version);
  renameSync(folder, join(root, '.away'));
  const from = server.lines.length;
  process.kill(server.workers[0]!, 'SIGKILL');
  await server.waitForLog('version could not be loaded', from);
  await server.waitForLog('worker is listening', from);
  const statuses = async () => new Set(await Promise.all(Array.from({ length: 8 }, () => ask(server))));
  expect(await statuses()).toEqual(new Set([200, 503]));
  renameSync(join(root, '.away'), folder);
  await waitFor('all workers to answer', async () => ((await statuses()).has(503) ? undefined : true));
});

/** On a connection of its own, so that workers take turns. */
async function ask(server: TestServer): Promise<number> {
  const response = await server.post('/v1/indexes/listings/search', { id: 1, k: 1 }, { connection: 'close' });
  await response.arrayBuffer();
  return response.status;
}

it('a worker that the system does not start is tried again, and the server ends when it is told to', async () => {
  const root = temporaryFolder();
  await publishVersion(root, 'listings', SMALL);
  const node = join(root, '.node');
  copyFileSync(process.execPath, node, constants.COPYFILE_FICLONE);
  chmodSync(node, 0o755);
  const server = await start(root, ['--workers', '2'], node);
  renameSync(node, `${node}-away`);
  const from = server.lines.length;
  process.kill(server.workers[0]!, 'SIGKILL');
  await server.waitForLog('worker died', from, (line) => line['signal'] === 'SIGKILL');
  await server.waitForLog('worker could not be started', from);
  expect(await statusOf(server, 'listings')).toBe(200);
  renameSync(`${node}-away`, node);
  await server.waitForLog('worker is listening', from);
  renameSync(node, `${node}-away`);
  const again = server.lines.length;
  process.kill(server.workers[1]!, 'SIGKILL');
  await server.waitForLog('worker could not be started', again);
  expect(await server.stop(), server.stderr).toBe(0);
});
