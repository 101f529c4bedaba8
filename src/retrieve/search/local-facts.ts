/**
 * Facts about items from the shards of this process: exact scores, ranks among all rows, and whether the graph reaches
 * them. Ranks take a scan of every row, so the work yields after each slice.
 */
import { Bitset } from '../../base/bitset.js';
import { ShortlistError } from '../../base/errors.js';
import { rawKernel, toScore } from '../../base/metric.js';
import { isBetter } from '../../base/top-k.js';
import { Meter, type Work } from '../../base/work.js';
import type { LoadedShard } from '../load/shards.js';
import { copyAllowed } from './allowed-rows.js';
import { mergeScore } from './blend.js';
import type { ExplainedItem } from './explained-ids.js';
import type { SeedQuery } from './search-options.js';
import type { SearchPlan } from './search-plan.js';
import type { BestScore, ItemFacts, ItemRank, ScoredItem } from './search-space.js';

/** An item's place and its best score: what rows are compared with. */
type RankedItem = BestScore & { readonly item: Pick<ExplainedItem, 'ordinal'> };

/** Numbers of rows that are ahead of an item. */
interface RowsAhead {
  all: number;
  allowed: number;
}

/** Meter units for a row, in addition to one per component and per id. */
const ROW_UNITS = 100;

export class LocalFacts implements ItemFacts<SearchPlan> {
  constructor(private readonly shards: readonly LoadedShard[]) {}

  *scores(
    plan: SearchPlan,
    queries: readonly SeedQuery[],
    items: readonly Pick<ExplainedItem, 'ordinal' | 'shard' | 'row'>[],
  ): Work<BestScore[]> {
    const scores: BestScore[] = [];
    for (const item of items) {
      scores.push(this.scoreItem(plan, queries, item));
      if (queries.length > 1) yield;
    }
    return scores;
  }

  *ranks(plan: SearchPlan, queries: readonly SeedQuery[], items: readonly ScoredItem[]): Work<ItemRank[]> {
    const ahead = yield* this.countAhead(plan, queries, items);
    const ranks: ItemRank[] = [];
    for (const [i, { item }] of items.entries()) {
      ranks.push({ rank: 1 + ahead[i]!.all, rankAllowed: 1 + ahead[i]!.allowed, reached: this.isReached(item) });
      yield; // each needs a graph walk
    }
    return ranks;
  }

  scoreNow(plan: SearchPlan, queries: readonly SeedQuery[], { shard, row }: ExplainedItem): BestScore {
    return this.bestOf(plan, queries, shard, row);
  }

  /** For each item, how many rows of these shards are ahead of it. */
  *countAhead(plan: SearchPlan, queries: readonly SeedQuery[], items: readonly RankedItem[]): Work<RowsAhead[]> {
    const ahead = items.map(() => ({ all: 0, allowed: 0 }));
    const meter = new Meter();
    for (const [shard, { ordinals, graph }] of this.shards.entries()) {
      const allow = copyAllowed(plan, shard, ordinals.length) ?? Bitset.full(ordinals.length);
      const units = ROW_UNITS + graph.vectors.dim * queries.length + items.length;
      for (let row = 0; row < ordinals.length; row++) {
        if (meter.spend(units)) yield;
        const best = this.bestOf(plan, queries, shard, row);
        const allowed = allow.has(row);
        for (const [i, other] of items.entries()) {
          if (!isAhead(best, ordinals[row]!, other, other.item.ordinal)) continue;
          ahead[i]!.all++;
          if (allowed) ahead[i]!.allowed++;
        }
      }
    }
    return ahead;
  }

  /** True if a walk towards the item's vector finds it, or finds enough equally near rows in its place. */
  isReached({ shard, row }: Pick<ExplainedItem, 'shard' | 'row'>): boolean {
    const { graph } = this.shards[shard]!;
    const { metric, dim, values } = graph.vectors;
    const query = values.slice(row * dim, (row + 1) * dim);
    const { rows, scores } = graph.search(query, { k: REACHING_K, ef: REACHING_EF });
    const own = toScore(metric, rawKernel(metric)(query, 0, query, 0, dim));
    return rows.includes(row) || (rows.length === REACHING_K && scores[REACHING_K - 1]! >= own);
  }

  private bestOf(plan: SearchPlan, queries: readonly SeedQuery[], shard: number, row: number): BestScore {
    const { metric, dim, values } = this.shards[shard]!.graph.vectors;
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

  /** @throws file_corrupt if the row's vector is not finite; a sealed version has none */
  private scoreItem(
    plan: SearchPlan,
    queries: readonly SeedQuery[],
    { ordinal, shard, row }: Pick<ExplainedItem, 'ordinal' | 'shard' | 'row'>,
  ): BestScore {
    const { dim, values } = this.shards[shard]!.graph.vectors;
    if (values.subarray(row * dim, (row + 1) * dim).every(Number.isFinite))
      return this.bestOf(plan, queries, shard, row);
    const message = `the item at ordinal ${ordinal} has a vector that is not finite; restore the version or build it again`;
    throw new ShortlistError('file_corrupt', message, { ordinal });
  }
}

/** A walk deeper than served searches need. */
const REACHING_EF = 1_000;
const REACHING_K = 64;

/** Rows that pass the lowest score are ahead of all others. */
function isAhead(best: BestScore, ordinal: number, other: BestScore, otherOrdinal: number): boolean {
  if (best.passes !== other.passes) return best.passes;
  return isBetter(best.score, ordinal, other.score, otherOrdinal);
}
