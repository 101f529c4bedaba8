/**
 * The filter bench: what a filter costs in time and recall, by how many rows pass and where they lie relative to the
 * query. The README of the benches describes the method.
 *
 *     npm run bench:filters -- --help
 */
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { NativePool } from '../../src/engine/native/native-pool.js';
import { generated, text } from '../engine/data-sets.js';
import { readEnvironment } from '../lib/environment.js';
import { loadLibrary, PROJECT } from '../lib/library.js';
import { significant } from '../lib/numbers.js';
import { INDEX } from '../engine/peers/shortlist.js';
import { say } from '../lib/say.js';
import { writeJson } from '../lib/write-json.js';
import { prepareAttributed, type Attribute, type Attributed } from './attributed.js';
import { LEAST_RECALL, leastReaching, planOf, recallAt, timeTurns, type Case } from './measure.js';
import { RELATIONS, type FilterCase, type FilterResult, type Relation } from './result.js';
import { findTruth, rowsBelow } from './truth.js';

const PERCENTS = [50, 24, 20, 10, 5, 2, 1, 0.1, 0.01];
const K = 100;
const QUERIES = 200;

const USAGE = `npm run bench:filters -- [options]
  --data NAME  embeddings: 1,000,000 x 96, or text: 500,000 x 96 (embeddings)
  --quick      20,000 rows, few queries: does everything work?
  --reuse      searches the index that an earlier run has built
  --rounds N   searches of each query (5)
  --work DIR   keeps vectors and indexes (${join(tmpdir(), 'shortlist-bench')})
  --out FILE   result (bench/results/filters.json; with --quick quick-filters.json in the work folder)
`;

interface Options {
  readonly data: 'embeddings' | 'text';
  readonly quick: boolean;
  readonly reuse: boolean;
  readonly rounds: number;
  readonly work: string;
  readonly out: string;
}

function readOptions(args: readonly string[]): Options | null {
  const flag = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { help: { type: 'boolean' }, quick: { type: 'boolean' }, reuse: { type: 'boolean' }, data: flag, rounds: flag, work: flag, out: flag }, // prettier-ignore
  });
  if (values.help === true) return null;
  const quick = values.quick ?? false;
  const data = values.data ?? 'embeddings';
  if (data !== 'embeddings' && data !== 'text') throw new Error(`--data takes embeddings or text, not ${data}`);
  const work = values.work ?? join(tmpdir(), 'shortlist-bench');
  const rounds = Number(values.rounds ?? (quick ? 1 : 5));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds takes whole numbers from 1, not ${values.rounds}`);
  const out = values.out ?? (quick ? join(work, 'quick-filters.json') : `bench/results/${data === 'text' ? 'filters-text' : 'filters'}.json`);
  return { data, quick, reuse: values.reuse ?? false, rounds, work, out };
} // prettier-ignore

async function run(options: Options): Promise<void> {
  const { quick, work, reuse, rounds } = options;
  const make = options.data === 'text' ? text : generated;
  const full = options.data === 'text' ? 500_000 : 1_000_000;
  const set = await prepareAttributed(quick ? make(20_000, 96, 200) : make(full, 96), work, reuse);
  const { rows, dim } = set.data;
  const { openIndex } = await loadLibrary();
  const index = await openIndex(set.root, INDEX);
  const pool = new NativePool();
  const cases: FilterCase[] = [];
  try {
    for (const relation of RELATIONS) {
      const queries = chooseQueries(set, relation, quick ? 40 : QUERIES);
      const plain: Case = { index, k: K, queries, filter: null, truth: await findTruth(pool, set, joined(queries), null, K) }; // prettier-ignore
      for (const percent of PERCENTS) cases.push(await measure(pool, set, plain, relation, percent, rounds));
    }
    const queries = quick ? 40 : QUERIES;
    const result: FilterResult = { rows, dim, k: K, queries, least_recall: LEAST_RECALL, cases, environment: readEnvironment() }; // prettier-ignore
    writeJson(resolve(PROJECT, options.out), result);
    say(`written to ${options.out}`);
  } finally {
    await pool.close();
    await index.close();
  }
}

/** Where filters go by `side`, the queries that lie farthest along its direction, or farthest against it. */
function chooseQueries({ queries, querySides, data }: Attributed, relation: Relation, count: number): Float32Array[] {
  const order = [...querySides.keys()];
  if (relation !== 'independent') order.sort((a, b) => querySides[b]! - querySides[a]!);
  if (relation === 'against') order.reverse();
  return order.slice(0, count).map((query) => queries.slice(query * data.dim, (query + 1) * data.dim));
}

function joined(vectors: readonly Float32Array[]): Float32Array {
  const dim = vectors[0]!.length;
  const all = new Float32Array(vectors.length * dim);
  for (const [position, vector] of vectors.entries()) all.set(vector, position * dim);
  return all;
}

async function measure(
  pool: NativePool,
  set: Attributed,
  plain: Case,
  relation: Relation,
  percent: number,
  rounds: number,
): Promise<FilterCase> {
  const attribute: Attribute = relation === 'independent' ? 'lot' : 'side';
  const passing = Math.max(1, Math.round((set.data.rows * percent) / 100));
  const filter = { [attribute]: { $lt: passing } };
  const startedMs = performance.now();
  plain.index.search(plain.queries[0]!, { k: K, filter });
  const first_us = significant((performance.now() - startedMs) * 1000);
  const rowsPassing = rowsBelow(set.ranks[attribute], passing);
  const filtered: Case = { ...plain, filter, truth: await findTruth(pool, set, joined(plain.queries), rowsPassing, K) };
  const [least, unfiltered, byDefault] = [leastReaching(filtered), leastReaching(plain), recallAt(filtered, null)];
  const turns = [[filtered, least.ef], [plain, unfiltered.ef], [filtered, null]] as const; // prettier-ignore
  const [median_us, unfiltered_us, default_us] = timeTurns(turns, rounds) as [number, number, number];
  const ratio = significant(median_us / unfiltered_us);
  const plan = planOf(filtered, least.ef);
  say(`${percent} % ${relation}: ${ratio} times, ${median_us} us at recall ${least.recall} (${plan}); by default ${byDefault.recall}`); // prettier-ignore
  const by_default = { ...byDefault, median_us: default_us, plan: planOf(filtered, null) };
  return { percent, relation, passing, least, plan, median_us, unfiltered, unfiltered_us, ratio, by_default, first_us };
}

const options = readOptions(process.argv.slice(2));
if (options === null) process.stdout.write(USAGE);
else await run(options);
