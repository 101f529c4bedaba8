/**
 * The process of one engine, driven by peer-process.ts.
 *
 *     node --import tsx host.ts build PEER JOB     builds, prints figures of the build, ends
 *     node --import tsx host.ts search PEER JOB    answers requests until stdin ends
 *
 * Requests are lines. Replies are lines of JSON that begin with @ (engines print other text on stdout):
 *
 *     memory                          resident memory now
 *     open                            opens the index again, and says how long that took
 *     answer K POINT FILE             writes k uint32 rows per query to FILE; or {refused} if the engine cannot promise POINT
 *     time K POINT MILLISECONDS       whole passes over the queries for at least this long, after a warm-up
 */
import { createInterface } from 'node:readline';
import { writeValues } from '../lib/float-file.js';
import { residentMemory } from './memory.js';
import { percentile } from '../lib/numbers.js';
import type { BuildJob, Peer, Point, Searcher, SearchJob } from './peer.js';
import type { PeerName } from './labels.js';
import { PEERS } from './peers.js';
import { NO_ROW } from './no-row.js';

/** Caches that the engine before has filled are filled again before the clock starts. */
const WARM_MS = 100;

function reply(value: object): void {
  process.stdout.write(`@${JSON.stringify(value)}\n`);
}

async function serve(job: SearchJob, program: Peer): Promise<void> {
  const open = await program.prepare(job);
  let searcher: Searcher | null = null;
  for await (const line of createInterface({ input: process.stdin })) {
    const [request, k, point, ...words] = line.split(' ');
    const rest = words.join(' ');
    if (request === 'memory') reply(residentMemory());
    else if (request === 'open') {
      const startedMs = performance.now();
      searcher = await open();
      reply({ openMs: performance.now() - startedMs });
    } else if (searcher === null || k === undefined || point === undefined) {
      throw new Error(`no such request, or no index is open: ${line}`);
    } else if (request === 'answer') {
      reply(answerInto(rest, searcher, job.data.queries, Number(k), JSON.parse(point) as Point, program));
    } else reply(timeSearches(searcher, job.data.queries, Number(k), JSON.parse(point) as Point, Number(rest)));
  }
}

type Answered = Record<string, never> | { readonly refused: true };

function answerInto(
  path: string,
  searcher: Searcher,
  queries: number,
  k: number,
  point: Point,
  program: Peer,
): Answered {
  try {
    writeValues(path, answerAll(searcher, queries, k, point));
    return {};
  } catch (error) {
    if (program.isRefusal?.(error) === true) return { refused: true };
    throw error;
  }
}

function answerAll(searcher: Searcher, queries: number, k: number, point: Point): Uint32Array {
  const found = new Uint32Array(queries * k).fill(NO_ROW);
  for (let query = 0; query < queries; query++) {
    searcher.search(query, k, point);
    found.set(Array.from(searcher.rows()).slice(0, k), query * k);
  }
  return found;
}

function timeSearches(searcher: Searcher, queries: number, k: number, point: Point, leastMs: number): object {
  const warmUntil = performance.now() + Math.min(WARM_MS, leastMs);
  for (let query = 0; performance.now() < warmUntil; query = (query + 1) % queries) searcher.search(query, k, point);
  const times: number[] = [];
  const startedMs = performance.now();
  do {
    for (let query = 0; query < queries; query++) {
      const askedMs = performance.now();
      searcher.search(query, k, point);
      times.push(performance.now() - askedMs);
    }
  } while (performance.now() - startedMs < leastMs);
  const seconds = (performance.now() - startedMs) / 1000;
  return { qps: times.length / seconds, p50Us: 1000 * percentile(times, 0.5), p99Us: 1000 * percentile(times, 0.99) };
}

const [mode, name, job] = process.argv.slice(2) as ['build' | 'search', PeerName, string];
const { program } = PEERS[name];
if (program === undefined) throw new Error(`${name} has a program of its own`);
if (mode === 'build') reply(await program.build(JSON.parse(job) as BuildJob));
else await serve(JSON.parse(job) as SearchJob, program);
process.exit(0); // some engines leave threads that keep the process alive
