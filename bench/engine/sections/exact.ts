/**
 * Section `exact`: scans of all vectors by `openIndex(...).searchBatch(..., {exact: true})` and by usearch's
 * `exactSearch`, on two threads each, alternating in one process. Both must return the same rows, except for ties.
 */
import { join } from 'node:path';
import { generated, prepareData } from '../data-sets.js';
import { readFloats } from '../../lib/float-file.js';
import { loadLibrary } from '../../lib/library.js';
import { median, significant } from '../../lib/numbers.js';
import type { BenchOptions } from '../options.js';
import { buildFlat } from '../flat-index.js';
import type { DataSet } from '../peer.js';
import { INDEX } from '../peers/shortlist.js';
import { loadUsearch, usearchMetric } from '../peers/usearch.js';
import { say } from '../../lib/say.js';

const THREADS = 2;
const KS = [10, 100];
/** Two rows whose scores differ by less are equally near: float32 sums differ by their order of addition. */
const TIE = 1e-5;

export interface ExactResult extends Pick<DataSet, 'rows' | 'dim' | 'metric' | 'queries'> {
  readonly threads: number;
  readonly results: readonly {
    readonly k: number;
    readonly shortlist_seconds: readonly number[];
    readonly usearch_seconds: readonly number[];
    /** Medians over the rounds of usearch's seconds divided by shortlist's. */
    readonly ratio: number;
    /** Rows that one names and the other does not. */
    readonly differing: number;
    /** Of them, those that are no ties. */
    readonly unexplained: number;
  }[];
}

interface Answer {
  readonly rows: ArrayLike<number>;
  readonly scores: ArrayLike<number>;
}

export async function measureExact(options: BenchOptions): Promise<ExactResult> {
  const data = await prepareData(options.quick ? generated(20_000, 32, 200) : generated(200_000, 128), options.work);
  const { root, version } = await buildFlat(data, options);
  const { openIndex } = await loadLibrary();
  const index = await openIndex(root, INDEX, { version, threads: THREADS });
  try {
    const queries = readFloats(join(data.folder, 'queries.f32'));
    const base = readFloats(join(data.folder, 'base.f32'));
    const ours = async (k: number): Promise<Answer[]> => {
      const answers = await index.searchBatch(queries, { exact: true, k });
      return answers.map(({ ordinals, scores }) => ({ rows: ordinals, scores }));
    };
    const results = [];
    for (const k of KS) results.push(await compareAt(k, ours, () => scanWithUsearch(data, base, queries, k), options));
    const { rows, dim, metric } = data;
    return { rows, dim, metric, queries: data.queries, threads: THREADS, results };
  } finally {
    await index.close();
  }
}

async function compareAt(
  k: number,
  ours: (k: number) => Promise<Answer[]>,
  theirs: () => Answer[],
  { rounds }: BenchOptions,
): Promise<ExactResult['results'][number]> {
  const { differing, unexplained } = findDifferences(await ours(k), theirs()); // warms both up
  const shortlist: number[] = [];
  const usearch: number[] = [];
  for (let round = 0; round < rounds; round++) {
    shortlist.push(await secondsOf(() => ours(k)));
    usearch.push(await secondsOf(theirs));
  }
  const ratio = significant(median(usearch.map((seconds, round) => seconds / shortlist[round]!)));
  say(`exact: k ${k}: shortlist ${median(shortlist)} s, usearch ${median(usearch)} s, ${unexplained} rows differ`);
  return { k, shortlist_seconds: shortlist, usearch_seconds: usearch, ratio, differing, unexplained };
}

function scanWithUsearch(data: DataSet, base: Float32Array, queries: Float32Array, k: number): Answer[] {
  const { keys, distances } = loadUsearch().exactSearch(base, queries, data.dim, k, usearchMetric(data), THREADS);
  return Array.from({ length: data.queries }, (_, query) => ({
    rows: Array.from(keys.subarray(query * k, (query + 1) * k), Number),
    scores: Array.from(distances.subarray(query * k, (query + 1) * k), (distance) => 1 - distance),
  }));
}

/** Where a row is missing, its score is at the edge of the other's answer. */
function findDifferences(some: readonly Answer[], others: readonly Answer[]): { differing: number; unexplained: number } {
  let differing = 0;
  let unexplained = 0;
  some.forEach((one, query) => {
    const other = others[query]!;
    const known = new Set(Array.from(other.rows));
    const last = other.scores[other.scores.length - 1]!;
    const missing = Array.from(one.rows, (row, i) => ({ row, score: one.scores[i]! })).filter(({ row }) => !known.has(row));
    differing += missing.length;
    unexplained += missing.filter(({ score }) => Math.abs(score - last) > TIE).length;
  });
  return { differing, unexplained };
} // prettier-ignore

async function secondsOf(work: () => unknown): Promise<number> {
  const startedMs = performance.now();
  await work();
  return significant((performance.now() - startedMs) / 1000);
}
