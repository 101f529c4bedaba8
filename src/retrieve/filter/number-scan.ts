/**
 * Scans a column of numbers for many tests at once. A test has intervals and passes rows whose value lies in one of
 * them. Rows without a value may pass; callers mask them.
 */
import type { Column } from '../../arrow/column.js';
import type { AttributeColumn } from '../../version/sealed/attribute-column.js';
import { emptySets } from './bits.js';
import { BLOCK_ROWS, readNumbers, readWords } from './column-blocks.js';
import type { Intervals, Test } from './filter-plan.js';
import type { Rows } from './rows.js';
import { throwUnsupported } from './value-index.js';
import type { Meter, Work } from '../../base/work.js';

/** Tests the rows of a block; the first has this position. */
type BlockTest = (rows: number, firstPosition: number) => void;

interface Prepared {
  readonly test: BlockTest;
  readonly cost: number;
}

export function* scanNumbers(
  column: AttributeColumn,
  tests: readonly Test[],
  rows: Rows,
  meter: Meter,
): Work<Uint32Array[]> {
  const outs = yield* emptySets(tests.length, rows.count, meter);
  const block = new Float64Array(BLOCK_ROWS); // for 64-bit integers it holds their words
  const words = new Uint32Array(block.buffer);
  const flip = signFlip(column);
  const isWide = tests[0]?.kind === 'integers';
  const prepared = tests.map((test, i): Prepared => {
    if (test.kind === 'numbers' && !isWide) return testNumbers(block, test.intervals, outs[i]!);
    return test.kind === 'integers' ? testIntegers(words, flip, test.intervals, outs[i]!) : throwUnsupported(test);
  });
  for (let from = 0; from < rows.count; from += BLOCK_ROWS) {
    const to = Math.min(from + BLOCK_ROWS, rows.count);
    if (rows.list !== null) gatherValues(column, rows.list, from, to, block);
    else if (isWide) readWords(column, from, to, words);
    else readNumbers(column, from, to, block);
    if (meter.spend((rows.list === null ? 1 : 40) * (to - from))) yield;
    for (const { test, cost } of prepared) {
      test(to - from, from);
      if (meter.spend(cost * (to - from))) yield;
    }
  }
  return outs;
}

/** Reads the values of the listed rows: doubles, or the bits of 64-bit integers. */
function gatherValues(column: AttributeColumn, list: Uint32Array, from: number, to: number, out: Float64Array): void {
  const integers = new BigInt64Array(out.buffer);
  for (let i = from; i < to; i++) {
    const value = numberAt(column, list[i]!);
    if (typeof value === 'bigint') integers[i - from] = value;
    else out[i - from] = value;
  }
}

/** The number at a position as stored: a bigint if the column has 64-bit integers. */
export function numberAt(column: AttributeColumn, position: number): number | bigint {
  const { first, column: chunk } = column.chunks[column.chunkOf(position)]!;
  return (chunk as Column & { readonly shape: 'numbers' }).values[position - first]!;
}

function testNumbers(block: Float64Array, intervals: Intervals<number>, out: Uint32Array): Prepared {
  if (intervals.length === 0) return { test: () => undefined, cost: 0 };
  if (intervals.length > 2) {
    const bounds = Float64Array.from(intervals);
    return { test: (rows, first) => addInAny(block, rows, bounds, out, first), cost: searchCost(intervals) };
  }
  const [low, high] = intervals as readonly [number, number];
  return { test: (rows, first) => addBetween(block, rows, low, high, out, first), cost: 2 };
}

function searchCost({ length }: { readonly length: number }): number {
  return 4 * Math.ceil(Math.log2(length));
}

function addBetween(
  block: Float64Array,
  rows: number,
  low: number,
  high: number,
  out: Uint32Array,
  firstPosition: number,
): void {
  for (let row = 0, word = firstPosition >>> 5; row < rows; word++) {
    let bits = 0;
    const end = Math.min(row + 32, rows);
    for (let bit = 0; row < end; row++, bit++) {
      const value = block[row]!;
      bits |= (Number(value >= low) & Number(value <= high)) << bit;
    }
    out[word] = bits;
  }
}

function addInAny(block: Float64Array, rows: number, bounds: Float64Array, out: Uint32Array, first: number): void {
  for (let row = 0, position = first; row < rows; row++, position++) {
    if (isInAny(bounds, block[row]!)) out[position >>> 5]! |= 1 << (position & 31);
  }
}

/** Binary search over bounds that lie side by side in memory. */
function isInAny(bounds: Float64Array, value: number): boolean {
  let low = 0;
  let high = bounds.length / 2;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (bounds[2 * middle + 1]! < value) low = middle + 1;
    else high = middle;
  }
  return 2 * low < bounds.length && bounds[2 * low]! <= value;
}

/** The sign bit of signed values: flipping it makes the words sort as unsigned. */
export function signFlip(column: AttributeColumn): number {
  const { type } = column.field;
  return type.kind === 'int' && !type.signed ? 0 : 0x80000000;
}

function testIntegers(words: Uint32Array, flip: number, intervals: Intervals<bigint>, out: Uint32Array): Prepared {
  if (intervals.length === 0) return { test: () => undefined, cost: 0 };
  const bounds = Uint32Array.from(intervals.flatMap((bound) => [highWord(bound, flip), lowWord(bound)]));
  if (intervals.length > 2) {
    return {
      test: (rows, first) => addWordsInAny(words, rows, flip, bounds, out, first),
      cost: 2 * searchCost(bounds),
    };
  }
  return { test: (rows, first) => addWordsBetween(words, rows, flip, bounds, out, first), cost: 3 };
}

function lowWord(value: bigint): number {
  return Number(value & 0xffffffffn);
}

function highWord(value: bigint, flip: number): number {
  return (Number((value >> 32n) & 0xffffffffn) ^ flip) >>> 0;
}

function addWordsBetween(
  words: Uint32Array,
  rows: number,
  flip: number,
  bounds: Uint32Array,
  out: Uint32Array,
  firstPosition: number,
): void {
  const [lowHigh, lowLow, highHigh, highLow] = bounds as unknown as [number, number, number, number];
  for (let row = 0, word = firstPosition >>> 5; row < rows; word++) {
    let bits = 0;
    const end = Math.min(row + 32, rows);
    for (let bit = 0; row < end; row++, bit++) {
      const high = (words[2 * row + 1]! ^ flip) >>> 0;
      const low = words[2 * row]!;
      const isAbove = Number(high > lowHigh) | (Number(high === lowHigh) & Number(low >= lowLow));
      const isBelow = Number(high < highHigh) | (Number(high === highHigh) & Number(low <= highLow));
      bits |= (isAbove & isBelow) << bit;
    }
    out[word] = bits;
  }
}

function addWordsInAny(
  words: Uint32Array,
  rows: number,
  flip: number,
  bounds: Uint32Array,
  out: Uint32Array,
  firstPosition: number,
): void {
  for (let row = 0, position = firstPosition; row < rows; row++, position++) {
    const high = (words[2 * row + 1]! ^ flip) >>> 0;
    if (containsWords(bounds, high, words[2 * row]!)) out[position >>> 5]! |= 1 << (position & 31);
  }
}

/** As `isInAny`, for bounds of two words. */
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
