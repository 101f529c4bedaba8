/** Merges the results of the shards into an answer with its quality and explanation. */
import { TopK } from '../../base/top-k.js';
import type { SearchAccount } from '../../engine/engine.js';
import type { Answer, Candidates } from './answer.js';
import type { Explain, Quality, ShardExplain } from '../../wire/answers.js';
import type { ShardPart, ShardSearch } from './needs.js';
import type { QueryPlan } from './search-plan.js';

export interface Trace {
  readonly shards: ShardExplain[];
  readonly begun: number;
  /** Position of the seed; undefined without seeds. */
  readonly source: number | undefined;
  mergeMs: number;
}

/**
 * Merges candidates: best first, whatever the order in which the shards answered.
 * @param parts by shard, each best first; null if a shard has not answered
 */
export function mergeParts(parts: readonly (Candidates | null)[], k: number): Candidates {
  const [only] = parts;
  if (parts.length === 1 && only) return truncate(only, k);
  const total = parts.reduce((sum, part) => sum + (part?.ordinals.length ?? 0), 0);
  const best = new TopK(Math.min(k, total));
  for (const part of parts) {
    for (let i = 0; part !== null && i < part.ordinals.length; i++) best.push(part.scores[i]!, part.ordinals[i]!);
  }
  const { rows, scores } = best.drain();
  return { ordinals: rows, scores };
}

function truncate({ ordinals, scores }: Candidates, k: number): Candidates {
  if (ordinals.length <= k) return { ordinals, scores };
  return { ordinals: ordinals.subarray(0, k), scores: scores.subarray(0, k) };
}

/** @param parts by shard; null if a shard has not answered @param best candidates of all parts */
export function answerOf(
  plan: QueryPlan,
  parts: readonly (Pick<ShardPart, 'path' | 'lost'> | null)[],
  { ordinals, scores }: Candidates,
  trace?: Trace,
): Answer {
  const kept = countAtLeast(scores, plan.minScore);
  const answered = parts.filter((part) => part !== null && part.lost !== true) as Pick<ShardPart, 'path'>[];
  const exact = answered.length === 0 ? plan.exact : answered.every(({ path }) => path === 'exact');
  const quality: Quality = {
    path: exact ? 'exact' : plan.filter === null ? 'graph' : 'filtered-graph',
    ef: exact ? null : plan.ef,
    selectivity: plan.filter?.selectivity ?? 1,
    shards: { total: parts.length, answered: answered.length },
    short: answered.length < parts.length ? 'timeout' : shortReason(plan, kept, scores.length),
  };
  const best =
    kept === scores.length
      ? { ordinals, scores, quality }
      : { ordinals: ordinals.subarray(0, kept), scores: scores.subarray(0, kept), quality };
  return trace === undefined ? best : { ...best, explain: explainOf(plan, trace) };
}

/** Number of scores, in descending order, that are at least `minScore`. */
export function countAtLeast(scores: Float32Array, minScore: number): number {
  let kept = scores.length;
  while (kept > 0 && scores[kept - 1]! < minScore) kept--;
  return kept;
}

function shortReason(plan: QueryPlan, kept: number, found: number): Quality['short'] {
  if (kept === plan.k) return null;
  if (kept < found) return 'min_score';
  return plan.available < plan.k ? 'corpus' : 'filter';
}

function explainOf(plan: QueryPlan, { shards, begun, mergeMs }: Trace): Explain {
  const mergeUs = Math.round(mergeMs * 1000);
  return {
    shards,
    filter: plan.filter,
    ef: plan.exact ? null : plan.ef,
    stages: {
      filter_us: plan.filter?.took_us ?? 0,
      search_us: Math.max(0, Math.round((performance.now() - begun) * 1000) - mergeUs),
      merge_us: mergeUs,
    },
  };
}

const NO_COSTS: SearchAccount['costs'] = { widened: 0, two_hop: 0, code_scan: 0, exact_scan: 0 };

/** Describes the search of one shard. @param size rows of the shard */
export function explainPart(
  { shard, k, ef, allowed, part }: ShardSearch<unknown>,
  size: number,
  { source }: Trace,
): ShardExplain {
  const { ordinals, account, path, tookUs } = part!;
  const planName = path === 'exact' ? 'exact_scan' : allowed < size ? 'widened' : 'graph';
  return {
    shard,
    ...(source !== undefined && { seed: source }),
    plan: account?.plan ?? planName,
    k,
    ef,
    visited: account?.visited ?? 0,
    computed: account?.computed ?? 0,
    near_share: account?.nearShare ?? 1,
    costs: account?.costs ?? NO_COSTS,
    rows_passed: allowed,
    returned: ordinals.length,
    took_us: tookUs,
  };
}
