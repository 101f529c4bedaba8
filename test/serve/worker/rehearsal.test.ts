import { once } from 'node:events';
import { createServer, Socket, type Server } from 'node:net';
import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import { loadVersion, type LoadedVersion } from '../../../src/retrieve/load/loaded-version.js';
import { Admission } from '../../../src/serve/worker/admission.js';
import { Rehearsal, type RehearsalHost } from '../../../src/serve/worker/rehearsal.js';
import { connectToSelf } from '../../../src/serve/channel/sockets/sockets.js';
import { WorkerMetrics } from '../../../src/serve/worker/worker-metrics.js';
import { publishVersion, temporaryFolder } from '../../indexes.js';
import { TestServer } from '../server.js';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}';
const FAILS = 'HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops';

/** What answers each request of a rehearsal: its end, where null. */
type Answerer = (asked: number) => string | null;

class FakeStage implements RehearsalHost {
  asked = 0;
  passed = 0;
  gentle = false;
  private readonly server: Server;

  constructor(
    private readonly version: LoadedVersion,
    answer: Answerer,
  ) {
    this.server = createServer();
    this.server.on('connection', (socket) => {
      let pending = Buffer.alloc(0);
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => {
        pending = Buffer.concat([pending, bytes]);
        const end = pending.indexOf('\r\n\r\n');
        if (end === -1) return;
        const length = Number(/content-length: (\d+)/.exec(pending.toString('latin1', 0, end))![1]);
        if (pending.length < end + 4 + length) return;
        pending = Buffer.alloc(0);
        const text = answer(this.asked++);
        if (text === null) socket.destroy();
        else socket.write(text);
      });
    });
  }

  readonly connections = {
    openOwn: () => {
      const [ours, theirs] = connectToSelf();
      const server = new Socket({ fd: theirs, readable: true, writable: true });
      this.server.emit('connection', server);
      return { client: new Socket({ fd: ours, readable: true, writable: true }), server };
    },
  };

  readonly guard = { exempt: () => (this.passed += 1) };

  lease = () => ({ version: this.version, release: () => undefined });

  isGentle = () => this.gentle;
}

async function prepare(answer: Answerer, mostMs = 60_000): Promise<{ rehearsal: Rehearsal; stage: FakeStage }> {
  const root = temporaryFolder();
  const { version: name } = await publishVersion(root, 'listings', { rows: 100, dim: 8 });
  const version = await loadVersion(root, 'listings', name);
  onTestFinished(() => version.close());
  const stage = new FakeStage(version, answer);
  const rehearsal = new Rehearsal(
    { metrics: new WorkerMetrics(), log: pino({ level: 'silent' }), admission: new Admission(8, 1e6, () => undefined) },
    mostMs,
  );
  rehearsal.setHost(stage);
  return { rehearsal, stage };
}

it('a version is asked two thousand times before it answers, each request let in, and the next one less', async () => {
  const { rehearsal, stage } = await prepare(() => OK);
  await rehearsal.run('listings', 'any');
  expect(stage.asked).toBe(2_000);
  expect(stage.passed).toBe(2_000);
  await rehearsal.run('listings', 'any');
  expect(stage.asked).toBe(2_200);
});

it('nothing is asked while clients wait, and what is under way ends', async () => {
  const { rehearsal, stage } = await prepare((asked) => {
    if (asked === 20) rehearsal.hurry(true);
    return OK;
  });
  await rehearsal.run('listings', 'any');
  expect(stage.asked).toBe(21);
  await rehearsal.run('listings', 'any');
  expect(stage.asked).toBe(21);
  rehearsal.hurry(false);
  await rehearsal.run('listings', 'any');
  expect(stage.asked).toBe(2_021);
});

it('it ends when its time is over', async () => {
  const { rehearsal, stage } = await prepare(() => OK, 20);
  await rehearsal.run('listings', 'any');
  expect(stage.asked).toBeLessThan(2_000);
});

it('a version whose answers fail does not go live', async () => {
  const { rehearsal } = await prepare((asked) => (asked === 5 ? FAILS : OK));
  await expect(rehearsal.run('listings', 'any')).rejects.toMatchObject({
    code: 'internal',
    message: expect.stringContaining('oops') as string,
  });
});

it('a worker that ends closes the connection, and the rehearsal ends with it', async () => {
  const { rehearsal, stage } = await prepare((asked) => (asked < 3 ? OK : null));
  stage.gentle = true;
  await rehearsal.run('listings', 'any');
  expect(stage.asked).toBeGreaterThan(3);
});

it('a process without a descriptor left lets the version go live cold', async () => {
  const { rehearsal, stage } = await prepare(() => OK);
  stage.connections.openOwn = () => {
    throw Object.assign(new Error('socketpair: too many open files'), { code: 'EMFILE' });
  };
  await rehearsal.run('listings', 'any');
  expect(stage.asked).toBe(0);
});

it('a connection of a process to itself carries bytes both ways', async () => {
  const [ours, theirs] = connectToSelf();
  const client = new Socket({ fd: ours, readable: true, writable: true });
  const server = new Socket({ fd: theirs, readable: true, writable: true });
  client.write('there');
  expect(String((await once(server, 'data'))[0])).toBe('there');
  server.write('back');
  expect(String((await once(client, 'data'))[0])).toBe('back');
  client.destroy();
  await once(server, 'close');
});

it('beside clients it takes no place of theirs, and is in no metric', async () => {
  const root = temporaryFolder();
  await publishVersion(root, 'listings', { rows: 300 });
  const flags = ['--workers', '1', '--max-in-flight', '1', '--warm-up-ms', '1500'];
  const server = await TestServer.start(root, flags);
  onTestFinished(async () => {
    await server.stop();
  });
  const { version } = await publishVersion(root, 'listings', { rows: 300, seed: 2 });
  let [asked, isLive] = [0, false];
  for (; !isLive; asked++) {
    const answer = await server.search({ id: 1, k: 2 });
    expect(answer.status).toBe(200);
    isLive = ((await answer.json()) as { version: string }).version === version;
  }
  const metrics = await (await server.get('/metrics')).text();
  expect(metrics).toContain('shortlist_overloaded_total 0\n');
  const route = 'route="/v1/indexes/:index/search",method="POST"';
  expect(metrics).toContain(`shortlist_http_request_duration_seconds_count{${route},status="200"} ${asked}\n`);
});

it('a server that is told to go while it warms a version refuses nobody', async () => {
  const root = temporaryFolder();
  await publishVersion(root, 'listings', { rows: 300 });
  const server = await TestServer.start(root, ['--workers', '1', '--warm-up-ms', '1500', '--drain-delay-ms', '2500']);
  await publishVersion(root, 'listings', { rows: 300, seed: 2 });
  await server.waitForLog('version verified', server.lines.length);
  server.process.kill('SIGTERM');
  await server.waitForLog('draining');
  const end = Date.now() + 1_500;
  const ask = async () => {
    const statuses = new Set<number>();
    while (Date.now() < end) statuses.add((await server.search({ id: 1, k: 2 })).status);
    return statuses;
  };
  const statuses = await Promise.all(Array.from({ length: 12 }, ask));
  for (const each of statuses) expect(each).toEqual(new Set([200]));
  expect(await server.waitForExit()).toBe(0);
});
