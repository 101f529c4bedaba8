/**
 * One search over all shards of a version.
 *
 * Takes a checked query (query.ts) and what the caller asks for; gives ordinals and scores in the contract's order with an
 * account of how good the answer is. Planning needs ids, running a plan does not: a plan is plain data that any thread
 * with the shards can run.
 */
import { Bitset } from '../base/bitset.js';
import { ShortlistError } from '../base/errors.js';
import { defaultEf, MAX_EF, MAX_EXCLUDE_IDS, MAX_K } from '../base/limits.js';
import { TopK } from '../base/top-k.js';
import type { ExactSearch } from '../engine/exact/exact-search.js';
import type { ShardAnswer, ShardQuery } from '../engine/engine.js';
import { resolveDefaultEf, resolveEf, type Calibration } from './calibration.js';
import type { LoadedShard } from './shards.js';
import type { LoadedVersion } from './loaded-version.js';
import type { Answer, Quality } from './answer.js';
import type { SearchOptions } from './search-options.js';

export type * from './answer.js';
export type * from './search-options.js';

/** A search without anything that needs the id table: it can cross to another thread. */
export interface SearchPlan {
  readonly k: number;
  /** How far a walk goes; below k where the calibration found that to be enough. */
  readonly ef: number;
  readonly exact: boolean;
  readonly minScore: number;
  /** Rows that must not come back, by shard. */
  readonly excluded: readonly (readonly number[])[];
  /** The row that is its own query, where there is one and it is not excluded anyway. */
  readonly self: { readonly shard: number; readonly row: number } | null;
  /** Rows that could come back if nothing but the query itself were left out. */
  readonly available: number;
}

/**
 * The plan of all queries of a request: looking up 10,000 excluded ids takes longer than many searches.
 * @throws k_out_of_range, ef_out_of_range, bad_field for too many excluded ids, and as `chooseEf`
 */
export function planSearch(version: LoadedVersion, options: SearchOptions): SearchPlan {
  const k = checkRange('k_out_of_range', 'k', options.k, MAX_K);
  return {
    k,
    ef: chooseEf(version, k, options),
    exact: options.exact ?? false,
    minScore: Math.fround(options.minScore ?? -Infinity),
    excluded: excludedRows(version, options.excludeIds ?? []),
    self: null,
    available: version.manifest.count,
  };
}

/** The plan of one of its queries. @param self ordinal of the item that is its own query, which is left out */
export function planQuery(version: LoadedVersion, plan: SearchPlan, self: number | undefined): SearchPlan {
  if (self === undefined) return plan;
  const place = version.locate(self);
  const isExcluded = plan.excluded[place.shard]!.includes(place.row);
  return { ...plan, self: isExcluded ? null : place, available: plan.available - 1 };
}

/**
 * The ef of a request: its own, the one for its target, or the default. An ef that is asked for is raised to k.
 * @throws target_recall_out_of_range, bad_request beside ef or exact, not_calibrated, recall_unreachable
 */
function chooseEf(version: LoadedVersion, k: number, { ef, targetRecall, exact }: SearchOptions): number {
  if (targetRecall !== undefined) {
    checkTarget(targetRecall, ef !== undefined || exact === true);
    return resolveEf(requireCalibration(version), { k, targetRecall }).ef;
  }
  if (ef !== undefined) return Math.max(k, checkRange('ef_out_of_range', 'ef', ef, MAX_EF));
  const { calibration } = version.calibration();
  return calibration === null ? defaultEf(k) : resolveDefaultEf(calibration, { k });
}

function checkTarget(targetRecall: number, hasOther: boolean): void {
  if (!(targetRecall > 0 && targetRecall <= 1)) {
    const message = `target_recall is ${targetRecall}; give a number above 0, up to 1, such as 0.98`;
    throw new ShortlistError('target_recall_out_of_range', message, { field: 'target_recall' });
  }
  if (!hasOther) return;
  const message = 'target_recall chooses the ef of a graph search; give one of ef, target_recall and exact';
  throw new ShortlistError('bad_request', message, { field: 'target_recall' });
}

function requireCalibration(version: LoadedVersion): Calibration {
  const state = version.calibration();
  if (state.calibration !== null) return state.calibration;
  const { index, version: name } = version.manifest;
  const message = `${index}@${name} ${state.reason}, so no ef is known for a target_recall; run: shortlist evaluate ${index}@${name} --calibrate`;
  throw new ShortlistError('not_calibrated', message, { field: 'target_recall' });
}

function checkRange(code: 'k_out_of_range' | 'ef_out_of_range', name: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new ShortlistError(code, `${name} is ${value}; give a whole number from 1 to ${max}`, { field: name, max });
}

