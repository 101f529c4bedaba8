/** Bounds of the Arrow layer, each with its reason. */

/** Most rows of one chunk: enough to make a call per chunk free, few enough for per-row side arrays to stay small. */
export const CHUNK_ROWS = 65_536;

/**
 * Bytes that one chunk aims at over all its columns. From 2 to 16 MiB the throughput is the same, the peak memory is
 * not.
 */
export const CHUNK_BYTES = 8 * 1024 * 1024;

/** Largest single value, a string or a list with its items: it is held in memory whole. Real ones are below 1 MiB. */
export const MAX_VALUE_BYTES = 256 * 1024 * 1024;

/** A batch up to this size is read by one request: below it, the requests cost more than the bytes. */
export const WHOLE_BATCH_BYTES = 1024 * 1024;

/** Longest single request to the operating system: one of 2 GiB or more aborts Node. */
export const MAX_READ_BYTES = 1024 * 1024 * 1024;

/**
 * Largest decompressed buffer, held whole while its batch is read. A batch beyond it wants smaller batches or no
 * codec.
 */
export const MAX_DECOMPRESSED_BYTES = 2 * 1024 * 1024 * 1024;

/**
 * Largest dictionary, held whole while it is in use: beyond it the values hardly repeat and plain columns are better.
 */
export const MAX_DICTIONARY_BYTES = 1024 * 1024 * 1024;

/** Largest metadata of one message or footer. A table of 10,000 columns has 2 MiB; a footer takes 24 bytes a batch. */
export const MAX_METADATA_BYTES = 64 * 1024 * 1024;

/** Most fields of a schema, children included, and most metadata pairs: wide frames have some 10,000. */
export const MAX_SCHEMA_ITEMS = 200_000;

/** Deepest nesting of types. pyarrow stops at 64 as well. */
export const MAX_TYPE_DEPTH = 64;

/** Longest column name, timezone or extension name: tables of a flatbuffer can share one string many times over. */
export const MAX_NAME_BYTES = 4_096;
