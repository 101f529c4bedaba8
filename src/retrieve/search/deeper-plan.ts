/**
 * The plan of one of the searches that a blend needs (blend.ts): deeper than the request's own by a longer walk or by a
 * scan, and where values have no room left, among the other rows. That takes a filter, so it is work in slices.
 */
import { Bitset } from '../../base/bitset.js';
import { MAX_EF, MAX_K } from '../../base/limits.js';
import type { Work } from '../../base/work.js';
import { copyAllowed, type AllowedRows, type PassingRows } from './allowed-rows.js';
import type { SearchStep } from './blend.js';
import type { SearchPlan } from './search-plan.js';
import type { ShardSizes } from './shard-search.js';

/** Length of a walk for each candidate, at most: a plan for few candidates has more, which many do not need. */
const MAX_EF_PER_CANDIDATE = 2;

export function* planDeeper(sizes: ShardSizes, plan: SearchPlan, { depth: k, without }: SearchStep): Work<SearchPlan> {
  const perCandidate = Math.min(MAX_EF_PER_CANDIDATE, plan.ef / plan.k);
  const ef = Math.min(MAX_EF, Math.max(plan.ef, Math.ceil(perCandidate * k)));
  const deeper = { ...plan, k, ef, exact: plan.exact || k > MAX_K };
  const full = without.length === 0 ? null : yield* plan.crowding!.rowsOf(without);
  return full === null ? deeper : { ...deeper, ...excludeRows(sizes, plan, full) };
}

/** Sets of their own, out of which everything is taken that must not come back. */
function excludeRows(sizes: ShardSizes, plan: SearchPlan, full: readonly PassingRows[]): AllowedRows {
  const passing = sizes.map((size, shard) => {
    const rows = copyAllowed(plan, shard, size) ?? Bitset.full(size);
    const { words } = full[shard]!;
    for (let i = 0; i < words.length; i++) rows.words[i]! &= ~words[i]!;
    return { words: rows.words, count: rows.count(), list: plan.passing?.[shard]!.list };
  });
  return { passing, excluded: sizes.map(() => []), selfMatches: [] };
}
