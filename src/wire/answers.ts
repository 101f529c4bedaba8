/** Answers of all routes, as types for the client and the search. A test compares them with the schemas. */
import type { ErrorCode } from '../base/errors.js';
import type { Metric } from '../base/metric.js';
import type { FilteredPlan, ShardPlan } from './shard-plans.js';

export interface Candidate {
  readonly id: string;
  /** Higher is better. */
  readonly score: number;
  /** Position of the seed that found it, and the score by that seed alone. Only in searches with seeds. */
  readonly seed?: number;
  readonly seed_score?: number;
  /** If requested. */
  readonly attributes?: Readonly<Record<string, unknown>>;
  readonly vector?: readonly number[];
}

/** `filtered-graph`: there is a filter, and not all rows that pass it were scanned. */
export const SEARCH_PATHS = ['graph', 'filtered-graph', 'exact'] as const;

/** Why an answer has fewer than k candidates. `filter` includes exclusions, `crowding` quotas of seeds. */
export const SHORT_REASONS = ['corpus', 'filter', 'min_score', 'crowding', 'timeout'] as const;

/** How good an answer is and how it was found. */
export interface Quality {
  readonly path: (typeof SEARCH_PATHS)[number];
  /** The ef used; null on the exact path. */
  readonly ef: number | null;
  /**
   * Share of the rows that pass the filter, not counting exclusions. 1 without a filter; 0 if time ran out before it
   * was applied.
   */
  readonly selectivity: number;
  readonly shards: { readonly total: number; readonly answered: number };
  /** Null if there are k candidates. */
  readonly short: null | (typeof SHORT_REASONS)[number];
}

export interface Explain {
  /** One per search of a shard, in the order in which they ran. */
  readonly shards: readonly ShardExplain[];
  /** Null without a filter. */
  readonly filter: FilterExplain | null;
  /** The one chosen, even if every shard was then scanned. Null if the search asked for `exact`. */
  readonly ef: number | null;
  readonly stages: { readonly filter_us: number; readonly search_us: number; readonly merge_us: number };
  /** Present if `why_not` was given; in its order. */
  readonly why_not?: readonly WhyNot[];
}

export interface ShardExplain {
  readonly shard: number;
  /** Position of the seed searched for; absent without seeds. */
  readonly seed?: number;
  readonly plan: ShardPlan;
  /** Candidates requested from this shard: each of several shards gets a part of k. */
  readonly k: number;
  readonly ef: number;
  /** Graph nodes expanded, and distances computed in the graph. */
  readonly visited: number;
  readonly computed: number;
  /** Share of the rows near the query that may be returned; 1 if it was not measured. */
  readonly near_share: number;
  /** Estimated cost of each plan, in distances; zeros if there was no choice. */
  readonly costs: Readonly<Record<FilteredPlan, number>>;
  /** Rows that may be returned: they pass the filter and are not excluded. */
  readonly rows_passed: number;
  readonly returned: number;
  readonly took_us: number;
}

export interface FilterExplain {
  readonly selectivity: number;
  /** Rows of the version that pass. */
  readonly passed: number;
  readonly took_us: number;
  /** The passing rows were known from an earlier search. */
  readonly cached: boolean;
}

/**
 * Why an item is not among the candidates. `graph`: the exact answer has it, but the graph search missed it. `timeout`:
 * time ran out before its shard was searched or the reason was known.
 */
export const WHY_NOT_REASONS = [
  'unknown_id',
  'excluded',
  'filter',
  'min_score',
  'crowding',
  'rank',
  'timeout',
  'graph',
] as const;

/** Why an id is not among the candidates, or where it is. */
export interface WhyNot {
  readonly id: string;
  readonly found: boolean;
  /** Null if it was found. */
  readonly reason: null | (typeof WHY_NOT_REASONS)[number];
  /** This and all that follows is absent for an unknown id. */
  readonly score?: number;
  /** Exact position among all rows of the version, from 1. This and `reached` are absent if time ran out first. */
  readonly rank?: number;
  /** Exact position among the rows that may be returned, itself included. */
  readonly rank_allowed?: number;
  /** Parts of the filter that it fails, each of which removes it; null if it passes. */
  readonly removed_by?: readonly Rejection[] | null;
  readonly excluded?: boolean;
  readonly shard?: number;
  /** A search of its shard's graph for the item itself finds it. */
  readonly reached?: boolean;
  /** Its value of the crowding attribute. */
  readonly crowded_by?: unknown;
}

/** A part of a filter that an item fails. */
export interface Rejection {
  /** JSON pointer to that part. */
  readonly path: string;
  readonly operator: string;
  readonly attribute: string | null;
  /** The item's value. */
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
  /** If requested. */
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
  /** The current version. Null if none is published and loaded; then its fields are absent. */
  readonly version: string | null;
  readonly created_at?: string;
  readonly age_seconds?: number;
  readonly vectors?: number;
  readonly dim?: number;
  readonly metric?: Metric;
  readonly shards?: number;
  readonly engine?: string;
  readonly attributes?: readonly { readonly name: string; readonly type: string }[];
  /** Measured recall by ef, if requested; null before calibration. */
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

/** Body of /livez and /readyz. */
export interface ServerStatus {
  readonly status: string;
  readonly indexes?: readonly { readonly index: string; readonly version: string | null }[];
}
