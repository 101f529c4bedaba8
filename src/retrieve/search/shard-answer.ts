/** From what the shards found to an answer with its account. */
import type { SearchAccount } from '../../engine/engine.js';
import type { Answer, Explain, Quality, ShardExplain } from './answer.js';
import type { Best, ShardPart } from './merge.js';
import type { SearchPlan } from './search-plan.js';
import type { LoadedShard } from '../load/shards.js';

/** What is noted while a search runs that is to be explained. */
export interface Trace {
  readonly shards: ShardExplain[];
  readonly begun: number;
  merge_us: number;
}

interface Found {
  readonly plan: SearchPlan;
  readonly parts: readonly (Pick<ShardPart, 'path'> | null)[];
  readonly trace?: Trace | undefined;
}

export function answerOf({ plan, parts, trace }: Found, { ordinals, scores }: Best): Answer {
  const kept = countAtLeast(scores, plan.minScore);
  const answered = parts.filter((part) => part !== null);
  const exact = answered.length === 0 ? plan.exact : answered.every(({ path }) => path === 'exact');
  const quality: Quality = {
    path: exact ? 'exact' : plan.filter === null ? 'graph' : 'filtered-graph',
    ef: exact ? null : plan.ef,
    selectivity: plan.filter?.selectivity ?? 1,
    shards: { total: parts.length, answered: answered.length },
    short: shortReason(plan, kept, scores.length),
  };
  const best =
    kept === scores.length
      ? { ordinals, scores, quality }
      : { ordinals: ordinals.subarray(0, kept), scores: scores.subarray(0, kept), quality };
  return trace === undefined ? best : { ...best, explain: explainOf(plan, trace) };
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

function explainOf(plan: SearchPlan, { shards, begun, merge_us }: Trace): Explain {
  return {
    shards,
    filter: plan.filter,
    ef: plan.exact ? null : plan.ef,
    stages: {
      filter_us: plan.filter?.took_us ?? 0,
      search_us: Math.max(0, microsecondsSince(begun) - Math.round(merge_us)),
      merge_us: Math.round(merge_us),
    },
  };
}

interface ShardSearch {
  readonly shard: number;
  readonly k: number;
  readonly ef: number;
  readonly allowed: number;
  readonly found: Pick<ShardPart, 'rows' | 'path'>;
  readonly begun: number;
}

/** What an engine's search of a shard did; asked right after it, unless the search came with its account. */
export function explainSearch(
  { graph }: LoadedShard,
  plan: SearchPlan,
  search: ShardSearch,
  own?: SearchAccount,
): ShardExplain {
  const account = plan.exact ? undefined : (own ?? graph.account?.());
  const way = search.found.path === 'exact' ? 'exact_scan' : search.allowed < graph.vectors.count ? 'widened' : 'graph';
  return { ...baseAccount(search), ...(account === undefined ? { plan: way } : named(account)) };
}

/** A scan that was made elsewhere. */
export function explainScan(search: ShardSearch): ShardExplain {
  return baseAccount(search);
}

const NO_COSTS: SearchAccount['costs'] = { widened: 0, two_hop: 0, code_scan: 0, exact_scan: 0 };

function baseAccount({ shard, k, ef, allowed, found, begun }: ShardSearch): ShardExplain {
  return {
    shard,
    plan: 'exact_scan',
    k,
    ef,
    visited: 0,
    computed: 0,
    near_share: 1,
    costs: NO_COSTS,
    rows_passed: allowed,
    returned: found.rows.length,
    took_us: microsecondsSince(begun),
  };
}

function named({ plan, visited, computed, nearShare, costs }: SearchAccount) {
  return { plan, visited, computed, near_share: nearShare, costs };
}

function microsecondsSince(begun: number): number {
  return Math.round((performance.now() - begun) * 1000);
}
