/**
 * The request bench: what a request costs in addition to its search, and how long it takes, by wire form, k and filter.
 * The README of the benches describes the method.
 *
 *     npm run bench:serve -- --help
 */
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { NativePool } from '../../src/engine/native/native-pool.js';
import type { OpenIndex } from '../../src/retrieve/library/open-index.js';
import { generated } from '../engine/data-sets.js';
import { readEnvironment } from '../lib/environment.js';
import { loadLibrary, PROJECT } from '../lib/library.js';
import { INDEX } from '../engine/peers/shortlist.js';
import { say } from '../lib/say.js';
import { ServerProcess } from '../lib/server-process.js';
import { writeJson } from '../lib/write-json.js';
import { prepareAttributed, type Attributed } from '../filters/attributed.js';
import { measureBatch } from './batch.js';
import { measureDeadline } from './deadline.js';
import { expect, filterOf, type Expected } from './expected.js';
import { FORMS, type Ask } from './forms.js';
import { measureCase, type Target } from './measure.js';
import type { BatchFigures, ServeCase, ServeResult } from './result.js';

const KS = [10, 100, 1000];
const BATCH_K = 100;
const BATCH_WORKERS = 2;
const BATCH_TURNS = 20;
/** As a ranker's pool of connections: a worker always has requests waiting. */
const CONNECTIONS = 16;
/** Asked in turn: a multiple of a batch. */
const VECTORS = 512;

const USAGE = `npm run bench:serve -- [options]
  --quick      small data, short loads: does everything work?
  --reuse      serves the index that an earlier run has built
  --seconds N  length of each load (4)
  --work DIR   keeps vectors and indexes (${join(tmpdir(), 'shortlist-bench')})
  --out FILE   result (bench/results/serve.json; with --quick quick-serve.json in the work folder)
`;

interface Options {
  readonly quick: boolean;
  readonly reuse: boolean;
  readonly durationMs: number;
  readonly work: string;
  readonly out: string;
}

function readOptions(args: readonly string[]): Options | null {
  const flag = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { help: { type: 'boolean' }, quick: { type: 'boolean' }, reuse: { type: 'boolean' }, seconds: flag, work: flag, out: flag }, // prettier-ignore
  });
  if (values.help === true) return null;
  const quick = values.quick ?? false;
  const work = values.work ?? join(tmpdir(), 'shortlist-bench');
  const durationMs = 1000 * Number(values.seconds ?? (quick ? 0.2 : 4));
  if (!(durationMs > 0)) throw new Error(`--seconds takes a number above 0, not ${values.seconds}`);
  const out = values.out ?? (quick ? join(work, 'quick-serve.json') : 'bench/results/serve.json');
  return { quick, reuse: values.reuse ?? false, durationMs, work, out };
}

async function run(options: Options): Promise<void> {
  const { quick, work, reuse, durationMs } = options;
  const set = await prepareAttributed(quick ? generated(4_000, 64, VECTORS) : generated(50_000, 768), work, reuse);
  const { rows, dim } = set.data;
  const vectors = Array.from({ length: VECTORS }, (_, i) => set.queries.slice(i * dim, (i + 1) * dim));
  const filter = filterOf(set)!;
  const asks: Ask[] = [...KS.map((k) => ({ k })), { k: BATCH_K, filter }];
  const { openIndex } = await loadLibrary();
  const index = await openIndex(set.root, INDEX, { threads: 1 });
  const expected = await expectAll(index, set, vectors, asks);
  const cases = await withServer(set, 1, async (target) => {
    const found: ServeCase[] = [];
    for (const [position, ask] of asks.entries()) {
      for (const form of FORMS) {
        const plan = { form, ask, durationMs, connections: CONNECTIONS };
        const one = await measureCase(target, vectors, expected[position]!, plan);
        say(`k ${ask.k}${one.filtered ? ', filter' : ''}, ${form}: ${one.closed.cpu_us} us, ${one.above_search_us} above the search; p99 ${one.open.p99_ms} ms at ${one.open.per_second}/s${refusals(one)}`); // prettier-ignore
        found.push(one);
      }
    }
    return found;
  });
  const batch = await withServer(set, BATCH_WORKERS, (target) => {
    const plan = { k: BATCH_K, workers: BATCH_WORKERS, turns: quick ? 1 : BATCH_TURNS, turnMs: durationMs / 5 };
    return measureBatch(target, vectors, expected[asks.findIndex((ask) => ask.k === BATCH_K)]!, plan);
  });
  await index.close();
  sayBatch(batch);
  const deadline = await withServer(set, 1, (target) => measureDeadline(target, vectors, durationMs));
  say(`budget of ${deadline.budget_ms} ms, scans of ${deadline.scan_ms} ms: p99 ${deadline.p99_ms} ms, ${deadline.out_of_time} of ${deadline.requests} out of time`); // prettier-ignore
  const result: ServeResult = { rows, dim, connections: CONNECTIONS, cases, batch, deadline, environment: readEnvironment() }; // prettier-ignore
  writeJson(resolve(PROJECT, options.out), result);
  say(`written to ${options.out}`);
}

/** Before the server is there, so that nothing else runs. */
async function expectAll(
  index: OpenIndex,
  set: Attributed,
  vectors: readonly Float32Array[],
  asks: readonly Ask[],
): Promise<Expected[]> {
  const pool = new NativePool();
  try {
    const expected: Expected[] = [];
    for (const ask of asks) expected.push(await expect(index, pool, set, vectors, ask));
    return expected;
  } finally {
    await pool.close();
  }
}

async function withServer<T>({ root }: Attributed, workers: number, work: (target: Target) => Promise<T>): Promise<T> {
  const server = await ServerProcess.start(root, workers);
  const { port, pathname: path } = new URL(server.searchUrl);
  try {
    return await work({ port: Number(port), path, pids: [server.pid, ...server.workerPids] });
  } finally {
    await server.stop();
  }
}

/** Refusals mean that other programs took the processor: the figures of such a run say little. */
function refusals({ closed, open }: ServeCase): string {
  const refused = closed.refused + open.refused;
  return refused === 0 ? '' : `; ${refused} of ${closed.requests + open.requests + refused} refused`;
}

function sayBatch({ ratio, size }: BatchFigures): void {
  say(`batches of ${size} over Arrow: ${ratio} times the queries a second of single requests`);
}

const options = readOptions(process.argv.slice(2));
if (options === null) process.stdout.write(USAGE);
else await run(options);
