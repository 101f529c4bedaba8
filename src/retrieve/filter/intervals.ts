/** Closed intervals as flat lists: low, high, low, high, ... ascending and disjoint. */
import type { Intervals } from './filter-plan.js';

/** Empty if low is above high. */
export function interval<T extends number | bigint>(low: T, high: T): Intervals<T> {
  return low <= high ? [low, high] : [];
}

/**
 * The union. Sorts low and high ends separately as typed arrays, in a tenth of the time of sorting pairs. An interval
 * of the union ends where as many intervals have ended as have begun.
 */
export function unite<T extends number | bigint>(lists: readonly Intervals<T>[]): Intervals<T> {
  const [lows, highs] = [sortAscending(everySecond(lists, 0)), sortAscending(everySecond(lists, 1))];
  const united: T[] = [];
  for (let i = 0, first = 0; i < lows.length; i++) {
    if (i + 1 < lows.length && lows[i + 1]! <= highs[i]!) continue;
    united.push(lows[first]!, highs[i]!);
    first = i + 1;
  }
  return united;
}

function everySecond<T extends number | bigint>(lists: readonly Intervals<T>[], first: 0 | 1): T[] {
  const ends: T[] = [];
  for (const list of lists) for (let i = first; i < list.length; i += 2) ends.push(list[i]!);
  return ends;
}

function sortAscending<T extends number | bigint>(values: readonly T[]): readonly T[] {
  if (values.length < 2) return values;
  if (typeof values[0] === 'number')
    return [...Float64Array.from(values as readonly number[]).sort()] as unknown as T[];
  const integers = values as readonly bigint[];
  const isSigned = integers.some((value) => value < 0n);
  const sorted = isSigned ? BigInt64Array.from(integers).sort() : BigUint64Array.from(integers).sort();
  return [...sorted] as readonly (number | bigint)[] as readonly T[];
}

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
