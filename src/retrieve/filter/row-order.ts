/**
 * Sorts ordinals by their values, so that a range is found by binary search. Keys are unsigned words in the order of
 * the values, sorted by digits (stable LSD radix sort, 11 bits a pass).
 */
import type { AttributeColumn } from '../../version/sealed/attribute-column.js';
import { hasBit } from './bits.js';
import { BLOCK_ROWS, readNumbers, readWords } from './column-blocks.js';
import { isWide } from './clauses.js';
import type { Intervals } from './filter-plan.js';
import { integerRange } from './literals.js';
import { numberAt, signFlip } from './number-scan.js';
import { SLICE_ROWS, type Meter, type Work } from '../../base/work.js';

interface SortedRange {
  readonly from: number;
  readonly to: number;
}

/** Ordinals of the rows with a value, ascending. @param presence null if all have one */
export function* listPresent(count: number, presence: Uint32Array | null): Work<Uint32Array> {
  const rows = new Uint32Array(count);
  let size = 0;
  for (let ordinal = 0; ordinal < count; ordinal++) {
    if (presence === null || hasBit(presence, ordinal)) rows[size++] = ordinal;
    if (ordinal % SLICE_ROWS === SLICE_ROWS - 1) yield;
  }
  return size === count ? rows : rows.slice(0, size);
}

/** Sorts rows of a number column by value. @param rows ordinals of the rows with a value */
export function* sortByNumber(column: AttributeColumn, rows: Uint32Array): Work<Uint32Array> {
  const high = new Uint32Array(column.count);
  const low = hasTwoWords(column) ? new Uint32Array(column.count) : null;
  const fill = keyFiller(column, high, low);
  for (let from = 0; from < column.count; from += BLOCK_ROWS) {
    fill(from, Math.min(from + BLOCK_ROWS, column.count));
    if ((from + BLOCK_ROWS) % SLICE_ROWS === 0) yield;
  }
  if (low !== null) rows = yield* sortByKeys(rows, low);
  return yield* sortByKeys(rows, high);
}

function hasTwoWords({ field: { type } }: AttributeColumn): boolean {
  return isWide(type) || (type.kind === 'float' && type.bits === 64);
}

/** Returns a function that writes the keys of a block; only `high` if one word holds them. */
function keyFiller(
  column: AttributeColumn,
  high: Uint32Array,
  low: Uint32Array | null,
): (from: number, to: number) => void {
  const { type } = column.field;
  const numbers = new Float64Array(BLOCK_ROWS);
  if (type.kind === 'float') {
    const singles = new Float32Array(BLOCK_ROWS);
    const words = new Uint32Array(low === null ? singles.buffer : numbers.buffer);
    return (from, to) => {
      readNumbers(column, from, to, numbers);
      if (low === null) singles.set(numbers);
      fillFloatKeys(words, from, to, high, low);
    };
  }
  if (low === null) {
    const min = Number(integerRange(type).min);
    return (from, to) => {
      readNumbers(column, from, to, numbers);
      for (let i = from; i < to; i++) high[i] = numbers[i - from]! - min;
    };
  }
  const words = new Uint32Array(numbers.buffer);
  const flip = signFlip(column);
  return (from, to) => {
    readWords(column, from, to, words);
    for (let i = from; i < to; i++) {
      low[i] = words[2 * (i - from)]!;
      high[i] = words[2 * (i - from) + 1]! ^ flip;
    }
  };
}

/** Floats sort as unsigned once the sign bit is flipped, and all bits of negative ones. -0 comes right before 0. */
function fillFloatKeys(words: Uint32Array, from: number, to: number, high: Uint32Array, low: Uint32Array | null): void {
  for (let i = from; i < to; i++) {
    const at = low === null ? i - from : 2 * (i - from) + 1;
    const isNegative = words[at]! >>> 31 === 1;
    high[i] = isNegative ? ~words[at]! : words[at]! ^ 0x80000000;
    if (low !== null) low[i] = isNegative ? ~words[at - 1]! : words[at - 1]!;
  }
}

const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;

/** Stable sort of rows by their keys. @param keys by ordinal @returns a new array, or `rows` */
export function* sortByKeys(rows: Uint32Array, keys: Uint32Array): Work<Uint32Array> {
  let sorted: Uint32Array = rows;
  let spare: Uint32Array = new Uint32Array(rows.length);
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    const places = yield* countDigits(sorted, keys, shift);
    if (places === null) continue;
    for (let from = 0; from < sorted.length; from += SLICE_ROWS) {
      const to = Math.min(from + SLICE_ROWS, sorted.length);
      for (let i = from; i < to; i++) {
        const row = sorted[i]!;
        const digit = (keys[row]! >>> shift) & (DIGITS - 1);
        spare[places[digit]!++] = row;
      }
      yield;
    }
    [sorted, spare] = [spare, sorted === rows ? new Uint32Array(rows.length) : sorted];
  }
  return sorted;
}

/** The first place of each digit; null if all rows have the same digit, so that nothing moves. */
function* countDigits(rows: Uint32Array, keys: Uint32Array, shift: number): Work<Uint32Array | null> {
  const counts = new Uint32Array(DIGITS);
  for (let from = 0; from < rows.length; from += SLICE_ROWS) {
    const to = Math.min(from + SLICE_ROWS, rows.length);
    for (let i = from; i < to; i++) counts[(keys[rows[i]!]! >>> shift) & (DIGITS - 1)]!++;
    yield;
  }
  if (counts.includes(rows.length)) return null;
  let next = 0;
  for (let digit = 0; digit < DIGITS; digit++) {
    const rowsOfDigit = counts[digit]!;
    counts[digit] = next;
    next += rowsOfDigit;
  }
  return counts;
}

/** The range of each interval in ordinals sorted by the values of their column. */
export function* findRanges(
  column: AttributeColumn,
  sorted: Uint32Array,
  intervals: Intervals<number> | Intervals<bigint>,
  meter: Meter,
): Work<SortedRange[]> {
  const ranges: SortedRange[] = [];
  for (let i = 0; i < intervals.length; i += 2) {
    const from = lowerBound(sorted.length, (place) => numberAt(column, sorted[place]!) < intervals[i]!);
    const to = lowerBound(sorted.length, (place) => numberAt(column, sorted[place]!) <= intervals[i + 1]!);
    if (from < to) ranges.push({ from, to });
    if (meter.spend(RANGE_UNITS)) yield;
  }
  return ranges;
}

/** Two binary searches of some 20 steps, most of which miss the processor's caches. */
const RANGE_UNITS = 2_000;

/** Binary search for the first place that is not before. @param isBefore true up to some place, false from there on */
export function lowerBound(length: number, isBefore: (place: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
