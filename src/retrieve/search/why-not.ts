/**
 * Explains why ids were not returned, from facts about the items (search-space.ts): exact score and rank, what removed
 * them, and whether the graph reaches them.
 */
import { isBetter } from '../../base/top-k.js';
import type { Answer } from './answer.js';
import type { WhyNot } from '../../wire/answers.js';
import type { SearchWork } from './needs.js';
import type { QueryPlan } from './search-plan.js';
import type { SeedQuery } from './search-options.js';
import type { BestScore, ItemRank, ScoredItem, SearchSpace } from './search-space.js';
import type { ExplainedId, ExplainedItem } from './explained-ids.js';

interface Explanation<Plan> {
  readonly space: SearchSpace<Plan>;
  readonly plan: Plan;
  readonly queries: readonly SeedQuery[];
  readonly answer: Answer;
}

type Judged = Pick<Explanation<QueryPlan>, 'plan' | 'queries' | 'answer'>;

export function* addReasons<Plan extends QueryPlan>(asked: Explanation<Plan>): SearchWork<Answer, Plan> {
  return withReasons(asked.answer, yield* explainIds(asked));
}

/** Explains without a scan, and therefore without ranks: for an answer whose time has run out. */
export function addPartialReasons<Plan extends QueryPlan>(asked: Explanation<Plan>): Answer {
  const { space, plan, queries, answer } = asked;
  if (plan.explainedIds === null) return answer;
  return withReasons(
    answer,
    plan.explainedIds.map(({ id, item }): WhyNot => {
      if (item === null) return { id, found: false, reason: 'unknown_id' };
      const best = space.facts.scoreNow(plan, queries, item);
      const excluded = isExcluded(plan, item);
      const found = answer.ordinals.includes(item.ordinal);
      const reason = found ? null : (ownReason(item, best, excluded) ?? 'timeout');
      const score = best === null ? {} : { score: best.score };
      return { id, found, reason, ...score, removed_by: item.removedBy, excluded, shard: item.shard };
    }),
  );
}

function withReasons(answer: Answer, reasons: readonly WhyNot[]): Answer {
  return { ...answer, explain: { ...answer.explain!, why_not: reasons } };
}

function* explainIds<Plan extends QueryPlan>(asked: Explanation<Plan>): SearchWork<WhyNot[], Plan> {
  const { space, plan, queries } = asked;
  const suspects = plan.explainedIds ?? [];
  const items = suspects.flatMap(({ item }) => item ?? []);
  const scores = items.length === 0 ? [] : yield* space.facts.scores(plan, queries, items);
  const scored = items.map((item, i): ScoredItem => ({ ...scores[i]!, item }));
  const ranks = items.length === 0 ? [] : yield* space.facts.ranks(plan, queries, scored);
  let next = 0;
  return suspects.map((suspect) => {
    if (suspect.item === null) return { id: suspect.id, found: false, reason: 'unknown_id' };
    const position = next++;
    return explainOne(asked, suspect, scored[position]!, ranks[position]!);
  });
}

function explainOne(
  asked: Judged,
  { id }: ExplainedId,
  scored: ScoredItem,
  { rank, rankAllowed, reached }: ItemRank,
): WhyNot {
  const { item, score } = scored;
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
    reached,
    ...(item.value !== undefined && { crowded_by: item.value }),
  };
}

/** True if the id is excluded, or the item is the query or a seed. */
function isExcluded({ selfMatches }: QueryPlan, item: ExplainedItem): boolean {
  if (item.excluded) return true;
  return selfMatches.some(({ shard, row }) => shard === item.shard && row === item.row);
}

function reasonOf(asked: Judged, scored: ScoredItem, excluded: boolean): WhyNot['reason'] {
  const { plan, answer } = asked;
  const own = ownReason(scored.item, scored, excluded);
  if (own !== null) return own;
  if (isBehindAll(plan, answer, scored)) return 'rank';
  if (isCrowded(asked, scored)) return 'crowding';
  return answer.quality.short === 'timeout' ? 'timeout' : 'graph';
}

/** A reason that does not depend on other rows; null if there is none. */
function ownReason(item: ExplainedItem, best: BestScore | null, excluded: boolean): WhyNot['reason'] {
  if (excluded) return 'excluded';
  if (item.removedBy !== null) return 'filter';
  return best?.passes === false ? 'min_score' : null;
}

/** True if the answer is full and all of it is better. */
function isBehindAll({ k }: QueryPlan, { ordinals, scores }: Answer, { score, item }: ScoredItem): boolean {
  return ordinals.length === k && isBetter(scores[k - 1]!, ordinals[k - 1]!, score, item.ordinal);
}

/** True if better candidates have used up the limit of its value, or the quota of its seed. */
function isCrowded({ plan, queries, answer }: Judged, { score, item, source }: ScoredItem): boolean {
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
