import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publishVersion, temporaryFolder } from '../../indexes.js';
import { TestServer, waitFor } from '../server.js';

const PLACES = 4;

describe('a worker with all its places taken', () => {
  let server: TestServer;
  beforeAll(async () => {
    const root = temporaryFolder();
    await publishVersion(root, 'listings', { rows: 10_000, dim: 64 });
    server = await TestServer.start(root, [
      '--workers',
      '1',
      '--max-in-flight',
      String(PLACES),
      '--max-buffered',
      '16MiB',
      '--request-timeout-ms',
      '8000',
    ]);
  });
  afterAll(async () => expect(await server.stop()).toBe(0));

  /** About half a second of work. */
  const slow = { ids: Array.from({ length: 150 }, (_, id) => id), k: 200, ef: 10_000 };

  it('refuses the next ones at once with Retry-After, answers probes, and finishes what it took', async () => {
    const order: string[] = [];
    const taken = Array.from({ length: PLACES }, async () => {
      const response = await server.search(slow);
      await response.arrayBuffer();
      order.push('taken');
      return response.status;
    });
    // Its places are full once it refuses; until then a request is answered among the others.
    while ((await server.search({ id: 1, k: 1 })).status === 200)
      await new Promise((resolve) => setTimeout(resolve, 5));
    const refused = await Promise.all(Array.from({ length: 40 }, () => server.search({ id: 1, k: 1 })));
    order.push('refused');
    for (const response of refused) {
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('1');
      expect(await response.json()).toMatchObject({ code: 'overloaded' });
    }
    expect((await server.get('/livez')).status).toBe(200);
    expect((await server.get('/readyz')).status).toBe(200);
    const metrics = await (await server.get('/metrics')).text();
    expect(metrics).toContain(`shortlist_requests_in_flight ${PLACES}`);
    expect(Number(/shortlist_overloaded_total (\d+)/.exec(metrics)![1])).toBeGreaterThanOrEqual(40);
    expect(order).toEqual(['refused']);
    expect(new Set(await Promise.all(taken))).toEqual(new Set([200]));
    expect((await server.search({ id: 1, k: 1 })).status).toBe(200);
    expect(await (await server.get('/metrics')).text()).toContain('shortlist_requests_in_flight 0');
  });

  it('lets a single search in between the queries of a batch', async () => {
    const batch = server.search(slow).then(async (response) => {
      await response.arrayBuffer();
      return 'batch';
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const single = server.search({ id: 1, k: 1 }).then(() => 'single');
    expect(await Promise.race([batch, single])).toBe('single');
    expect(await batch).toBe('batch');
  });

  it('holds no more bytes of bodies than it may', async () => {
    const response = await server.search(`${' '.repeat(17 * 2 ** 20)}{"id":1}`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ code: 'overloaded' });
    expect(await (await server.get('/metrics')).text()).toContain('shortlist_buffered_bytes 0');
  });

  it('gives up what nobody waits for', async () => {
    const controller = new AbortController();
    const init = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(slow),
      signal: controller.signal,
    };
    const from = server.lines.length;
    const call = fetch(`${server.url}/v1/indexes/listings/search`, init).catch(() => 'aborted');
    await waitFor('the request to be taken', async () =>
      (await (await server.get('/metrics')).text()).includes('shortlist_requests_in_flight 1') ? true : undefined,
    );
    controller.abort();
    expect(await call).toBe('aborted');
    expect(await server.waitForLog('request aborted', from)).toMatchObject({ status: 499 });
    expect(await (await server.get('/metrics')).text()).toContain('shortlist_requests_in_flight 0');
  });
});

