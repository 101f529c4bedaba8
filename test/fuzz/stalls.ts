/**
 * npm run test:stalls -- [ROWS] [TIMEOUT_MS] [PASSES] [FOLDER]: the filters that cost most, sent to a server of one worker over
 * an index of ROWS rows (1,000,000), each with a time limit (50 ms), while a small search is sent again and again.
 *
 * Says for each filter how it ended, how long after its time limit, how long the worker's event loop was held up at most (in
 * time of its thread on a processor, and by the clock), and how long a small search waited. The index is kept in FOLDER, where
 * one is given. Exits 1 where a filter ended otherwise than it may, or held the event loop up for longer than 10 ms of its
 * thread's time. What the clock says is for a quiet machine.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { TestServer } from '../serve/server.js';
import { extremeFilters } from './extreme-filters.js';
import { DIM, INDEX, publishRows } from './extreme-rows.js';

/** What holds the event loop up for longer is seen by others. */
const MAX_STALL_MS = 10;

/** How a search with a filter within its bounds may end. */
const EXPECTED = ['200', 'deadline_exceeded', 'filter_too_costly', 'bad_filter'];

const [rows = '1000000', timeout = '50', passes = '1', folder = ''] = process.argv.slice(2);
const timeoutMs = Number(timeout);

interface Stall {
  readonly cpuMs: number;
  readonly clockMs: number;
}

interface Outcome {
  readonly name: string;
  readonly end: string;
  readonly tookMs: number;
  readonly stall: Stall;
  readonly smallMs: number;
}

const path = `/v1/indexes/${INDEX}/search`;
const vector = Array.from({ length: DIM }, (_, i) => i - 3);

async function search(server: TestServer, body: string): Promise<{ end: string; tookMs: number }> {
  const begun = performance.now();
  const response = await server.post(path, body, { 'content-type': 'application/json' });
  const answer = (await response.json()) as { code?: string };
  return { end: answer.code ?? String(response.status), tookMs: performance.now() - begun };
}

async function readStall(server: TestServer, probe: string): Promise<Stall> {
  const [pid] = server.workers;
  const file = join(probe, `${pid}.json`);
  rmSync(file, { force: true });
  process.kill(pid!, 'SIGUSR2');
  while (!existsSync(file)) await wait(1);
  return JSON.parse(readFileSync(file, 'utf8')) as Stall;
}

/** Sends small searches one after the other until `work` is done. @returns the longest that one took */
async function besideSmallSearches(server: TestServer, work: Promise<unknown>): Promise<number> {
  const state = { isDone: false };
  let worst = 0;
  const end = work.finally(() => (state.isDone = true));
  const body = JSON.stringify({ vector, k: 10, ef: 20 });
  while (!state.isDone) {
    worst = Math.max(worst, (await search(server, body)).tookMs);
    await wait(2);
  }
  await end;
  return worst;
}

/** Hashing and loading so much takes a while. */
async function listens(server: TestServer): Promise<void> {
  const find = () => server.lines.find(({ msg }) => msg === 'listening');
  while (find() === undefined) {
    if (server.process.exitCode !== null) throw new Error(server.stderr);
    await wait(100);
  }
  server.base.port = find()!['port'] as number;
  server.base.url = `http://127.0.0.1:${server.base.port}`;
}

async function tryFilter(server: TestServer, probe: string, name: string, filter: object): Promise<Outcome> {
  const body = JSON.stringify({ vector, k: 10, ef: 50, timeout_ms: timeoutMs, filter });
  await readStall(server, probe);
  const asked = search(server, body);
  const smallMs = await besideSmallSearches(server, asked);
  return { name, ...(await asked), smallMs, stall: await readStall(server, probe) };
}

async function run(root: string, probe: string): Promise<Outcome[]> {
  if (!existsSync(join(root, INDEX))) await publishRows(root, Number(rows));
  const preload = new URL('stall-probe.mjs', import.meta.url).href;
  const env = { NODE_OPTIONS: `--import=${preload}`, STALL_PROBE: probe, SHORTLIST_WARM_UP_MS: '2000' };
  const server = TestServer.launch(root, ['--workers', '1'], env);
  await listens(server);
  const outcomes: Outcome[] = [];
  for (let pass = 0; pass < Number(passes); pass++) {
    for (const [name, filter] of extremeFilters()) outcomes.push(await tryFilter(server, probe, name, filter));
  }
  await server.stop();
  return outcomes;
}

function show({ name, end, tookMs, smallMs, stall }: Outcome): string {
  const numbers = [tookMs, tookMs - timeoutMs, stall.cpuMs, stall.clockMs, smallMs].map((ms) =>
    ms.toFixed(1).padStart(8),
  );
  return `${name.padEnd(40)} ${end.padEnd(18)} ${numbers.join('')}`;
}

const work = mkdtempSync(join(tmpdir(), 'shortlist-stalls-'));
try {
  const outcomes = await run(folder === '' ? join(work, 'root') : folder, work);
  console.log(`${'filter'.padEnd(40)} ${'ended'.padEnd(18)}    took    late   stall   clock   small`);
  for (const outcome of outcomes.sort((a, b) => b.stall.cpuMs - a.stall.cpuMs)) console.log(show(outcome));
  const failed = outcomes.filter(({ end, stall }) => !EXPECTED.includes(end) || stall.cpuMs > MAX_STALL_MS);
  const late = Math.max(...outcomes.map(({ tookMs }) => tookMs - timeoutMs));
  console.log(`${outcomes.length} filters, ${failed.length} not as they should; at most ${late.toFixed(1)} ms late`);
  process.exitCode = failed.length === 0 ? 0 : 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
