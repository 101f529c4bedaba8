/**
 * The plan of one of the deeper searches that a blend needs (blend.ts). It has a longer walk or is a scan, and skips
 * rows whose value has reached its limit. That takes a filter, so planning is work in slices.
 */
import { Bitset } from '../../base/bitset.js';
import { MAX_EF, MAX_K } from '../../base/limits.js';
import type { Work } from '../../base/work.js';
import { copyAllowed, type AllowedRows, type PassingRows } from './allowed-rows.js';
import type { SearchStep } from './blend.js';
import type { SearchPlan } from './search-plan.js';
import type { ShardSizes } from './shard-search.js';

/** Largest ef per candidate: a plan for few candidates has a higher ratio, which many candidates do not need. */
const MAX_EF_PER_CANDIDATE = 2;

export function* planDeeper(sizes: ShardSizes, plan: SearchPlan, { depth: k, without }: SearchStep): Work<SearchPlan> {
  const perCandidate = Math.min(MAX_EF_PER_CANDIDATE, plan.ef / plan.k);
  const ef = Math.min(MAX_EF, Math.max(plan.ef, Math.ceil(perCandidate * k)));
  const deeper = { ...plan, k, ef, exact: plan.exact || k > MAX_K };
  const full = without.length === 0 ? null : yield* plan.crowding!.rowsOf(without);
  return full === null ? deeper : { ...deeper, ...excludeRows(sizes, plan, full) };
}

/** New sets of the allowed rows, without the rows to skip. */
function excludeRows(sizes: ShardSizes, plan: SearchPlan, full: readonly PassingRows[]): AllowedRows {
  const passing = sizes.map((size, shard) => {
    const rows = copyAllowed(plan, shard, size) ?? Bitset.full(size);
    const { words } = full[shard]!;
    for (let i = 0; i < words.length; i++) rows.words[i]! &= ~words[i]!;
    return { words: rows.words, count: rows.count(), list: plan.passing?.[shard]!.list };
  });
  return { passing, excluded: sizes.map(() => []), selfMatches: [] };
}
