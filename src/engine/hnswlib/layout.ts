/**
 * hnswlib's file, byte by byte (hnswalg.h of hnswlib 0.8, saveIndex), and the memory of a graph that was read from
 * it.
 *
 * header, 96 bytes · count elements of equal size: links of level 0 (u32 count, 2m x u32), vector (dim x f32), label
 * (u64) · count records of the upper levels: u32 bytes that follow, then a list for each level from 1 (u32 count, m
 * x u32). Everything is a multiple of 4 bytes and little-endian.
 */
import { endianness } from 'node:os';
import assert from 'node:assert/strict';

assert(endianness() === 'LE', 'shortlist runs on little-endian processors only');

export const HEADER_BYTES = 96;

/** Offsets in the header. u64 except for maxLevel (i32), entryPoint (u32) and levelFactor (f64). */
export const HEADER = {
  level0Offset: 0,
  maxElements: 8,
  count: 16,
  elementBytes: 24,
  labelOffset: 32,
  vectorOffset: 40,
  maxLevel: 48,
  entryPoint: 52,
  maxM: 56,
  maxM0: 64,
  m: 72,
  levelFactor: 80,
  efConstruction: 88,
} as const;

/** entryPoint of a graph without rows. */
export const NO_ENTRY = 0xffffffff;

/** Rows of one graph: hnswlib keeps row numbers in a signed int while it searches. */
export const MAX_GRAPH_ROWS = 2 ** 31 - 1;

/**
 * Highest level. hnswlib draws -ln(u) / ln(m), u from 62 random bits: at most 43 / ln 4 = 31 for the smallest m.
 */
export const MAX_LEVEL = 63;

/** Bytes of the links of one row at level 0, with the count. */
export function level0Bytes(m: number): number {
  return 4 + 4 * 2 * m;
}

/** Bytes of one list of an upper level, with the count. */
export function upperListBytes(m: number): number {
  return 4 + 4 * m;
}

export function elementBytes(dim: number, m: number): number {
  return level0Bytes(m) + 4 * dim + 8;
}

/** What hnswlib records as ef_construction. */
export function effectiveEfConstruction(m: number, efConstruction: number): number {
  return Math.max(m, efConstruction);
}

/** Per row: a pointer to the upper levels (8), the level (4), a lock (40), a visited mark (2). */
const ROW_BOOKKEEPING_BYTES = 54;
/** Per row: a node of the hash table from label to row with malloc's share (32) and up to two buckets (16). */
const LABEL_BYTES = 48;
/** malloc's share of one block of upper-level lists. */
const MALLOC_BYTES = 16;
/** 65,536 locks of labels and the like. */
const FIXED_BYTES = 4 * 1024 * 1024;

/** Memory in bytes of a graph that is built or served. A row has 1 / (m - 1) upper levels on average. */
export function estimateHnswlibBytes(count: number, dim: number, m: number): number {
  const upper = (upperListBytes(m) + MALLOC_BYTES) / (m - 1);
  return Math.ceil(FIXED_BYTES + count * (elementBytes(dim, m) + ROW_BOOKKEEPING_BYTES + LABEL_BYTES + upper));
}
