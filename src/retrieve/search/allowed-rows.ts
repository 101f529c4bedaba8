/**
 * Which rows of each shard may come back. Rows that pass a filter belong to its cache and are never changed; rows that
 * must not come back although they pass travel beside them.
 */
import { Bitset } from '../../base/bitset.js';

/** The rows of one shard that pass a filter. Plain values, so that threads can have them. */
export interface PassingRows {
  /** A bit a row, as in a Bitset. */
  readonly words: Uint32Array;
  readonly count: number;
  /** The rows one by one, ascending, where few pass; it may have more. */
  readonly list?: Uint32Array | undefined;
}

export interface RowPlace {
  readonly shard: number;
  readonly row: number;
}

export interface AllowedRows {
  /** By shard; null without a filter. */
  readonly passing: readonly PassingRows[] | null;
  /** Rows that pass and are excluded by their ids, by shard. */
  readonly excluded: readonly (readonly number[])[];
  /** Rows that are queries themselves. Each passes and is not excluded. */
  readonly selfMatches: readonly RowPlace[];
}

/** True for a row that passes the filter and is not excluded. */
export function mayReturn({ passing, excluded }: AllowedRows, { shard, row }: RowPlace): boolean {
  const words = passing?.[shard]!.words;
  return (words === undefined || hasRow(words, row)) && !excluded[shard]!.includes(row);
}

/** Rows of a shard that must not come back though they pass. */
export function excludedRows({ excluded, selfMatches }: AllowedRows, shard: number): readonly number[] {
  const rows = excluded[shard]!;
  if (selfMatches.length === 0) return rows;
  const own = selfMatches.filter((place) => place.shard === shard);
  return own.length === 0 ? rows : [...rows, ...own.map(({ row }) => row)];
}

/** How many rows of a shard may come back. @param size rows of the shard */
export function countAllowed(rows: AllowedRows, shard: number, size: number): number {
  return (rows.passing?.[shard]!.count ?? size) - excludedRows(rows, shard).length;
}

/** The rows of a shard that may come back, as a set of their own; undefined where all may. */
export function copyAllowed(rows: AllowedRows, shard: number, size: number): Bitset | undefined {
  const leftOut = excludedRows(rows, shard);
  const passing = rows.passing?.[shard];
  if (passing === undefined && leftOut.length === 0) return undefined;
  const allow = passing === undefined ? Bitset.full(size) : new Bitset(size, passing.words.slice());
  for (const row of leftOut) allow.delete(row);
  return allow;
}

export function hasRow(words: Uint32Array, row: number): boolean {
  return (words[row >>> 5]! & (1 << (row & 31))) !== 0;
}
