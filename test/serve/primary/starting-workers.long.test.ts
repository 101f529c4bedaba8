/** A worker that stands still while it starts holds up no publish for long. */
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { publishVersion, temporaryFolder } from '../../indexes.js';
import { TestServer } from '../server.js';

it('a worker that stands still while it starts is replaced long before the time to load a version is over', async (test) => {
  const root = temporaryFolder();
  await publishVersion(root, 'listings', { seed: 1, rows: 600 });
  const server = await TestServer.start(root, ['--worker-timeout-ms', '2500', '--warm-up-ms', '20000']);
  test.onTestFinished(async () => {
    await server.stop();
  });
  const from = server.lines.length;
  process.kill(server.workers[0]!, 'SIGKILL');
  const { pid } = await server.waitForLog('worker is starting', from);
  await wait(3_000); // it answers pings, and warms up
  process.kill(pid, 'SIGSTOP');
  const next = await publishVersion(root, 'listings', { seed: 2, rows: 600 });
  expect(await server.waitForLog('worker does not respond; killing it')).toMatchObject({ worker: pid });
  await server.waitForLog('version is live', 0, (line) => line['version'] === next.version);
});
