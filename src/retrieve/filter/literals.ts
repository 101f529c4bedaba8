/**
 * Converts literals of a filter to the type of their column: which values satisfy an operator with its literal.
 *
 * - float32 and float16 columns compare with the literal rounded to their type: 19.99 finds the stored 19.99.
 *   "Infinity" and "-Infinity" are values, as answers show them; a number beyond float64 is read as one of them.
 * - Integer columns take whole numbers within 2^53; 64-bit columns also take decimal text. Range bounds may have a
 *   fraction.
 * - A range bound outside of a column's range is no limit; equality with such a value finds nothing. Equality with a
 *   fraction is an error.
 * - Dates and timestamps are `YYYY-MM-DD`, optionally with a time, in UTC unless an offset is given, whatever the
 *   column's timezone. A column without a timezone counts as UTC. A time within the day lies between two values of a
 *   date column.
 */
import { float16ToNumber } from '../../base/float32.js';
import type { ColumnType } from '../../arrow/column.js';
import { MAX_ID_BYTES } from '../../base/limits.js';
import { numberToFloat16 } from '../../arrow/float16.js';
import { MAX_FILTER_TEXT, type Intervals } from './filter-plan.js';
import { interval } from './intervals.js';
import { parseIsoTime } from './iso-time.js';
import { describe } from './problem.js';

/** A problem with a literal; the parser adds the place. */
export class LiteralProblem extends Error {}

export type Comparison = '$eq' | '$gt' | '$gte' | '$lt' | '$lte';

export function boolLiteral(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new LiteralProblem(`takes true or false, not ${describe(value)}`);
}

export function textLiteral(value: unknown): string {
  if (typeof value !== 'string') throw new LiteralProblem(`takes a text, not ${describe(value)}`);
  if (value.length > MAX_FILTER_TEXT) {
    throw new LiteralProblem(`takes texts of up to ${MAX_FILTER_TEXT} characters, not of ${value.length}`);
  }
  // A lone surrogate has no UTF-8 form, so no column holds it; encoding would replace it by another character.
  if (/\p{Surrogate}/u.test(value))
    throw new LiteralProblem('takes valid Unicode text; this one has half a surrogate pair');
  return value;
}

type FloatType = ColumnType & { readonly kind: 'float' };

/** The values of a float column that satisfy the comparison. */
export function floatInterval(type: FloatType, comparison: Comparison, value: unknown): Intervals<number> {
  const number = floatLiteral(value);
  const rounded = roundTo(type.bits, number);
  if (!Number.isFinite(rounded) && Number.isFinite(number)) return beyondFinite(type.bits, comparison, number > 0);
  switch (comparison) {
    case '$eq':
      return interval(rounded, rounded);
    case '$gt':
      return rounded === Infinity ? [] : interval(nextDouble(rounded, 1), Infinity);
    case '$gte':
      return interval(rounded, Infinity);
    case '$lt':
      return rounded === -Infinity ? [] : interval(-Infinity, nextDouble(rounded, -1));
    case '$lte':
      return interval(-Infinity, rounded);
  }
}

function floatLiteral(value: unknown): number {
  if (typeof value === 'number' && !Number.isNaN(value)) return value;
  if (value === 'Infinity') return Infinity;
  if (value === '-Infinity') return -Infinity;
  const advice = value === 'NaN' || Number.isNaN(value) ? '; NaN counts as null: use {"$eq": null} to find it' : '';
  throw new LiteralProblem(`takes a number, "Infinity" or "-Infinity", not ${describe(value)}${advice}`);
}

function roundTo(bits: 16 | 32 | 64, value: number): number {
  if (bits === 64) return value;
  return bits === 32 ? Math.fround(value) : float16ToNumber(numberToFloat16(value));
}

const LARGEST = { 16: 65_504, 32: (2 - 2 ** -23) * 2 ** 127, 64: Number.MAX_VALUE } as const;

/** For a finite literal between the type's largest finite value and infinity. */
function beyondFinite(bits: 16 | 32 | 64, comparison: Comparison, isPositive: boolean): Intervals<number> {
  if (comparison === '$eq') return [];
  const wantsAbove = comparison === '$gt' || comparison === '$gte';
  if (isPositive) return wantsAbove ? [Infinity, Infinity] : [-Infinity, LARGEST[bits]];
  return wantsAbove ? [-LARGEST[bits], Infinity] : [-Infinity, -Infinity];
}

const double = new Float64Array(1);
const doubleBits = new BigInt64Array(double.buffer);

/** The next double in the direction. @param value not the last one in that direction */
function nextDouble(value: number, direction: 1 | -1): number {
  if (value === 0) return direction * Number.MIN_VALUE;
  double[0] = value;
  doubleBits[0] = doubleBits[0]! + (value > 0 === direction > 0 ? 1n : -1n);
  return double[0];
}

/** A literal on the scale of an integer column: covers counts from `first` on, or lies just before `first`. */
interface Point {
  readonly first: bigint;
  /** Number of counts it covers: 1, a day's milliseconds for date64, or 0 between two counts. */
  readonly width: bigint;
}

