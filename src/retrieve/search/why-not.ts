/**
 * Explains why ids were not returned: exact score and rank, what removed them, and whether the graph reaches them.
 * Scans every row, so it runs in slices.
 */
import { Bitset } from '../../base/bitset.js';
import { ShortlistError } from '../../base/errors.js';
import { rawKernel, toScore } from '../../base/metric.js';
import { isBetter } from '../../base/top-k.js';
import type { Answer } from './answer.js';
import type { WhyNot } from '../../wire/answers.js';
import { mergeScore } from './blend.js';
import { Meter, type Work } from '../../base/work.js';
import { copyAllowed } from './allowed-rows.js';
import type { SearchPlan } from './search-plan.js';
import type { LoadedShard } from '../load/shards.js';
import type { ExplainedId, ExplainedItem } from './explained-ids.js';

interface WeightedQuery {
  readonly query: Float32Array;
  readonly weight: number;
  readonly quota?: number | undefined;
}

export function* addReasons(asked: Explanation): Work<Answer> {
  return withReasons(asked.answer, yield* explainIds(asked));
}

/** Explains without a scan, and therefore without ranks: for an answer whose time has run out. */
export function addPartialReasons(asked: Explanation): Answer {
  const { plan, answer } = asked;
  if (plan.explainedIds === null) return answer;
  return withReasons(
    answer,
    plan.explainedIds.map(({ id, item }): WhyNot => {
      if (item === null) return { id, found: false, reason: 'unknown_id' };
      const best = bestOf(asked, item.shard, item.row);
      const excluded = isExcluded(plan, item);
      const found = answer.ordinals.includes(item.ordinal);
      const reason = found ? null : (ownReason(item, best, excluded) ?? 'timeout');
      return { id, found, reason, score: best.score, removed_by: item.removedBy, excluded, shard: item.shard };
    }),
  );
}

function withReasons(answer: Answer, reasons: readonly WhyNot[]): Answer {
  return { ...answer, explain: { ...answer.explain!, why_not: reasons } };
}

interface Explanation {
  readonly shards: readonly LoadedShard[];
  readonly plan: SearchPlan;
  readonly queries: readonly WeightedQuery[];
  readonly answer: Answer;
}

/** An id to explain with its score, and its ranks once all rows were scanned. */
interface ScoredItem extends BestScore {
  readonly item: ExplainedItem;
  rank: number;
  rankAllowed: number;
}

function* explainIds(asked: Explanation): Work<WhyNot[]> {
  const suspects = asked.plan.explainedIds ?? [];
  const scored: (ScoredItem | null)[] = [];
  for (const { item } of suspects) {
    scored.push(item && scoreItem(asked, item));
    if (asked.queries.length > 1) yield;
  }
  yield* countBetter(
    asked,
    scored.filter((item) => item !== null),
  );
  const reasons: WhyNot[] = [];
  for (const [i, suspect] of suspects.entries()) {
    reasons.push(explainOne(asked, suspect, scored[i] ?? null));
    yield; // each needs a graph walk
  }
  return reasons;
}

/** A row's best merged score over all queries, with the query's position and the score before weighting. */
interface BestScore {
  readonly score: number;
  readonly own: number;
  readonly source: number;
  /** `own` is at least the search's lowest score. A query that passes is preferred to all that do not. */
  readonly passes: boolean;
}

function bestOf({ queries, shards, plan }: Explanation, shard: number, row: number): BestScore {
  const { metric, dim, values } = shards[shard]!.graph.vectors;
  const raw = rawKernel(metric);
  let best: BestScore = { score: -Infinity, own: -Infinity, source: 0, passes: false };
  for (const [source, { query, weight }] of queries.entries()) {
    const own = toScore(metric, raw(query, 0, values, row * dim, dim));
    const score = mergeScore(own, weight);
    const passes = own >= plan.minScore;
    if (passes === best.passes ? score > best.score : passes) best = { score, own, source, passes };
  }
  return best;
}

/** Rows that pass the lowest score are ahead of all others. */
function isAhead(best: BestScore, ordinal: number, other: BestScore, otherOrdinal: number): boolean {
  if (best.passes !== other.passes) return best.passes;
  return isBetter(best.score, ordinal, other.score, otherOrdinal);
}

/** @throws file_corrupt if the row's vector is not finite; a sealed version has none */
function scoreItem(asked: Explanation, item: ExplainedItem): ScoredItem {
  const { dim, values } = asked.shards[item.shard]!.graph.vectors;
  if (values.subarray(item.row * dim, (item.row + 1) * dim).every(Number.isFinite)) {
    return { item, ...bestOf(asked, item.shard, item.row), rank: 1, rankAllowed: 1 };
  }
  const message = `the item at ordinal ${item.ordinal} has a vector that is not finite; restore the version or build it again`;
  throw new ShortlistError('file_corrupt', message, { ordinal: item.ordinal });
}