function excludedRows(version: LoadedVersion, ids: readonly string[]): number[][] {
  if (ids.length > MAX_EXCLUDE_IDS) {
    const message = `exclude_ids has ${ids.length} ids; at most ${MAX_EXCLUDE_IDS} are taken`;
    throw new ShortlistError('bad_field', message, { field: 'exclude_ids', max: MAX_EXCLUDE_IDS });
  }
  const rows: number[][] = version.shards.map(() => []);
  const ordinals = new Set(ids.map((id) => version.ids.find(id)));
  for (const ordinal of ordinals) {
    if (ordinal < 0) continue;
    const { shard, row } = version.locate(ordinal);
    rows[shard]!.push(row);
  }
  return rows;
}

/** Synchronous, on the calling thread. @param query checked, `dim` values */
export function search(version: LoadedVersion, query: Float32Array, options: SearchOptions, self?: number): Answer {
  return runPlan(version.shards, query, planQuery(version, planSearch(version, options), self));
}

/** Runs a plan on the calling thread. */
export function runPlan(shards: readonly LoadedShard[], query: Float32Array, plan: SearchPlan): Answer {
  const parts = shards.map((shard, position) => {
    const engine = plan.exact ? shard.exact : shard.graph;
    return withAllowed(shard, plan, rowsLeftOut(plan, position), (options) => engine.search(query, options));
  });
  return merge(shards, parts, plan);
}

/** Components that are scanned on the spot: about 0.4 ms, so that ten graph searches take longer. */
const SHORT_SCAN = 2 ** 20;

/** A search of which some shards have to be scanned still: those without a part. */
export interface UnfinishedSearch {
  readonly query: Float32Array;
  readonly plan: SearchPlan;
  /** By shard; `finishSearch` fills in what is missing. */
  readonly parts: (ShardAnswer | null)[];
}

/**
 * As `runPlan`, up to the long scans: where a graph cannot answer, or none is wanted, a whole shard is scanned, which would
 * hold up the thread.
 * @returns the answer where no scan is left; else what `finishSearch` makes the same answer of
 */
export function beginSearch(
  shards: readonly LoadedShard[],
  query: Float32Array,
  plan: SearchPlan,
): Answer | UnfinishedSearch {
  if (plan.exact) return { query, plan, parts: shards.map(() => null) };
  const parts = shards.map((shard, position) => {
    const { graph } = shard;
    return withAllowed(shard, plan, rowsLeftOut(plan, position), (options) =>
      graph.searchGraph === undefined || graph.vectors.values.length <= SHORT_SCAN
        ? graph.search(query, options)
        : graph.searchGraph(query, options),
    );
  });
  return isComplete(parts) ? merge(shards, parts, plan) : { query, plan, parts };
}

function isComplete(parts: readonly (ShardAnswer | null)[]): parts is readonly ShardAnswer[] {
  return !parts.includes(null);
}

/**
 * Makes the scans that are left on the pool's threads.
 * @param signal aborting it ends them and rejects with its reason; the shards that were scanned by then have their parts
 */
export async function finishSearch(
  shards: readonly LoadedShard[],
  pool: Pick<ExactSearch, 'search'>,
  search: UnfinishedSearch,
  signal?: AbortSignal,
): Promise<Answer> {
  const { query, plan, parts } = search;
  const scan = async (position: number) => {
    const { vectors } = shards[position]!.graph;
    const allow = [withoutRows(vectors.count, rowsLeftOut(plan, position))];
    const [found] = await pool.search([vectors], query, 1, { k: plan.k, allow, signal });
    parts[position] = { ...found![0]!, path: 'exact' };
  };
  await Promise.all(parts.flatMap((part, position) => (part === null ? [scan(position)] : [])));
  return answerSoFar(shards, search);
}

/** The best of the shards that have answered; `short` is `timeout` where some have not. */
export function answerSoFar(shards: readonly LoadedShard[], { plan, parts }: UnfinishedSearch): Answer {
  if (isComplete(parts)) return merge(shards, parts, plan);
  const answered = parts.flatMap((part, position) => (part === null ? [] : [{ part, shard: shards[position]! }]));
  const { quality, ...best } = merge(
    answered.map(({ shard }) => shard),
    answered.map(({ part }) => part),
    plan,
  );
  const coverage = { total: shards.length, answered: answered.length };
  return { ...best, quality: { ...quality, shards: coverage, short: 'timeout' } };
}

function rowsLeftOut({ excluded, self }: SearchPlan, shard: number): readonly number[] {
  const rows = excluded[shard]!;
  return self?.shard === shard ? [...rows, self.row] : rows;
}

/** Has one shard searched for all rows but these. */
function withAllowed<T>(
  shard: LoadedShard,
  { k, ef }: SearchPlan,
  excluded: readonly number[],
  search: (options: ShardQuery) => T,
): T {
  if (excluded.length === 0) return search({ k, ef });
  // One set per shard serves all searches: they are synchronous, so it is whole again before the next one looks.
  const allow = shard.everyRow;
  for (const row of excluded) allow.delete(row);
  try {
    return search({ k, ef, allow, allowCount: allow.size - excluded.length });
  } finally {
    for (const row of excluded) allow.add(row);
  }
}

