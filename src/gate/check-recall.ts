/**
 * The recall of a version at default settings, as users get it: at each k, for the queries with one value of an
 * attribute, and under filters. The queries are rows of the version with distinct vectors, each left out of its own
 * answer; the truth is an exact search.
 */
import { ShortlistError } from '../base/errors.js';
import type { EventLoopYielder } from '../base/event-loop-yielder.js';
import type { ExactSearch } from '../engine/exact-search.js';
import type { OnStageProgress } from '../evaluate/evaluate.js';
import { queryAt, sampleQueries, sampleVectors, selfOrdinalAt, type QuerySet } from '../evaluate/queries.js';
import { recallOf, summarizeRecall, type Recall } from '../evaluate/recall.js';
import { findTruth, type Truth, type TruthCache } from '../evaluate/truth.js';
import type { LoadedVersion } from '../retrieve/load/loaded-version.js';
import { search } from '../retrieve/search/run-search.js';
import { groupKeys } from './kept-rows.js';
import type { Report } from './report.js';

/** At a mean recall near 0.95 the standard error of 500 queries is below 0.003. */
const QUERIES = 500;
const SEED = 42;
/** Fewer queries with a value say nothing. */
const MIN_GROUP = 20;
/** The k of checks that measure only one. */
export const GATE_K = 100;
/** Queries whose distances are counted. */
const COUNTED = 100;

interface RecallOptions {
  readonly pool: ExactSearch;
  readonly cache: TruthCache | undefined;
  /** Attributes whose values are checked one by one. */
  readonly groups: readonly string[];
  readonly turns: EventLoopYielder;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: OnStageProgress | undefined;
}

export async function checkRecall(version: LoadedVersion, report: Report, options: RecallOptions): Promise<void> {
  const { ks, filters } = report.limits;
  const queries = await sampleVectors(version, QUERIES, SEED, options.turns);
  // A k above the number of rows asks for all of them, as the next smaller one does.
  const useful = ks.filter((_, position) => position === 0 || ks[position - 1]! < version.manifest.count);
  const truth = await truthOf(version, queries, Math.max(...useful), undefined, options);
  let atGateK: readonly Recall[] = [];
  for (const each of useful) {
    const recalls = await measure(version, queries, truth, { k: each }, options);
    report.add('recall', { value: summarizeRecall(recalls).byDistance }, `@${each}`);
    if (atGateK.length === 0 || each <= GATE_K) atGateK = recalls;
  }
  checkByValue(version, queries, atGateK, report, options.groups);
  for (const filter of filters) await checkFiltered(version, queries, filter, report, options);
}

async function truthOf(
  version: LoadedVersion,
  queries: QuerySet,
  k: number,
  filter: unknown,
  { pool, cache, signal, onProgress }: RecallOptions,
): Promise<Truth> {
  const progress = (done: number, total: number) => onProgress?.('recall', done, total, 'queries');
  return findTruth(version, queries, { k, filter, pool, cache, signal, onProgress: progress });
}

async function measure(
  version: LoadedVersion,
  queries: QuerySet,
  { neighbors }: Truth,
  options: { readonly k: number; readonly filter?: unknown },
  { turns }: RecallOptions,
): Promise<Recall[]> {
  const recalls: Recall[] = [];
  for (let position = 0; position < queries.count; position++) {
    const query = queryAt(queries, position, version.manifest.dim);
    const { ordinals } = search(version, query, options, selfOrdinalAt(queries, position));
    recalls.push(recallOf(version, query, ordinals, neighbors[position]!, options.k));
    await turns.yieldIfDue();
  }
  return recalls;
}

function checkByValue(
  version: LoadedVersion,
  { selfOrdinals }: QuerySet,
  recalls: readonly Recall[],
  report: Report,
  groups: readonly string[],
): void {
  const byValue = new Map<string, Recall[]>();
  for (const name of groups) {
    const column = version.attributes!.column(name);
    for (const [position, recall] of recalls.entries()) {
      for (const key of groupKeys(name, column, selfOrdinals![position]!))
        byValue.set(key, [...(byValue.get(key) ?? []), recall]);
    }
  }
  const means = [...byValue]
    .filter(([, group]) => group.length >= MIN_GROUP)
    .map(([name, group]) => ({ name, recall: summarizeRecall(group).byDistance, queries: group.length }));
  const worst = means.sort((a, b) => a.recall - b.recall)[0];
  if (worst === undefined) return;
  report.add('recall_by_value', { value: worst.recall, detail: `${worst.name}, ${worst.queries} queries` });
}

/** A filter that the version cannot answer, as when its attribute is gone, has no recall. */
async function checkFiltered(
  version: LoadedVersion,
  queries: QuerySet,
  filter: unknown,
  report: Report,
  options: RecallOptions,
): Promise<void> {
  const suffix = `@${GATE_K} ${JSON.stringify(filter)}`;
  try {
    const truth = await truthOf(version, queries, GATE_K, filter, options);
    if (truth.neighbors.every(({ length }) => length === 0)) {
      report.add('recall_filtered', { value: 0, detail: 'no row passes the filter' }, suffix);
      return;
    }
    const recalls = await measure(version, queries, truth, { k: GATE_K, filter }, options);
    report.add('recall_filtered', { value: summarizeRecall(recalls).byDistance }, suffix);
  } catch (error) {
    if (!(error instanceof ShortlistError) || error.code !== 'bad_filter') throw error;
    report.add('recall_filtered', { value: 0, detail: error.message }, suffix);
  }
}

/** The mean number of distances of a search at default settings; null if the engine does not count them. */
export async function countDistances(version: LoadedVersion, turns: EventLoopYielder): Promise<number | null> {
  const queries = sampleQueries(version, COUNTED, SEED);
  let total = 0;
  for (let position = 0; position < queries.count; position++) {
    const query = queryAt(queries, position, version.manifest.dim);
    const answer = search(version, query, { k: GATE_K, explain: true }, selfOrdinalAt(queries, position));
    total += answer.explain!.shards.reduce((sum, { computed }) => sum + computed, 0);
    await turns.yieldIfDue();
  }
  return total === 0 ? null : total / queries.count;
}
