/** Requests of the client. Field names are those of the HTTP interface. */
import type { Id, SearchTerms, SeedTerms } from '../wire/search-terms.js';
import type { VectorLike } from './base64.js';

export interface ClientOptions {
  /** Time limit of a call, retries included; default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** How often a call is repeated after a 503 or a broken connection; default 2. */
  readonly retries?: number | undefined;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Size in bytes from which bodies are sent as gzip; default: never, since vectors hardly shrink. */
  readonly gzipFrom?: number | undefined;
  /** Default: the global fetch. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

export interface CallOptions {
  readonly timeoutMs?: number | undefined;
  /** Aborts the call; its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

export interface SearchCallOptions extends CallOptions {
  /** Form of vectors: base64 in JSON (default), or raw, which costs the server least. */
  readonly form?: 'json' | 'binary' | undefined;
}

/** One of several queries with one joint answer: an item or a vector. */
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
  /** Name of that column, if the stream has several. */
  readonly vector_column?: string | undefined;
}

/** Exactly these kinds of queries. */
type Only<Name extends keyof Queries> = Pick<Queries, Name> & {
  readonly [Other in Exclude<keyof Queries, Name>]?: undefined;
};

/** One query: a vector of the index's dimension, the id of an item (which is not returned), or seeds. */
export type SearchRequest = SearchTerms & (Only<'vector'> | Only<'id'> | Only<'seeds'>);

/** Several queries: vectors (one array of them end to end, or a list), ids, or an Arrow stream. */
export type BatchRequest = SearchTerms & (Only<'vectors'> | Only<'ids'> | Only<'arrow' | 'vector_column'>);

export interface ItemRequest {
  /** Default: all. */
  readonly attributes?: readonly string[] | undefined;
  readonly vectors?: boolean | undefined;
  readonly version?: string | undefined;
}
