/**
 * The shards of a version as a search sees them, wherever they are. Shards of this process are a LocalSpace
 * (local-space.ts); serve/gateway/ has one for shards of other processes.
 *
 * A plan (search-plan.ts) says which rows may be returned. How it does so is known to the space and to the driver that
 * belongs to it, not to the search.
 */
import type { JsonValue } from '../../arrow/column-value.js';
import type { ExplainedItem } from './explained-ids.js';
import type { SearchWork } from './needs.js';
import type { SeedQuery } from './search-options.js';

export interface SearchSpace<Plan> {
  /** Rows of each shard. */
  readonly sizes: readonly number[];
  /** Number of rows of a shard that may be returned. */
  allowed(plan: Plan, shard: number): number;
  /** Also leaves out rows with these values of the crowding attribute; the same plan if no filter can express them. */
  leaveOut(plan: Plan, values: readonly JsonValue[]): SearchWork<Plan, Plan>;
  /** Facts of items, by exact scores: what why-not.ts judges by. */
  readonly facts: ItemFacts<Plan>;
}

/** A row's best merged score over all queries, with the query's position and the score before weighting. */
export interface BestScore {
  readonly score: number;
  readonly own: number;
  readonly source: number;
  /** `own` is at least the search's lowest score. A query that passes is preferred to all that do not. */
  readonly passes: boolean;
}

export interface ScoredItem extends BestScore {
  readonly item: ExplainedItem;
}

/** Exact positions of an item, from 1, among all rows and among those that may be returned. */
export interface ItemRank {
  readonly rank: number;
  readonly rankAllowed: number;
  /** A search of its shard's graph for the item itself finds it. */
  readonly reached: boolean;
}

export interface ItemFacts<Plan> {
  scores(
    plan: Plan,
    queries: readonly SeedQuery[],
    items: readonly ExplainedItem[],
  ): SearchWork<readonly BestScore[], Plan>;
  /** Scans every row. */
  ranks(plan: Plan, queries: readonly SeedQuery[], items: readonly ScoredItem[]): SearchWork<readonly ItemRank[], Plan>;
  /** One score without waiting, after time ran out; null if that is not possible. */
  scoreNow(plan: Plan, queries: readonly SeedQuery[], item: ExplainedItem): BestScore | null;
}
