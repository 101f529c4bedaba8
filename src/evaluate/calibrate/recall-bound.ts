/**
 * What the mean recall of a sample says about further queries of the same kind: the lower end of a one-sided interval.
 *
 * The normal approximation, with one query added that misses one neighbour. Without it, a sample in which every query
 * found everything would promise a recall of 1; with it, 100 such queries promise 0.997 at k 10, which is about what
 * the rule of three gives (3 failures in n trials are possible where none was seen).
 */

/** Standard errors below the mean: 97.7 % of samples promise no more than what holds. */
export const STANDARD_ERRORS = 2;

/**
 * @param recalls of each query, from 0 to 1
 * @param neighbors how many neighbours a query had to find
 */
export function lowerRecall(recalls: readonly number[], neighbors: number): number {
  const all = withMiss(recalls, neighbors);
  return Math.max(0, meanOf(all) - (STANDARD_ERRORS * deviation(all)) / Math.sqrt(all.length));
}

/** The standard deviation of one query's recall, as `lowerRecall` takes it. */
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
