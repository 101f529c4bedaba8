/**
 * The lower bound of the mean recall of further queries of the same kind: the lower end of a one-sided confidence
 * interval.
 *
 * Uses the normal approximation, with one extra query that misses one neighbour. Without it, a sample with full recall
 * would promise a recall of 1. With it, 100 such queries promise 0.997 at k 10, about as much as the rule of three (up
 * to 3 failures in n trials are plausible if none was seen).
 */

/** Standard errors below the mean: 97.7 % of samples promise no more than is true. */
export const STANDARD_ERRORS = 2;

/** @param recalls recall of each query, from 0 to 1 @param neighbors neighbours that each query had to find */
export function lowerRecall(recalls: readonly number[], neighbors: number): number {
  const all = withMiss(recalls, neighbors);
  return Math.max(0, meanOf(all) - (STANDARD_ERRORS * deviation(all)) / Math.sqrt(all.length));
}

/** The standard deviation of one query's recall, as in `lowerRecall`. */
export function deviationOf(recalls: readonly number[], neighbors: number): number {
  return deviation(withMiss(recalls, neighbors));
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

function withMiss(recalls: readonly number[], neighbors: number): number[] {
  return [...recalls, 1 - 1 / Math.max(1, neighbors)];
}

function deviation(values: readonly number[]): number {
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1));
}
