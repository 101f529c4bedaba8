/**
 * The rows that tests are answered for: all of a version, or some of them. An answer is a set of positions among
 * these rows as words of 32 bits, position p in bit p & 31 of word p >> 5; bits past the last position stay 0.
 */

export interface Rows {
  readonly count: number;
  /** Their ordinals, ascending; null for all, where each position is its ordinal. */
  readonly list: Uint32Array | null;
}

export function allRows(count: number): Rows {
  return { count, list: null };
}

export function listedRows(list: Uint32Array): Rows {
  return { count: list.length, list };
}
