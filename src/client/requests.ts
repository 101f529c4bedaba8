/** What goes to the server. Field names are those of the HTTP interface. */
import type { VectorLike } from './base64.js';

export interface ClientOptions {
  /** Time limit of a call, retries included; default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** How often a call is sent again after a 503 or a broken connection; default 2. */
  readonly retries?: number | undefined;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Bodies of so many bytes and more are sent as gzip; default never: vectors hardly shrink. */
  readonly gzipFrom?: number | undefined;
  /** Default: the global one. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

export interface CallOptions {
  readonly timeoutMs?: number | undefined;
  /** Aborting it ends the call; its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

export interface SearchCallOptions extends CallOptions {
  /** How vectors travel: as base64 in JSON, the default, or raw, which costs the server least. */
  readonly form?: 'json' | 'binary' | undefined;
}

export type FilterLiteral = string | number | boolean | null;

/** Operators of one attribute, joined by and. */
export interface FilterCondition {
  readonly $eq?: FilterLiteral | undefined;
  /** Does not pass null. */
  readonly $ne?: FilterLiteral | undefined;
  readonly $in?: readonly FilterLiteral[] | undefined;
  /** Does not pass null. */
  readonly $nin?: readonly FilterLiteral[] | undefined;
  readonly $gt?: string | number | undefined;
  readonly $gte?: string | number | undefined;
  readonly $lt?: string | number | undefined;
  readonly $lte?: string | number | undefined;
  readonly $exists?: boolean | undefined;
  /** An item of a list, a part of a text. */
  readonly $contains?: string | number | undefined;
  readonly $containsAny?: readonly (string | number)[] | undefined;
  readonly $containsAll?: readonly (string | number)[] | undefined;
  readonly $not?: FilterCondition | undefined;
}

/** Conditions by attribute, or by `id`, joined by and: `{ category: 'jewelry', price: { $gte: 10, $lt: 50 } }`. */
export interface Filter {
  readonly $and?: readonly Filter[] | undefined;
  readonly $or?: readonly Filter[] | undefined;
  readonly $not?: Filter | undefined;
  readonly [attribute: string]: FilterLiteral | FilterCondition | Filter | readonly Filter[] | undefined;
}

/** What a search may say beside its queries. */
export interface SearchTerms {
  /** Candidates to return, 1 to 10,000; default 100. */
  readonly k?: number | undefined;
  /** Size of the candidate list: larger finds more and costs more. Not with `exact`. */
  readonly ef?: number | undefined;
  /** Instead of ef: the mean recall to reach, by the calibration of the version. */
  readonly target_recall?: number | undefined;
  /** Scan every vector. */
  readonly exact?: boolean | undefined;
  /** What candidates must be. */
  readonly filter?: Filter | undefined;
  /** Ids that must not come back. */
  readonly exclude_ids?: readonly (string | number)[] | undefined;
  /** At most `limit` candidates of each value of the attribute. */
  readonly crowding?: { readonly attribute: string; readonly limit: number } | undefined;
  readonly include?:
    | {
        /** Names of attributes, or true for all. */
        readonly attributes?: readonly string[] | boolean | undefined;
        readonly vectors?: boolean | undefined;
      }
    | undefined;
  /** Least score that comes back. */
  readonly min_score?: number | undefined;
  /** The server's time for the answer, in milliseconds. */
  readonly timeout_ms?: number | undefined;
  /** When it runs out, answer with what has been found. */
  readonly allow_partial?: boolean | undefined;
  /** A version or alias that is loaded; default the current version. */
  readonly version?: string | undefined;
  /** Say how the answer was found. */
  readonly explain?: boolean | undefined;
  /** With `explain`: ids to say of why they did not come back. */
  readonly why_not?: readonly (string | number)[] | undefined;
}

/** One of several queries that have one answer together: an item or a vector. */
export type Seed = {
  /** Above 0; default 1. A score s counts as s x weight, below 0 as s / weight. */
  readonly weight?: number | undefined;
  /** Most candidates that it may bring. */
  readonly quota?: number | undefined;
} & (
  | { readonly vector: VectorLike; readonly id?: undefined }
  | { readonly id: string | number; readonly vector?: undefined }
);

interface Queries {
  readonly vector: VectorLike;
  readonly id: string | number;
  readonly seeds: readonly Seed[];
  readonly vectors: Float32Array | readonly VectorLike[];
  readonly ids: readonly (string | number)[];
  /** An Arrow IPC stream with a column of vectors. */
  readonly arrow: Uint8Array;
  /** Its name, where the stream has several. */
  readonly vector_column?: string | undefined;
}

/** These queries and no others. */
type Only<Name extends keyof Queries> = Pick<Queries, Name> & {
  readonly [Other in Exclude<keyof Queries, Name>]?: undefined;
};

/** One query: a vector of the index's dimension; the id of an item, which is left out of the answer; or seeds. */
export type SearchRequest = SearchTerms & (Only<'vector'> | Only<'id'> | Only<'seeds'>);

/** Several queries: vectors (one array of them end to end, or one each), ids, or an Arrow stream. */
export type BatchRequest = SearchTerms & (Only<'vectors'> | Only<'ids'> | Only<'arrow' | 'vector_column'>);

export interface ItemRequest {
  /** Default all. */
  readonly attributes?: readonly string[] | undefined;
  readonly vectors?: boolean | undefined;
  readonly version?: string | undefined;
}