/** What a process or thread has computed, by its path below /proc. */
function cpuSeconds(path: string | number): number {
  const fields = readFileSync(`/proc/${path}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

it('an exact search that is out of time, or whose client has left, stops scanning', async () => {
  const root = temporaryFolder();
  await publishVersion(root, 'listings', { rows: 4_000, dim: 512 });
  const server = await TestServer.start(root, ['--workers', '1', '--request-timeout-ms', '300']);
  const [worker] = server.workers;
  const scan = { ids: Array.from({ length: 1024 }, (_, id) => id), k: 1_000, exact: true };
  const before = cpuSeconds(worker!);
  for (let i = 0; i < 4; i++) expect((await server.search(scan)).status).toBe(504);
  for (let i = 0; i < 4; i++) {
    const call = fetch(`${server.url}/v1/indexes/listings/search`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(scan),
      signal: AbortSignal.timeout(100),
    });
    await call.catch(() => undefined); // on a busy machine its answer is there first
  }
  await waitFor('all work to end', async () => {
    const page = await (await server.get('/metrics')).text();
    return page.includes('shortlist_requests_in_flight 0') ? true : undefined;
  });
  // Scanned to the end, the eight take 16 s on one thread; up to their time limits, less than 2.
  expect(cpuSeconds(worker!) - before).toBeLessThan(6);
  expect(await server.stop()).toBe(0);
});

it('queries that take scans of all vectors, unasked, have them made on other threads, in their places in the batch', async () => {
  const root = temporaryFolder();
  // The native engine walks for far queries too.
  await publishVersion(root, 'listings', { rows: 34_000, dim: 64, metric: 'l2', engine: 'hnswlib' });
  const server = await TestServer.start(root, ['--workers', '1']);
  const [worker] = server.workers;
  const near = Array.from({ length: 64 }, (_, i) => Math.sin(i));
  const far = near.map((value) => value * 1e6);
  const [main, all] = [cpuSeconds(`${worker!}/task/${worker!}`), cpuSeconds(worker!)];
  const vectors = Array.from({ length: 400 }, (_, position) => (position === 1 ? near : far));
  const { results } = (await (await server.search({ vectors, k: 1 })).json()) as {
    results: { quality: { path: string } }[];
  };
  expect(results.slice(0, 3).map(({ quality }) => quality.path)).toEqual(['exact', 'graph', 'exact']);
  const share = (cpuSeconds(`${worker!}/task/${worker!}`) - main) / (cpuSeconds(worker!) - all);
  expect(share).toBeLessThan(0.7);
  expect(await server.stop()).toBe(0);
});

it('holds no more bytes of answers than it may, whoever asks for how much, and finishes what it has begun', async () => {
  const root = temporaryFolder();
  await publishVersion(root, 'listings', { generation: 'x'.repeat(20_000) });
  const server = await TestServer.start(root, [
    '--workers',
    '1',
    '--max-buffered',
    '32MiB',
    '--request-timeout-ms',
    '60000',
  ]);
  // Each answer takes 8 MB: all of them together 480 MB, more than is taken and more than the worker may grow by.
  const body = { ids: Array.from({ length: 8 }, (_, id) => id), k: 50, include: { attributes: ['generation'] } };
  const texts = new Set<string>();
  const statuses = await Promise.all(
    Array.from({ length: 60 }, async () => {
      const response = await server.search(body);
      const text = (await response.text()).replace(/"took_ms":[\d.]+/, '');
      if (response.status === 200) texts.add(text);
      return response.status === 200 && text.length < 8e6 ? 0 : response.status;
    }),
  );
  expect(texts.size).toBe(1); // no answer's memory was given back before it was sent
  const count = (status: number) => statuses.filter((one) => one === status).length;
  expect(count(200)).toBeGreaterThan(0);
  expect(count(200) + count(503)).toBe(60);
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.workers[0]!}/status`, 'utf8'))![1];
  expect(Number(peak)).toBeLessThan(400_000);
  expect(await (await server.get('/metrics')).text()).toContain('shortlist_buffered_bytes 0');
  expect(await server.stop()).toBe(0);
});

it('a search that takes longer than its time limit ends as deadline_exceeded, scans too', async () => {
  const root = temporaryFolder();
  await publishVersion(root, 'listings', { rows: 600 });
  const server = await TestServer.start(root, ['--workers', '1', '--request-timeout-ms', '50']);
  const ids = Array.from({ length: 1024 }, (_, id) => id % 600);
  for (const exact of [false, true]) {
    const response = await server.search({ ids, k: 1_000, exact });
    expect(response.status).toBe(504);
    expect(await response.json()).toMatchObject({ code: 'deadline_exceeded' });
  }
  expect(await server.stop()).toBe(0);
});
