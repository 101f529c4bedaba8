import { execFileSync } from 'node:child_process';
import { connect } from 'node:net';
import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it, type TestContext } from 'vitest';
import { publishVersion, temporaryFolder } from '../../indexes.js';
import { Load } from '../load.js';
import { TestServer, waitFor } from '../server.js';

async function start(test: TestContext, flags: readonly string[] = [], rows = 600): Promise<TestServer> {
  const root = temporaryFolder();
  await publishVersion(root, 'listings', { rows });
  const server = await TestServer.start(root, flags);
  test.onTestFinished(async () => {
    await server.stop();
  });
  return server;
}

/** A zombie, which nobody has waited for, is not alive. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

async function metricsOf(server: TestServer): Promise<Map<string, number>> {
  const text = await (await server.get('/metrics')).text();
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
}

describe.concurrent('a worker that is killed', { timeout: 120_000 }, () => {
  it('under load costs its requests in flight alone, and is back', async (test) => {
    const server = await start(test);
    const connections = 4;
    const load = new Load(server.port, connections);
    await waitFor('some load', () => (load.samples.length > 50 ? true : undefined));
    const [victim] = server.workers;
    process.kill(victim!, 'SIGKILL');
    const died = await server.waitForLog('worker died', 0, (line) => line['worker'] === victim);
    expect(died).toMatchObject({ signal: 'SIGKILL', restart_in_ms: 0 });
    await waitFor('the replacement', async () =>
      (await metricsOf(server)).get('shortlist_workers{state="listening"}') === 2 ? true : undefined,
    );
    const samples = await load.stop();
    const failed = samples.filter(({ status }) => status !== 200);
    expect(failed.length).toBeLessThanOrEqual(connections);
    expect(failed.every(({ status }) => status === 0)).toBe(true);
    const metrics = await metricsOf(server);
    expect(metrics.get('shortlist_worker_restarts_total')).toBe(1);
    expect(metrics.get('shortlist_workers{state="listening"}')).toBe(2);
  });

  it('does not take along connections that were on their way to it: the clients see their end', async (test) => {
    const server = await start(test);
    const [victim] = server.workers;
    process.kill(victim!, 'SIGSTOP'); // takes no connection, and the primary does not know yet
    const request = 'GET /livez HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n';
    const answers = Array.from({ length: 4 }, () => server.raw(request).catch(() => ''));
    process.kill(victim!, 'SIGKILL');
    const texts = await Promise.all(answers);
    expect(texts.filter((text) => text.includes('200 OK')).length).toBeGreaterThanOrEqual(2);
    expect(texts.every((text) => text === '' || text.includes('200 OK'))).toBe(true);
  });

  it('as the only one has clients wait for its replacement, and refuses none', async (test) => {
    const server = await start(test, ['--workers', '1']);
    process.kill(server.workers[0]!, 'SIGKILL');
    await server.waitForLog('worker died');
    const answers = await Promise.all(Array.from({ length: 8 }, (_, id) => server.search({ id, k: 2 })));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
  });

  it('while the system gives no descriptor comes back when it does, and nobody tries without a pause', async (test) => {
    const server = await start(test);
    const limit = (nofile: string) => execFileSync('prlimit', ['--pid', String(server.pid), `--nofile=${nofile}`]);
    const limits = execFileSync('prlimit', ['--pid', String(server.pid), '--nofile', '--noheadings', '--output', 'SOFT,HARD'], { encoding: 'utf8' }); // prettier-ignore
    limit('8:'); // what is open stays open
    for (const worker of server.workers) process.kill(worker, 'SIGKILL');
    await server.waitForLog('worker could not be started');
    await wait(2_000);
    const tries = server.lines.filter(({ msg }) => msg === 'worker could not be started');
    expect(JSON.stringify(tries[0])).toContain('EMFILE');
    expect(tries.length).toBeLessThan(24); // each of two a quarter of a second after the last time
    limit(limits.trim().replace(/\s+/, ':'));
    await waitFor('both workers', async () =>
      (await metricsOf(server)).get('shortlist_workers{state="listening"}') === 2 ? true : undefined,
    );
    expect((await server.search({ id: 5, k: 10 })).status).toBe(200);
  });

  it('does not take its counts along', async (test) => {
    const server = await start(test, ['--workers', '1']);
    for (let i = 0; i < 5; i++) await server.search({ id: i, k: 2 });
    expect((await metricsOf(server)).get('shortlist_candidates_returned_total{index="listings"}')).toBe(10);
    process.kill(server.workers[0]!, 'SIGKILL');
    await server.waitForLog('worker died');
    await waitFor('the replacement', async () =>
      (await server.search({ id: 1, k: 2 }).catch(() => null))?.status === 200 ? true : undefined,
    );
    expect((await metricsOf(server)).get('shortlist_candidates_returned_total{index="listings"}')).toBe(12);
  });
});

it.concurrent(
  'a process that stands by takes the place of a worker that dies, and then another stands by',
  async (test) => {
    const server = await start(test, ['--standby', '1']);
    const standing = async () => {
      const metrics = await metricsOf(server);
      return metrics.get('shortlist_workers{state="standby"}') === 1 &&
        metrics.get('shortlist_workers{state="listening"}') === 2
        ? true
        : undefined;
    };
    await waitFor('the process that stands by', standing);
    const children = () => readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8').trim().split(' ').map(Number); // prettier-ignore
    const [spare] = children().filter((pid) => !server.workers.includes(pid));
    const from = server.lines.length;
    process.kill(server.workers[0]!, 'SIGKILL');
    expect((await server.waitForLog('worker is listening', from))['worker']).toBe(spare);
    await waitFor('the next process that stands by', standing);
    expect((await metricsOf(server)).get('shortlist_worker_restarts_total')).toBe(1);
    expect((await server.search({ id: 1 })).status).toBe(200);
    // Nobody needs it to end in order: it has nothing in flight.
    expect(await server.stop()).toBe(0);
  },
);

it.concurrent(
  'a process that stands by and stands still is replaced when it has a place and does not answer',
  async (test) => {
    const server = await start(test, ['--standby', '1', '--worker-timeout-ms', '2500']);
    const listening = async () => (await metricsOf(server)).get('shortlist_workers{state="listening"}');
    await waitFor('the process that stands by', async () => ((await metricsOf(server)).get('shortlist_workers{state="standby"}') === 1 ? true : undefined)); // prettier-ignore
    const children = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .map(Number);
    process.kill(
      children.find((pid) => !server.workers.includes(pid))!,
      'SIGSTOP',
    );
    process.kill(server.workers[0]!, 'SIGKILL');
    await server.waitForLog('worker does not respond; killing it');
    await waitFor('the replacement', async () => ((await listening()) === 2 ? true : undefined));
  },
);

it.concurrent('a worker that takes a place after SIGTERM says as the others that the server is going', async (test) => {
  const server = await start(test, ['--drain-delay-ms', '20000']);
  server.process.kill('SIGTERM');
  await server.waitForLog('draining');
  const from = server.lines.length;
  process.kill(server.workers[0]!, 'SIGKILL');
  await server.waitForLog('worker is listening', from);
  for (let i = 0; i < 8; i++) {
    const answer = await fetch(`${server.url}/readyz`, { headers: { connection: 'close' } });
    expect(answer.status).toBe(503);
  }
  server.process.kill('SIGINT');
  expect(await server.waitForExit()).toBe(130);
});

it.concurrent('a worker that stands still gets no new connections, and is replaced', async (test) => {
  const server = await start(test, ['--worker-timeout-ms', '2500']);
  const [victim] = server.workers;
  process.kill(victim!, 'SIGSTOP');
  const killed = await server.waitForLog('worker does not respond; killing it');
  expect(killed).toMatchObject({ worker: victim });
  expect(await server.waitForLog('worker died', 0, (line) => line['worker'] === victim)).toMatchObject({ signal: 'SIGKILL' }); // prettier-ignore
  await waitFor('the replacement', async () =>
    (await metricsOf(server)).get('shortlist_workers{state="listening"}') === 2 ? true : undefined,
  );
});

it.concurrent(
  'a connection on which nothing was sent is idle, not slow: what it sends after a while is answered',
  async (test) => {
    const server = await start(test, ['--request-timeout-ms', '300', '--keep-alive-timeout-ms', '20000']);
    const socket = connect(server.port, '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').on('data', (part: string) => (text += part));
    await new Promise((resolve) => setTimeout(resolve, 2_000)); // several times what headers may take
    expect(text).toBe('');
    socket.write('GET /livez HTTP/1.1\r\nHost: test\r\n\r\n');
    await waitFor('the answer', () => (text.includes('200 OK') ? true : undefined));
    socket.write('GET /livez HTTP/1.1\r\nHo'); // and now it is slow
    await waitFor('the refusal', () => (text.includes('request_timeout') ? true : undefined));
    socket.destroy();
  },
);

describe.concurrent('metrics', { timeout: 120_000 }, () => {
  it('are joined over all workers, whichever answers', async (test) => {
    const server = await start(test, ['--workers', '2'], 300);
    const searches = 12;
    for (let i = 0; i < searches; i++) {
      await server.post(
        '/v1/indexes/listings/search',
        { id: i, k: 301, min_score: i === 0 ? 2 : -1 },
        { connection: 'close' },
      );
    }
    await server.search({ id: 'nobody' });
    const metrics = await metricsOf(server);
    const route = 'route="/v1/indexes/:index/search",method="POST"';
    expect(metrics.get(`shortlist_http_request_duration_seconds_count{${route},status="200"}`)).toBe(searches);
    expect(metrics.get(`shortlist_http_request_duration_seconds_count{${route},status="404"}`)).toBe(1);
    const searched = [...metrics].filter(([name]) =>
      name.startsWith('shortlist_search_duration_seconds_count{index="listings"'),
    );
    expect(searched.reduce((sum, [, count]) => sum + count, 0)).toBe(searches);
    expect(metrics.get('shortlist_short_answers_total{index="listings",reason="corpus"}')).toBe(searches - 1);
    expect(metrics.get('shortlist_short_answers_total{index="listings",reason="min_score"}')).toBe(1);
    expect(metrics.get('shortlist_candidates_returned_total{index="listings"}')).toBe((searches - 1) * 299);
    expect(metrics.get('shortlist_requests_in_flight')).toBe(0);
    expect(metrics.get('shortlist_overloaded_total')).toBe(0);
    expect(metrics.get('shortlist_loads_total{index="listings"}')).toBe(1);
    const age = metrics.get('shortlist_live_version_age_seconds{index="listings"}')!;
    expect(age).toBeGreaterThan(0);
    expect(age).toBeLessThan(600);
    const names = [...metrics.keys()].join('\n');
    expect(names).toMatch(/shortlist_live_version_info\{index="listings",version="[^"]+",engine="native"\}/);
    expect(names).toMatch(/shortlist_engine_info\{engine="native",isa="(avx512|avx2|generic)"\}/);
    expect(metrics.get('shortlist_graph_nodes_visited_total')).toBeGreaterThan(0);
    expect(metrics.get('shortlist_graph_distances_total')).toBeGreaterThan(
      metrics.get('shortlist_graph_nodes_visited_total')!,
    );
    const started = server.lines.filter(({ msg }) => msg === 'worker is starting');
    expect(started.map(({ isa }) => isa)).toEqual([
      expect.stringMatching(/^(avx512|avx2|generic)$/),
      started[0]!['isa'],
    ]);
    expect(names).toMatch(/shortlist_resident_bytes\{index="listings",version=/);
    expect(names).toMatch(/shortlist_event_loop_delay_seconds\{percentile="99"\}/);
    expect(names).toContain('shortlist_newest_version_timestamp_seconds{index="listings"}');
    expect(names).toContain('shortlist_switch_duration_seconds_count{index="listings"}');
    expect(names).toContain('process_resident_memory_bytes');
  });
});

describe.concurrent('SIGTERM', { timeout: 120_000 }, () => {
  it('lets requests in flight finish, with Connection: close, and then ends with 0', async (test) => {
    const server = await start(test, ['--workers', '1', '--drain-delay-ms', '300']);
    const body = '{"id":"1","k":1}';
    const head = `POST /v1/indexes/listings/search HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    const socket = connect(server.port, '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').on('data', (part: string) => (text += part));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(head + body.slice(0, 5));
    await waitFor('the connection to be taken', async () =>
      (await server.search({ id: 1 })).status === 200 ? true : undefined,
    );
    server.process.kill('SIGTERM');
    await server.waitForLog('draining');
    await waitFor('not ready', async () => ((await server.get('/readyz')).status === 503 ? true : undefined));
    // A connection that the primary had taken when the worker stopped listening waits until the server ends: it is not asked.
    const isOpen = () => fetch(`${server.url}/livez`, { signal: AbortSignal.timeout(500) }).then(() => true, () => false); // prettier-ignore
    await waitFor('the port to close', async () => ((await isOpen()) ? undefined : true));
    expect(text).toBe('');
    socket.write(body.slice(5));
    await closed;
    expect(text).toContain('200 OK');
    expect(text.toLowerCase()).toContain('connection: close');
    expect(text).toContain('"candidates"');
    expect(await server.waitForExit()).toBe(0);
  });

  it('ends requests that overstay the drain timeout', async (test) => {
    const server = await start(test, ['--workers', '1', '--drain-timeout-ms', '200']);
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(
      'POST /v1/indexes/listings/search HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
    );
    await waitFor('the connection to be taken', async () =>
      (await server.search({ id: 1 })).status === 200 ? true : undefined,
    );
    server.process.kill('SIGTERM');
    expect(await server.waitForExit()).toBe(0);
    expect(server.stderr).toContain('with requests in flight');
  });

  it('before the server serves ends it too', async () => {
    const root = temporaryFolder();
    await publishVersion(root, 'listings');
    const server = TestServer.launch(root);
    await server.waitForLog('starting');
    server.process.kill('SIGTERM');
    expect(await server.waitForExit(), server.stderr).toBe(0);
    expect(server.stderr).toContain('"stopped"');
  });

  it('a second time ends at once', async (test) => {
    const server = await start(test, ['--workers', '1', '--drain-delay-ms', '60000']);
    const workers = server.workers;
    server.process.kill('SIGTERM');
    await server.waitForLog('draining');
    server.process.kill('SIGINT');
    expect(await server.waitForExit()).toBe(130);
    await waitFor('the workers to end', () => (workers.some(isAlive) ? undefined : true));
  });
});

it.concurrent('a primary that is killed leaves no worker behind', async (test) => {
  const server = await start(test);
  const workers = server.workers;
  expect(workers).toHaveLength(2);
  process.kill(server.pid, 'SIGKILL');
  await server.waitForExit();
  await waitFor('the workers to end', () => (workers.some(isAlive) ? undefined : true));
  expect(await server.get('/livez').catch(() => null)).toBeNull();
});
