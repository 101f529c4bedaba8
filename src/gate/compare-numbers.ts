/**
 * Compares the numbers of an attribute with those of the live version, as distributions: prices that all became 0, or
 * cents, or one constant. Takes sorted samples; gives shares of the numbers.
 *
 * Numbers other than 0 are compared rank by rank: the smallest twentieth with the smallest twentieth, and so on. A
 * number has moved if it is more than three times the one of its rank, or less than a third. A season (prices times
 * 1.5) moves none, whatever the spread; times that lie a day later move none. Other units (cents, another currency,
 * minutes for hours) move all. Zeros are left out, since a share of zeros that changes is another fault: it is judged
 * as the number of rows with one value (compare-attributes.ts), and as a number that many rows repeat.
 */

/** Times by which a number may differ from the one of its rank. */
const FACTOR = 3;
/** Ranks that are compared, in hundredths. The ends are left out: of few rows, they are chance. */
const [FIRST_RANK, LAST_RANK] = [5, 95];
/** Fewer numbers have no ranks. */
const MIN_NUMBERS = 50;
/** Share of the numbers that are on the lesser side of 0, from which on an attribute has both signs. */
const BOTH_SIGNS = 0.01;

interface NumberShift {
  /** Share of the ranks whose number moved. */
  readonly moved: number;
  /** Medians of the numbers other than 0; 0 if there are none. */
  readonly median: number;
  readonly liveMedian: number;
}

/** Null if there is nothing to compare. @param fresh @param live ascending */
export function compareRanks(fresh: Float64Array, live: Float64Array): NumberShift | null {
  const old = live.filter((value) => value !== 0);
  // One number in all rows is that of the night, such as its date.
  if (old.length < MIN_NUMBERS || live[0] === live.at(-1) || fresh.length < MIN_NUMBERS) return null;
  const now = fresh.filter((value) => value !== 0);
  const liveMedian = quantile(old, 0.5);
  if (now.length === 0) return { moved: 1, median: 0, liveMedian };
  const minStep = smallestStep(old);
  let moved = 0;
  for (let rank = FIRST_RANK; rank <= LAST_RANK; rank++)
    if (hasMoved(quantile(now, rank / 100), quantile(old, rank / 100), minStep)) moved++;
  return { moved: moved / (LAST_RANK - FIRST_RANK + 1), median: quantile(now, 0.5), liveMedian };
}

/** @param minStep a difference that is none, whatever the ratio */
export function hasMoved(now: number, old: number, minStep: number): boolean {
  const ratio = now / old;
  return Math.abs(now - old) > minStep && !(ratio >= 1 / FACTOR && ratio <= FACTOR);
}

/**
 * Near 0 a small step is a large ratio: with both signs, half a standard deviation counts as no step.
 * @param sorted ascending
 */
export function smallestStep(sorted: Float64Array): number {
  const firstPositive = sorted.findIndex((value) => value > 0);
  const share = (firstPositive < 0 ? sorted.length : firstPositive) / sorted.length;
  if (Math.min(share, 1 - share) < BOTH_SIGNS) return 0;
  const deviation = (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 1.35; // of a normal distribution
  return deviation / 2;
}

/** The number that most rows have. */
interface Repeated {
  readonly number: number;
  /** Share of the rows with a number that have it. */
  readonly share: number;
}

/** Null without enough numbers. @param sorted ascending */
export function mostRepeated(sorted: Float64Array): Repeated | null {
  if (sorted.length < MIN_NUMBERS) return null;
  let [number, longest, start] = [sorted[0]!, 0, 0];
  for (let at = 1; at <= sorted.length; at++) {
    if (at < sorted.length && sorted[at] === sorted[start]) continue;
    if (at - start > longest) [number, longest] = [sorted[start]!, at - start];
    start = at;
  }
  return { number, share: longest / sorted.length };
}

/** @param sorted ascending */
export function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.round(share * (sorted.length - 1))]!;
}
