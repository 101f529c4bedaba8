/** What goes to the server and what comes back. Field names are those of the HTTP interface. */
import type { ErrorCode } from '../base/errors.js';
import type { Metric } from '../base/metric.js';
import type { VectorLike } from './base64.js';

export interface ClientOptions {
  /** Time limit of a call, retries included; default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** How often a call is sent again after a 503 or a broken connection; default 2. */
  readonly retries?: number | undefined;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Default: the global one. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

export interface CallOptions {
  readonly timeoutMs?: number | undefined;
  /** Aborting it ends the call; its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** What a search may say beside its queries. */
export interface SearchTerms {
  /** Candidates to return, 1 to 10,000; default 100. */
  readonly k?: number | undefined;
  /** Size of the candidate list: larger finds more and costs more. Not with `exact`. */
  readonly ef?: number | undefined;
  /** Scan every vector. */
  readonly exact?: boolean | undefined;
  /** Ids that must not come back. */
  readonly exclude_ids?: readonly (string | number)[] | undefined;
  readonly include?:
    | {
        /** Names of attributes, or true for all. */
        readonly attributes?: readonly string[] | boolean | undefined;
        readonly vectors?: boolean | undefined;
      }
    | undefined;
  /** Least score that comes back. */
  readonly min_score?: number | undefined;
  /** A version or alias that is loaded; default the current version. */
  readonly version?: string | undefined;
}

/** One query: a vector of the index's dimension, or the id of an item, which is left out of the answer. */
export type SearchRequest = SearchTerms &
  (
    | { readonly vector: VectorLike; readonly id?: undefined }
    | { readonly id: string | number; readonly vector?: undefined }
  );

/** Several queries: vectors (one array of them end to end, or one each), or ids. */
export type BatchRequest = SearchTerms &
  (
    | { readonly vectors: Float32Array | readonly VectorLike[]; readonly ids?: undefined }
    | { readonly ids: readonly (string | number)[]; readonly vectors?: undefined }
  );

export interface Candidate {
  readonly id: string;
  /** Higher is better. */
  readonly score: number;
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

interface AnswerHead {
  readonly index: string;
  readonly version: string;
  readonly took_ms: number;
}

export interface QueryAnswer {
  /** Best first. */
  readonly candidates: readonly Candidate[];
  readonly quality: AnswerQuality;
  readonly error?: undefined;
}

export interface FailedQuery {
  readonly error: {
    readonly type: string;
    readonly title: string;
    readonly status: number;
    readonly detail: string;
    readonly code: ErrorCode;
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
  readonly calibration?: unknown;
  /** Version by alias. */
  readonly aliases: Readonly<Record<string, string>>;
  /** Versions that can be pinned. */
  readonly loaded: readonly string[];
}

export interface ItemRequest {
  /** Default all. */
  readonly attributes?: readonly string[] | undefined;
  readonly vectors?: boolean | undefined;
  readonly version?: string | undefined;
}

export interface Item {
  readonly index: string;
  readonly version: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly vector?: readonly number[];
}