/**
 * Exact searches of many queries at once, on the pool's threads.
 * @param queries count x dim checked values
 * @param selves ordinal of each query that is an item itself and must not find itself
 * @param signal aborting it ends the scan and rejects with the signal's reason
 */
export async function searchExact(
  version: LoadedVersion,
  pool: ExactSearch,
  queries: Float32Array,
  count: number,
  options: SearchOptions,
  selves: readonly (number | undefined)[] = [],
  signal?: AbortSignal,
): Promise<Answer[]> {
  return runExact(version, pool, queries, count, planSearch(version, { ...options, exact: true }), selves, signal);
}

/** As `searchExact`, for a plan that several calls share. */
export async function runExact(
  version: LoadedVersion,
  pool: Pick<ExactSearch, 'search'>,
  queries: Float32Array,
  count: number,
  plan: SearchPlan,
  selves: readonly (number | undefined)[] = [],
  signal?: AbortSignal,
): Promise<Answer[]> {
  const allow = plan.excluded.map((rows, shard) => withoutRows(version.shards[shard]!.graph.vectors.count, rows));
  // Each query may have to leave out itself: one more is asked for, and dropped.
  const k = plan.k + (selves.length > 0 ? 1 : 0);
  const vectors = version.shards.map((shard) => shard.graph.vectors);
  const found = await pool.search(vectors, queries, count, { k, allow, signal });
  return found.map((parts, position) => {
    const self = selves[position];
    const own = self === undefined ? plan : { ...plan, available: plan.available - 1 };
    const shardAnswers = parts.map((part) => ({ ...part, path: 'exact' as const }));
    return merge(version.shards, shardAnswers, own, self);
  });
}

function withoutRows(size: number, rows: readonly number[]): Bitset | undefined {
  if (rows.length === 0) return undefined;
  const allow = Bitset.full(size);
  for (const row of rows) allow.delete(row);
  return allow;
}

/** The best k of all shards, in the contract's order, whatever the order in which shards answered. */
function merge(shards: readonly LoadedShard[], parts: readonly ShardAnswer[], plan: SearchPlan, self = -1): Answer {
  const { ordinals, scores } = parts.length === 1 ? takeBest(shards[0]!, parts[0]!, plan.k, self) : mergeBest(shards, parts, plan.k, self); // prettier-ignore
  const kept = countAtLeast(scores, plan.minScore);
  const exact = parts.length === 0 ? plan.exact : parts.every((part) => part.path === 'exact');
  return {
    ordinals: ordinals.subarray(0, kept),
    scores: scores.subarray(0, kept),
    quality: {
      path: exact ? 'exact' : 'graph',
      ef: exact ? null : plan.ef,
      selectivity: 1,
      shards: { total: shards.length, answered: parts.length },
      short: shortReason(plan, kept, scores.length),
    },
  };
}

type Best = Pick<Answer, 'ordinals' | 'scores'>;

/** Of one shard: its rows are in the order that is wanted, since its ordinals ascend with them. */
function takeBest({ ordinals }: LoadedShard, part: ShardAnswer, k: number, self: number): Best {
  const own = self === -1 ? -1 : part.rows.findIndex((row) => ordinals[row] === self);
  const count = Math.min(k, part.rows.length - (own === -1 ? 0 : 1));
  const best = { ordinals: new Uint32Array(count), scores: new Float32Array(count) };
  for (let i = 0; i < count; i++) {
    const from = own !== -1 && i >= own ? i + 1 : i;
    best.ordinals[i] = ordinals[part.rows[from]!]!;
    best.scores[i] = part.scores[from]!;
  }
  return best;
}

function mergeBest(shards: readonly LoadedShard[], parts: readonly ShardAnswer[], k: number, self: number): Best {
  const best = new TopK(k);
  for (const [position, part] of parts.entries()) {
    const { ordinals } = shards[position]!;
    for (let i = 0; i < part.rows.length; i++) {
      const ordinal = ordinals[part.rows[i]!]!;
      if (ordinal !== self) best.push(part.scores[i]!, ordinal);
    }
  }
  const { rows, scores } = best.drain();
  return { ordinals: rows, scores };
}

/** How many of these descending scores reach the least one. */
function countAtLeast(scores: Float32Array, least: number): number {
  let kept = scores.length;
  while (kept > 0 && scores[kept - 1]! < least) kept--;
  return kept;
}

function shortReason(plan: SearchPlan, kept: number, found: number): Quality['short'] {
  if (kept === plan.k) return null;
  if (kept < found) return 'min_score';
  return plan.available < plan.k ? 'corpus' : 'filter';
}
