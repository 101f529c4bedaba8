/**
 * What a search and the other routes answer. Types of the client and of the search itself; schemas are held to them.
 */
import type { ErrorCode } from '../base/errors.js';
import type { Metric } from '../base/metric.js';
import type { FilteredPlan, ShardPlan } from './shard-plans.js';

export interface Candidate {
  readonly id: string;
  /** Higher is better. */
  readonly score: number;
  /** Position of the seed that brought it, where seeds were searched for, and the score by that seed alone. */
  readonly seed?: number;
  readonly seed_score?: number;
  /** Where they were asked for. */
  readonly attributes?: Readonly<Record<string, unknown>>;
  readonly vector?: readonly number[];
}

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
  /**
   * Why fewer than k came back; null when k did. `filter` stands for exclusions too, `crowding` for the quotas of
   * seeds.
   */
  readonly short: null | 'corpus' | 'filter' | 'min_score' | 'crowding' | 'timeout';
}

/** How an answer was found. */
export interface Explain {
  /** One for each search of a shard, in the order in which they were made. */
  readonly shards: readonly ShardExplain[];
  /** Null without a filter. */
  readonly filter: FilterExplain | null;
  /** Null where nothing but scans was asked for. */
  readonly ef: number | null;
  readonly stages: { readonly filter_us: number; readonly search_us: number; readonly merge_us: number };
  /** Present where `why_not` was asked, in its order. */
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
  /** What each plan was estimated to cost, in distances; zeros where there was nothing to choose. */
  readonly costs: Readonly<Record<FilteredPlan, number>>;
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
  readonly crowded_by?: unknown;
}

/** A part of a filter that an item does not pass. */
export interface Rejection {
  /** JSON pointer to that part. */
  readonly path: string;
  readonly operator: string;
  readonly attribute: string | null;
  /** What the item has. */
  readonly value?: unknown;
}

interface AnswerHead {
  readonly index: string;
  readonly version: string;
  readonly took_ms: number;
}

export interface QueryAnswer {
  /** Best first. */
  readonly candidates: readonly Candidate[];
  readonly quality: Quality;
  /** Where it was asked for. */
  readonly explain?: Explain;
  readonly error?: undefined;
}

export interface FailedQuery {
  readonly error: {
    readonly type: string;
    readonly title: string;
    readonly status: number;
    readonly detail: string;
    readonly code: ErrorCode;
    /** JSON pointer to the query. */
    readonly field?: string;
  };
  readonly candidates?: undefined;
  readonly quality?: undefined;
}

export interface SearchAnswer extends AnswerHead, QueryAnswer {}

export interface BatchAnswer extends AnswerHead {
  readonly results: readonly (QueryAnswer | FailedQuery)[];
}

export interface IndexDescription {
  readonly index: string;
  /** The current version; null where none is published and loaded, and then the fields about it are absent. */
  readonly version: string | null;
  readonly created_at?: string;
  readonly age_seconds?: number;
  readonly vectors?: number;
  readonly dim?: number;
  readonly metric?: Metric;
  readonly shards?: number;
  readonly engine?: string;
  readonly attributes?: readonly { readonly name: string; readonly type: string }[];
  /** Measured recall by ef, where it is asked for; null before calibration. */
  readonly calibration?: unknown;
  /** Version by alias. */
  readonly aliases: Readonly<Record<string, string>>;
  /** Versions that can be pinned. */
  readonly loaded: readonly string[];
}

export interface Item {
  readonly index: string;
  readonly version: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly vector?: readonly number[];
}

/** What /livez and /readyz say. */
export interface ServerStatus {
  readonly status: string;
  readonly indexes?: readonly { readonly index: string; readonly version: string | null }[];
}