export function integerRange(type: ColumnType): { readonly min: bigint; readonly max: bigint } {
  const bits = type.kind === 'int' ? type.bits : type.kind === 'date' && type.unit === 'day' ? 32 : 64;
  if (type.kind === 'int' && !type.signed) return { min: 0n, max: 2n ** BigInt(bits) - 1n };
  return { min: -(2n ** BigInt(bits - 1)), max: 2n ** BigInt(bits - 1) - 1n };
}

/** The values of an int, date or timestamp column that satisfy the comparison. */
export function integerInterval(type: ColumnType, comparison: Comparison, value: unknown): Intervals<bigint> {
  const { first, width } = pointOf(type, value);
  const { min, max } = integerRange(type);
  const clamped = (low: bigint, high: bigint): Intervals<bigint> =>
    interval(low < min ? min : low, high > max ? max : high);
  switch (comparison) {
    case '$eq':
      if (width === 0n) throw new LiteralProblem(inexactLiteral(type, value));
      return clamped(first, first + width - 1n);
    case '$gt':
      return clamped(first + width, max);
    case '$gte':
      return clamped(first, max);
    case '$lt':
      return clamped(min, first - 1n);
    case '$lte':
      return clamped(min, first + width - 1n);
  }
}

function inexactLiteral(type: ColumnType, value: unknown): string {
  if (type.kind === 'date') return `takes whole days here, not ${describe(value)}; use $gt and $lt`;
  if (type.kind === 'timestamp')
    return `takes times in whole ${type.unit} here, not ${describe(value)}; use $gt and $lt`;
  return `takes whole numbers here, not ${describe(value)}`;
}

function pointOf(type: ColumnType, value: unknown): Point {
  switch (type.kind) {
    case 'int':
      return typeof value === 'string' && type.bits === 64 ? decimalPoint(value) : numberPoint(type, value);
    case 'date':
      return datePoint(type.unit, value);
    case 'timestamp':
      return timePoint(type.unit, value);
    default:
      throw new TypeError(`${type.kind} is not stored as integers`);
  }
}

/** More digits than any column's range has, so that values beyond it can be given. */
const DECIMAL = /^-?\d{1,40}$/;

function decimalPoint(text: string): Point {
  if (DECIMAL.test(text)) return { first: BigInt(text), width: 1n };
  throw new LiteralProblem(`takes a whole number or its decimal text, not ${describe(text)}`);
}

const BEYOND = 2n ** 100n;

type IntType = ColumnType & { readonly kind: 'int' };

function numberPoint(type: IntType, value: unknown): Point {
  if (typeof value !== 'number' || Number.isNaN(value)) {
    throw new LiteralProblem(`takes a number, not ${describe(value)}`);
  }
  if (!Number.isFinite(value)) return { first: value > 0 ? BEYOND : -BEYOND, width: 1n };
  const whole = Math.floor(value);
  const first = BigInt(whole);
  if (Math.abs(value) > Number.MAX_SAFE_INTEGER && isWithin(integerRange(type), first)) {
    const message = `takes numbers within 2^53, not ${value}: JSON loses digits beyond; write the number as text`;
    throw new LiteralProblem(message);
  }
  return whole === value ? { first, width: 1n } : { first: first + 1n, width: 0n };
}

function isWithin({ min, max }: { readonly min: bigint; readonly max: bigint }, value: bigint): boolean {
  return value >= min && value <= max;
}

/** The canonical text of an id: a text unchanged, or a whole number. */
export function idLiteral(value: unknown): string {
  if (typeof value === 'string' && value.length <= MAX_ID_BYTES) return value;
  if (typeof value === 'string') throw new LiteralProblem(`takes ids of up to ${MAX_ID_BYTES} bytes`);
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  throw new LiteralProblem(`takes an id, a text or a whole number within 2^53, not ${describe(value)}`);
}

const NS_PER_DAY = 86_400_000_000_000n;
const MS_PER_DAY = 86_400_000n;

function datePoint(unit: 'day' | 'ms', value: unknown): Point {
  const ns = typeof value === 'string' ? parseIsoTime(value) : null;
  if (ns === null) throw new LiteralProblem(`takes a date like "2026-03-31", not ${describe(value)}`);
  const day = pointOn(NS_PER_DAY, ns);
  if (unit === 'day') return day;
  // date64 counts milliseconds, and a date covers all of its day.
  return day.width === 0n ? pointOn(NS_PER_UNIT.ms, ns) : { first: day.first * MS_PER_DAY, width: MS_PER_DAY };
}

/** A time on a scale of `perCount` nanoseconds per count. */
function pointOn(perCount: bigint, ns: bigint): Point {
  const rest = ((ns % perCount) + perCount) % perCount;
  const floor = (ns - rest) / perCount;
  return rest === 0n ? { first: floor, width: 1n } : { first: floor + 1n, width: 0n };
}

const NS_PER_UNIT = { s: 1_000_000_000n, ms: 1_000_000n, us: 1_000n, ns: 1n } as const;

function timePoint(unit: 's' | 'ms' | 'us' | 'ns', value: unknown): Point {
  const ns = typeof value === 'string' ? parseIsoTime(value) : null;
  if (ns === null) {
    const examples = '"2026-03-31T12:00:00Z" or "2026-03-31"';
    throw new LiteralProblem(`takes a time like ${examples}, not ${describe(value)}`);
  }
  return pointOn(NS_PER_UNIT[unit], ns);
}
