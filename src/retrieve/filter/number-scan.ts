/**
 * Passes over a column of numbers. Each adds to `words` the rows whose value lies in one of the intervals; what null rows
 * hold is undefined and may be added too, so callers mask by presence.
 */
import type { AttributeColumn } from '../../version/attribute-column.js';
import { BLOCK_ROWS, readNumbers, readWords } from './column-blocks.js';
import type { Intervals } from './filter-plan.js';
import { contains } from './intervals.js';

const numbers = new Float64Array(BLOCK_ROWS);
const integers = new Uint32Array(2 * BLOCK_ROWS);

export function scanNumbers(column: AttributeColumn, intervals: Intervals<number>, words: Uint32Array): void {
  if (intervals.length === 0) return;
  for (let from = 0; from < column.count; from += BLOCK_ROWS) {
    const to = Math.min(from + BLOCK_ROWS, column.count);
    readNumbers(column, from, to, numbers);
    if (intervals.length === 2) addBetween(to - from, intervals[0]!, intervals[1]!, words, from >>> 5);
    else addInAny(to - from, intervals, words, from >>> 5);
  }
}

function addBetween(rows: number, low: number, high: number, words: Uint32Array, firstWord: number): void {
  for (let row = 0, word = firstWord; row < rows; word++) {
    let bits = 0;
    const end = Math.min(row + 32, rows);
    for (let bit = 0; row < end; row++, bit++) {
      const value = numbers[row]!;
      bits |= (Number(value >= low) & Number(value <= high)) << bit;
    }
    words[word] = bits;
  }
}

function addInAny(rows: number, intervals: Intervals<number>, words: Uint32Array, firstWord: number): void {
  for (let row = 0; row < rows; row++) {
    if (contains(intervals, numbers[row]!)) words[firstWord + (row >>> 5)]! |= 1 << (row & 31);
  }
}

/** The sign bit of signed values, flipped so that words order as unsigned. */
export function signFlip(column: AttributeColumn): number {
  const { type } = column.field;
  return type.kind === 'int' && !type.signed ? 0 : 0x80000000;
}

export function scanIntegers(column: AttributeColumn, intervals: Intervals<bigint>, words: Uint32Array): void {
  if (intervals.length === 0) return;
  const flip = signFlip(column);
  const bounds = Uint32Array.from(intervals.flatMap((bound) => [highWord(bound, flip), lowWord(bound)]));
  for (let from = 0; from < column.count; from += BLOCK_ROWS) {
    const to = Math.min(from + BLOCK_ROWS, column.count);
    readWords(column, from, to, integers);
    if (intervals.length === 2) addWordsBetween(to - from, flip, bounds, words, from >>> 5);
    else addWordsInAny(to - from, flip, bounds, words, from >>> 5);
  }
}

function lowWord(value: bigint): number {
  return Number(value & 0xffffffffn);
}

function highWord(value: bigint, flip: number): number {
  return (Number((value >> 32n) & 0xffffffffn) ^ flip) >>> 0;
}

function addWordsBetween(rows: number, flip: number, bounds: Uint32Array, words: Uint32Array, firstWord: number): void {
  const [lowHigh, lowLow, highHigh, highLow] = bounds as unknown as [number, number, number, number];
  for (let row = 0, word = firstWord; row < rows; word++) {
    let bits = 0;
    const end = Math.min(row + 32, rows);
    for (let bit = 0; row < end; row++, bit++) {
      const high = (integers[2 * row + 1]! ^ flip) >>> 0;
      const low = integers[2 * row]!;
      const isAbove = Number(high > lowHigh) | (Number(high === lowHigh) & Number(low >= lowLow));
      const isBelow = Number(high < highHigh) | (Number(high === highHigh) & Number(low <= highLow));
      bits |= (isAbove & isBelow) << bit;
    }
    words[word] = bits;
  }
}

function addWordsInAny(rows: number, flip: number, bounds: Uint32Array, words: Uint32Array, firstWord: number): void {
  for (let row = 0; row < rows; row++) {
    const high = (integers[2 * row + 1]! ^ flip) >>> 0;
    if (containsWords(bounds, high, integers[2 * row]!)) words[firstWord + (row >>> 5)]! |= 1 << (row & 31);
  }
}

/** As `contains` of intervals.ts, over bounds of two words each. */
function containsWords(bounds: Uint32Array, valueHigh: number, valueLow: number): boolean {
  const isBelow = (at: number, orEqual: boolean): boolean =>
    bounds[at]! < valueHigh ||
    (bounds[at] === valueHigh && (bounds[at + 1]! < valueLow || (orEqual && bounds[at + 1] === valueLow)));
  let low = 0;
  let high = bounds.length / 4;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBelow(4 * middle + 2, false)) low = middle + 1;
    else high = middle;
  }
  return 4 * low < bounds.length && isBelow(4 * low, true);
}
