/** Closed intervals as flat lists: low, high, low, high, ... ascending and disjoint. */
import type { Intervals } from './filter-plan.js';

/** Empty where low is above high. */
export function interval<T extends number | bigint>(low: T, high: T): Intervals<T> {
  return low <= high ? [low, high] : [];
}

/** Rows in any of them. */
export function unite<T extends number | bigint>(lists: readonly Intervals<T>[]): Intervals<T> {
  const pairs: [T, T][] = [];
  for (const list of lists) {
    for (let i = 0; i < list.length; i += 2) pairs.push([list[i]!, list[i + 1]!]);
  }
  pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const united: T[] = [];
  for (const [low, high] of pairs) {
    const last = united.length - 1;
    if (last < 0 || low > united[last]!) united.push(low, high);
    else if (high > united[last]!) united[last] = high;
  }
  return united;
}

/** Rows in both. */
export function intersect<T extends number | bigint>(a: Intervals<T>, b: Intervals<T>): Intervals<T> {
  const common: T[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const low = a[i]! > b[j]! ? a[i]! : b[j]!;
    const high = a[i + 1]! < b[j + 1]! ? a[i + 1]! : b[j + 1]!;
    if (low <= high) common.push(low, high);
    if (a[i + 1]! < b[j + 1]!) i += 2;
    else j += 2;
  }
  return common;
}

export function contains<T extends number | bigint>(intervals: Intervals<T>, value: T): boolean {
  let low = 0;
  let high = intervals.length / 2;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (intervals[2 * middle + 1]! < value) low = middle + 1;
    else high = middle;
  }
  return 2 * low < intervals.length && intervals[2 * low]! <= value;
}