/** Meter units for a row, in addition to one per component and per id. */
const ROW_UNITS = 100;

/** Computes ranks: adds one for each row that is ahead. */
function* countBetter(asked: Explanation, scored: readonly ScoredItem[]): Work<void> {
  if (scored.length === 0) return;
  const { shards, plan, queries } = asked;
  const meter = new Meter();
  for (const [shard, { ordinals, graph }] of shards.entries()) {
    const allow = copyAllowed(plan, shard, ordinals.length) ?? Bitset.full(ordinals.length);
    const units = ROW_UNITS + graph.vectors.dim * queries.length + scored.length;
    for (let row = 0; row < ordinals.length; row++) {
      if (meter.spend(units)) yield;
      const best = bestOf(asked, shard, row);
      const allowed = allow.has(row);
      for (const other of scored) {
        if (!isAhead(best, ordinals[row]!, other, other.item.ordinal)) continue;
        other.rank++;
        if (allowed) other.rankAllowed++;
      }
    }
  }
}

function explainOne(asked: Explanation, { id }: ExplainedId, scored: ScoredItem | null): WhyNot {
  if (scored === null) return { id, found: false, reason: 'unknown_id' };
  const { item, score, rank, rankAllowed } = scored;
  const excluded = isExcluded(asked.plan, item);
  const found = asked.answer.ordinals.includes(item.ordinal);
  return {
    id,
    found,
    reason: found ? null : reasonOf(asked, scored, excluded),
    score,
    rank,
    rank_allowed: rankAllowed,
    removed_by: item.removedBy,
    excluded,
    shard: item.shard,
    reached: isReached(asked.shards[item.shard]!, item.row),
    ...(item.value !== undefined && { crowded_by: item.value }),
  };
}

/** True if the id is excluded, or the item is the query or a seed. */
function isExcluded({ selfMatches, excluded }: SearchPlan, item: ExplainedItem): boolean {
  if (item.excluded || excluded[item.shard]!.includes(item.row)) return true;
  return selfMatches.some(({ shard, row }) => shard === item.shard && row === item.row);
}

function reasonOf(asked: Explanation, scored: ScoredItem, excluded: boolean): WhyNot['reason'] {
  const { plan, answer } = asked;
  const own = ownReason(scored.item, scored, excluded);
  if (own !== null) return own;
  if (isBehindAll(plan, answer, scored)) return 'rank';
  if (isCrowded(asked, scored)) return 'crowding';
  return answer.quality.short === 'timeout' ? 'timeout' : 'graph';
}

/** A reason that does not depend on other rows; null if there is none. */
function ownReason(item: ExplainedItem, { passes }: BestScore, excluded: boolean): WhyNot['reason'] {
  if (excluded) return 'excluded';
  if (item.removedBy !== null) return 'filter';
  return passes ? null : 'min_score';
}

/** True if the answer is full and all of it is better. */
function isBehindAll({ k }: SearchPlan, { ordinals, scores }: Answer, { score, item }: ScoredItem): boolean {
  return ordinals.length === k && isBetter(scores[k - 1]!, ordinals[k - 1]!, score, item.ordinal);
}

/** True if better candidates have used up the limit of its value, or the quota of its seed. */
function isCrowded({ plan, queries, answer }: Explanation, { score, item, source }: ScoredItem): boolean {
  const { ordinals, scores, seeds } = answer;
  let sameValue = 0;
  let sameSeed = 0;
  for (let i = 0; i < ordinals.length && isBetter(scores[i]!, ordinals[i]!, score, item.ordinal); i++) {
    if (plan.crowding !== null && item.value !== null && plan.crowding.valueOf(ordinals[i]!) === item.value)
      sameValue++;
    if (seeds?.[i] === source) sameSeed++;
  }
  return sameValue >= (plan.crowding?.limit ?? Infinity) || sameSeed >= (queries[source]!.quota ?? Infinity);
}

/** A walk deeper than served searches need. */
const REACHING_EF = 1_000;
const REACHING_K = 64;

/** True if a walk towards the item's vector finds it, or finds enough equally near rows in its place. */
function isReached({ graph }: LoadedShard, row: number): boolean {
  const { metric, dim, values } = graph.vectors;
  const query = values.slice(row * dim, (row + 1) * dim);
  const { rows, scores } = graph.search(query, { k: REACHING_K, ef: REACHING_EF });
  const own = toScore(metric, rawKernel(metric)(query, 0, query, 0, dim));
  return rows.includes(row) || (rows.length === REACHING_K && scores[REACHING_K - 1]! >= own);
}
