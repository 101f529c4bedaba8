/**
 * Which rows of each shard a search may return. The filter's cache owns the rows that pass and nobody changes them.
 * Rows that pass but must not be returned are listed separately.
 */
import { Bitset } from '../../base/bitset.js';
import { hasBit } from '../filter/bits.js';
import type { RowPlace } from '../../version/sealed/row-places.js';

/** The rows of one shard that pass a filter. Plain values, so that they can be sent to threads. */
export interface PassingRows {
  /** One bit per row, as in a Bitset. */
  readonly words: Uint32Array;
  readonly count: number;
  /** The row numbers, ascending, if few rows pass. May contain rows that do not pass. */
  readonly list?: Uint32Array | undefined;
}

export interface AllowedRows {
  /** By shard; null if there is no filter. */
  readonly passing: readonly PassingRows[] | null;
  /** By shard: rows that pass the filter and that the request excludes by id. */
  readonly excluded: readonly (readonly number[])[];
  /** Rows that are queries themselves. Each passes the filter and is not in `excluded`. */
  readonly selfMatches: readonly RowPlace[];
}

/** Number of rows of a shard that may be returned. @param size rows of the shard */
export function countAllowed(rows: AllowedRows, shard: number, size: number): number {
  return (rows.passing?.[shard]!.count ?? size) - excludedRows(rows, shard).length;
}

/** Returns true if the row passes the filter and is not excluded by id. */
export function mayReturn({ passing, excluded }: AllowedRows, { shard, row }: RowPlace): boolean {
  const words = passing?.[shard]!.words;
  return (words === undefined || hasBit(words, row)) && !excluded[shard]!.includes(row);
}

/** A new set of the rows that may be returned; undefined if all of them may. */
export function copyAllowed(rows: AllowedRows, shard: number, size: number): Bitset | undefined {
  const leftOut = excludedRows(rows, shard);
  const passing = rows.passing?.[shard];
  if (passing === undefined && leftOut.length === 0) return undefined;
  const allow = passing === undefined ? Bitset.full(size) : new Bitset(size, passing.words.slice());
  for (const row of leftOut) allow.delete(row);
  return allow;
}

/** Rows of a shard that pass the filter and must not be returned. */
export function excludedRows({ excluded, selfMatches }: AllowedRows, shard: number): readonly number[] {
  const rows = excluded[shard]!;
  if (selfMatches.length === 0) return rows;
  const own = selfMatches.filter((place) => place.shard === shard);
  return own.length === 0 ? rows : [...rows, ...own.map(({ row }) => row)];
}
