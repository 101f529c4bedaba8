/** Bounds of the Arrow layer, each with its reason. */

/** Most rows of one chunk: a call per chunk then costs nothing, and per-row side arrays stay small. */
export const CHUNK_ROWS = 65_536;

/** Target size of one chunk over all columns. From 2 to 16 MiB the throughput is the same, but not the peak memory. */
export const CHUNK_BYTES = 8 * 1024 * 1024;

/** Largest single value, a string or a list with its items: it is in memory as a whole. Real ones are below 1 MiB. */
export const MAX_VALUE_BYTES = 256 * 1024 * 1024;

/** A batch up to this size is read with one request: below it, requests cost more than bytes. */
export const WHOLE_BATCH_BYTES = 1024 * 1024;

/** Longest single request to the operating system: one of 2 GiB or more aborts Node. */
export const MAX_READ_BYTES = 1024 * 1024 * 1024;

/** Largest decompressed buffer; it stays in memory while its batch is read. Beyond it: smaller batches, or no codec. */
export const MAX_DECOMPRESSED_BYTES = 2 * 1024 * 1024 * 1024;

/** Largest dictionary; it stays in memory while in use. Larger ones hardly repeat values: plain columns are better. */
export const MAX_DICTIONARY_BYTES = 1024 * 1024 * 1024;

/** Largest metadata of one message or footer. A table of 10,000 columns has 2 MiB; a footer takes 24 bytes a batch. */
export const MAX_METADATA_BYTES = 64 * 1024 * 1024;

/** Most fields of a schema, children included, and most metadata pairs: wide frames have some 10,000. */
export const MAX_SCHEMA_ITEMS = 200_000;

/** Deepest nesting of types. pyarrow stops at 64 as well. */
export const MAX_TYPE_DEPTH = 64;

/** Longest column name, timezone or extension name: tables of a flatbuffer can share one string many times over. */
export const MAX_NAME_BYTES = 4_096;
