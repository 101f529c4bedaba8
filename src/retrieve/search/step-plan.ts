/**
 * The plan of one of the searches that a blend needs (blend.ts). Work in slices, since what leaves out values of the
 * crowding's attribute is a filter.
 */
import { MAX_EF, MAX_K } from '../../base/limits.js';
import type { Step } from './blend.js';
import { copyAllowed, type SearchPlan } from './search-plan.js';
import { type PassingRows } from './passing-rows.js';
import { Bitset } from '../../base/bitset.js';
import { runAtOnce, type Work } from '../../base/work.js';
import type { LoadedShard } from '../load/shards.js';

/** Length of a walk for each candidate, at most: a plan for few candidates has more, which many do not need. */
const EF_FOR_EACH = 2;

/** Deeper than the plan by a longer walk, or by a scan; where values have no room left, among the other rows. */
export function planStep(shards: readonly LoadedShard[], plan: SearchPlan, step: Step): SearchPlan {
  return runAtOnce(planningStep(shards, plan, step));
}

/** As `planStep`, in slices. */
export function* planningStep(
  shards: readonly LoadedShard[],
  plan: SearchPlan,
  { depth: k, without }: Step,
): Work<SearchPlan> {
  const perCandidate = Math.min(EF_FOR_EACH, plan.ef / plan.k);
  const ef = Math.min(MAX_EF, Math.max(plan.ef, Math.ceil(perCandidate * k)));
  const deeper = { ...plan, k, ef, exact: plan.exact || k > MAX_K };
  const full = without.length === 0 ? null : yield* plan.crowding!.rowsOf(without);
  return full === null ? deeper : { ...deeper, ...leaveOut(shards, plan, full) };
}

/** Sets of their own, out of which everything is taken that must not come back. */
function leaveOut(shards: readonly LoadedShard[], plan: SearchPlan, full: readonly PassingRows[]) {
  const passing = shards.map(({ ordinals }, shard) => {
    const rows = copyAllowed(plan, shard, ordinals.length) ?? Bitset.full(ordinals.length);
    const { words } = full[shard]!;
    for (let i = 0; i < words.length; i++) rows.words[i]! &= ~words[i]!;
    return { words: rows.words, count: rows.count(), list: plan.passing?.[shard]!.list };
  });
  return { passing, excluded: shards.map(() => []), self: null };
}
