/** What goes to the server. Field names are those of the HTTP interface. */
import type { Id, SearchTerms, SeedTerms } from '../wire/search-terms.js';
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

/** One of several queries that have one answer together: an item or a vector. */
export type Seed = SeedTerms &
  ({ readonly vector: VectorLike; readonly id?: undefined } | { readonly id: Id; readonly vector?: undefined });

interface Queries {
  readonly vector: VectorLike;
  readonly id: Id;
  readonly seeds: readonly Seed[];
  readonly vectors: Float32Array | readonly VectorLike[];
  readonly ids: readonly Id[];
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
