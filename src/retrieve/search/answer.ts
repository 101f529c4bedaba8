/**
 * What a search gives: candidates and an account of how good they are. Field names of quality and explanations are
 * the contract's.
 */
import type { JsonValue } from '../../arrow/column-value.js';
import type { SearchAccount, ShardPlan } from '../../engine/engine.js';
import type { Rejection } from '../filter/filter-index.js';

/** How good an answer is and how it was found. */
export interface Quality {
  /** `filtered-graph`: a filter was given, and not everything that passes it was scanned. */
  readonly path: 'graph' | 'filtered-graph' | 'exact';
  /** The ef that was used; null on the exact path. */
  readonly ef: number | null;
  /**
   * Share of the rows that pass the filter, exclusions not counted; 1 without one, 0 where time ran out before it was
   * applied.
   */
  readonly selectivity: number;
  readonly shards: { readonly total: number; readonly answered: number };
  /** Why fewer than k came back; null when k did. `crowding` stands for the quotas of seeds too. */
  readonly short: null | 'corpus' | 'filter' | 'min_score' | 'crowding' | 'timeout';
}

/** Best first. */
export interface Answer {
  readonly ordinals: Uint32Array;
  /** Of a search with seeds: the merged scores. */
  readonly scores: Float32Array;
  readonly quality: Quality;
  /** Of a search with seeds: position of the seed that gave each candidate its score. */
  readonly seeds?: Uint8Array;
  /** Of a search with seeds: the candidate's own score with that seed. */
  readonly seedScores?: Float32Array;
  readonly explain?: Explain;
}

/** How an answer came to be. */
export interface Explain {
  /** One for each search of a shard, in the order in which they were made. */
  readonly shards: readonly ShardExplain[];
  /** Null without a filter. */
  readonly filter: FilterExplain | null;
  /** Null where nothing but scans was asked for. */
  readonly ef: number | null;
  readonly stages: { readonly filter_us: number; readonly search_us: number; readonly merge_us: number };
  /** Present where `whyNot` was asked, in its order. */
  readonly why_not?: readonly WhyNot[];
}

export interface ShardExplain {
  readonly shard: number;
  /** Position of the seed that was searched for; absent without seeds. */
  readonly seed?: number;
  readonly plan: ShardPlan;
  /** What was asked of the shard: with several shards each has its part. */
  readonly k: number;
  readonly ef: number;
  /** Nodes of the graph that were expanded, and distances that were computed in it. */
  readonly visited: number;
  readonly computed: number;
  /** Share of the rows near the query that may come back; 1 where nobody looked. */
  readonly near_share: number;
  /** What each way was estimated to cost, in distances; zeros where there was nothing to choose. */
  readonly costs: SearchAccount['costs'];
  /** Rows that may come back: they pass the filter and are not excluded. */
  readonly rows_passed: number;
  readonly returned: number;
  readonly took_us: number;
}

export interface FilterExplain {
  readonly selectivity: number;
  /** Rows of the version that pass. */
  readonly passed: number;
  readonly took_us: number;
  /** Its rows were known from an earlier search. */
  readonly cached: boolean;
}

/** Why an id is not among the candidates, or where it is. */
export interface WhyNot {
  readonly id: string;
  readonly found: boolean;
  /**
   * `graph`: the exact answer has it, the walk missed it. `timeout`: time ran out before its shard was searched, or
   * before the reason was found. Null where it was found.
   */
  readonly reason:
    null | 'unknown_id' | 'excluded' | 'filter' | 'min_score' | 'crowding' | 'rank' | 'timeout' | 'graph';
  /** What follows is absent for an unknown id. */
  readonly score?: number;
  /**
   * Exact position, from 1, among all rows of the version. Absent, as `reached` is, where time ran out before all
   * were seen.
   */
  readonly rank?: number;
  /** The same among the rows that may come back, itself included. */
  readonly rank_allowed?: number;
  /** The parts of the filter that it does not pass, each of which removes it; null where it passes. */
  readonly removed_by?: readonly Rejection[] | null;
  readonly excluded?: boolean;
  readonly shard?: number;
  /** A walk of its shard's graph towards the item itself finds it. */
  readonly reached?: boolean;
  /** What the item has of the attribute of the request's crowding. */
  readonly crowded_by?: JsonValue;
}
