/** Postings: for each code, the ascending ordinals of its rows, all lists one after the other. */
import { addOrdinals } from './bits.js';
import { SLICE_ROWS, type Meter, type Work } from '../../base/work.js';

export interface Postings {
  readonly ordinals: Uint32Array;
  /** Where the list of each code starts, and the end of the last. */
  readonly starts: Uint32Array;
}

/**
 * @param codes of each position
 * @param counts of each code
 * @param ordinalOf the ordinal of each position, ascending; null if the position is the ordinal
 */
export function* buildPostings(codes: Uint16Array, counts: Uint32Array, ordinalOf: Uint32Array | null): Work<Postings> {
  const starts = new Uint32Array(counts.length + 1);
  counts.forEach((count, code) => (starts[code + 1] = starts[code]! + count));
  const ordinals = new Uint32Array(codes.length);
  const next = starts.slice();
  for (let from = 0; from < codes.length; from += SLICE_ROWS) {
    const to = Math.min(from + SLICE_ROWS, codes.length);
    for (let i = from; i < to; i++) ordinals[next[codes[i]!]!++] = ordinalOf === null ? i : ordinalOf[i]!;
    yield;
  }
  return { ordinals, starts };
}

export function* addPostings(
  into: Uint32Array,
  { ordinals, starts }: Postings,
  codes: Iterable<number>,
  meter: Meter,
): Work<void> {
  for (const code of codes) {
    yield* addOrdinals(into, ordinals, starts[code]!, starts[code + 1]!, meter);
    if (meter.spend(20)) yield;
  }
}
