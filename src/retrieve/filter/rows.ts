/**
 * The rows that tests are evaluated on: all rows of a version, or a list. The result is a set of positions among them,
 * as words of 32 bits: position p is bit p & 31 of word p >> 5. Bits beyond the last position stay 0.
 */

export interface Rows {
  readonly count: number;
  /** Ordinals, ascending; null for all rows, where each position is its ordinal. */
  readonly list: Uint32Array | null;
}

export function allRows(count: number): Rows {
  return { count, list: null };
}

export function listedRows(list: Uint32Array): Rows {
  return { count: list.length, list };
}
