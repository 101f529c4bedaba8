/** What comes back from the server. Field names are those of the HTTP interface. */
import type { ErrorCode } from '../base/errors.js';
import type { Metric } from '../base/metric.js';

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
export interface AnswerQuality {
  readonly path: 'graph' | 'filtered-graph' | 'exact';
  /** The ef that was used; null on the exact path. */
  readonly ef: number | null;
  readonly selectivity: number;
  readonly shards: { readonly total: number; readonly answered: number };
  /** Why fewer than k came back; null when k did. */
  readonly short: null | 'corpus' | 'filter' | 'min_score' | 'crowding' | 'timeout';
}

/** How an answer was found. */
export interface Explain {
  /** One for each search of a shard, in their order. */
  readonly shards: readonly {
    readonly shard: number;
    /** Position of the seed that was searched for. */
    readonly seed?: number;
    readonly plan: string;
    readonly k: number;
    readonly ef: number;
    readonly visited: number;
    readonly computed: number;
    readonly near_share: number;
    readonly costs: Readonly<Record<string, number>>;
    readonly rows_passed: number;
    readonly returned: number;
    readonly took_us: number;
  }[];
  readonly filter: {
    readonly selectivity: number;
    readonly passed: number;
    readonly took_us: number;
    readonly cached: boolean;
  } | null;
  readonly ef: number | null;
  readonly stages: { readonly filter_us: number; readonly search_us: number; readonly merge_us: number };
  readonly why_not?: readonly WhyNot[];
}

/** Why an id did not come back; what follows the reason is absent for an unknown id. */
export interface WhyNot {
  readonly id: string;
  readonly found: boolean;
  /**
   * Null where it was found. `graph`: the exact answer has it, the walk missed it. `timeout`: time ran out before
   * that was known.
   */
  readonly reason:
    null | 'unknown_id' | 'excluded' | 'filter' | 'min_score' | 'crowding' | 'rank' | 'timeout' | 'graph';
  readonly score?: number;
  /** Exact position, from 1, among all rows, and among those that may come back; absent where time ran out. */
  readonly rank?: number;
  readonly rank_allowed?: number;
  readonly removed_by?:
    | readonly {
        readonly path: string;
        readonly operator: string;
        readonly attribute: string | null;
        readonly value?: unknown;
      }[]
    | null;
  readonly excluded?: boolean;
  readonly shard?: number;
  readonly reached?: boolean;
  readonly crowded_by?: unknown;
}

interface AnswerHead {
  readonly index: string;
  readonly version: string;
  readonly took_ms: number;
}

export interface QueryAnswer {
  /** Best first. */
  readonly candidates: readonly Candidate[];
  readonly quality: AnswerQuality;
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
