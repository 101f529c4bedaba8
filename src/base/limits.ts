/** Bounds that several folders share, each with its reason. */

/** Largest k of one search. Rankers ask for 100 to 1,000; above 10,000 a scan is the better tool. */
export const MAX_K = 10_000;
export const DEFAULT_K = 100;

/** Largest ef. Equal to MAX_K, since ef is raised to k; above it an exact search costs less. */
export const MAX_EF = 10_000;

/** ef if neither the request nor a calibration sets it: twice k, since recall falls where ef is close to k. */
const MIN_DEFAULT_EF = 200;
export function defaultEf(k: number): number {
  return Math.min(MAX_EF, Math.max(MIN_DEFAULT_EF, 2 * k));
}

/** Longest vector. The longest embeddings on offer have 4,096 components; 16,384 keeps one row within 64 KiB. */
export const MAX_DIM = 16_384;

/** Largest component of a stored or queried vector: beyond it a square overflows float32 (3.4e38). */
export const MAX_COMPONENT = 1e18;

/** Most rows of one shard: hnswlib's labels and our ordinals have 32 bits, and one value is reserved. */
export const MAX_SHARD_ROWS = 2 ** 32 - 2;

/** Most shards: each costs a full graph search, so more than this is a mistake. */
export const MAX_SHARDS = 256;

/** Graph degree: below 4 a graph falls apart; 128 links take as much memory as 256 components. */
export const MIN_M = 4;
export const MAX_M = 128;
export const MAX_EF_CONSTRUCTION = 4_000;

/** Longest id in UTF-8 bytes; a UUID has 36, a URL about 100. */
export const MAX_ID_BYTES = 1_024;

/** Most queries in one HTTP batch: at 1 ms each a worker is busy for a second. */
export const MAX_BATCH = 1_024;

/** Largest request body: 1,024 queries of 4,096 float32 take 16 MiB, and as JSON about 40 MiB. */
export const MAX_BODY_BYTES = 48 * 1024 * 1024;

/** Largest answer: 1,024 queries of 1,000 candidates take 40 MiB; V8 holds no text beyond 512 MiB. */
export const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** Most ids in `exclude_ids`: what a user has seen lately, not a catalog. */
export const MAX_EXCLUDE_IDS = 10_000;

/** Most attributes in `include.attributes`. */
export const MAX_INCLUDE_ATTRIBUTES = 256;

/** Most seeds of one search: each is a search of its own, and a user has rarely touched more items lately. */
export const MAX_SEEDS = 100;

/** Most ids in `why_not`: a person asks about each, and each costs a scan and a graph search. */
export const MAX_WHY_NOT = 100;

/** Bad rows shown of each kind; all of them are counted. */
export const SHOWN_BAD_ROWS = 10;

/** Name of an index or alias. */
export const NAME_PATTERN = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** How long the previous version stays pinnable after a swap. */
export const PREVIOUS_VERSION_MS = 60_000;

/** Queries of one pass of computing truth: enough to share each read of the vectors, few enough for steady progress. */
export const TRUTH_QUERIES_PER_PASS = 128;
