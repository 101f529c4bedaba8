/**
 * What a value of a column is in JSON.
 *
 * - Integers are numbers within 2^53, decimal strings beyond, since JSON numbers are read as doubles.
 * - float32 and float16 are the shortest decimal that restores the float32. NaN and infinities are null: JSON has none.
 * - Dates are `YYYY-MM-DD`, timestamps `YYYY-MM-DDTHH:MM:SS` with the digits of their unit and a trailing Z where the
 *   column has a timezone (Arrow then counts from the epoch in UTC). A moment outside of the years 0 to 9999 has its year
 *   with sign and six digits, as in ECMAScript.
 * - Lists are arrays.
 */
import { shortestFloat32 } from '../base/float32.js';
import type { Column, ColumnType } from './column.js';

export type JsonValue = null | boolean | number | string | readonly JsonValue[];

/** @param row from 0 to column.rows - 1 */
export function columnValue(column: Column, row: number): JsonValue {
  if (column.valid !== null && column.valid[row] === 0) return null;
  switch (column.shape) {
    case 'bools':
      return column.values[row] === 1;
    case 'strings':
      return textAt(column.bytes, column.offsets[row]!, column.offsets[row + 1]!);
    case 'numbers':
      return numberValue(column.type, column.values[row]!);
    case 'lists': {
      const start = column.offsets[row]!;
      return Array.from({ length: column.offsets[row + 1]! - start }, (_, i) => columnValue(column.items, start + i));
    }
  }
}

function textAt(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
}

function numberValue(type: ColumnType, value: number | bigint): JsonValue {
  switch (type.kind) {
    case 'float': {
      const number = Number(value);
      if (!Number.isFinite(number)) return null;
      return type.bits === 64 ? number : shortestFloat32(number);
    }
    case 'date':
      return type.unit === 'day' ? isoDate(BigInt(value)) : isoDate(floorDivide(BigInt(value), MS_PER_DAY));
    case 'timestamp':
      return isoTimestamp(BigInt(value), UNIT_DIGITS[type.unit]) + (type.timezone === null ? '' : 'Z');
    default:
      return typeof value === 'number' ? value : safeInteger(value);
  }
}

function safeInteger(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

const MS_PER_DAY = 86_400_000n;
const SECONDS_PER_DAY = 86_400n;
const UNIT_DIGITS = { s: 0, ms: 3, us: 6, ns: 9 } as const;

/** BigInt division rounds towards zero; days and seconds before 1970 want it downwards. */
function floorDivide(value: bigint, divisor: bigint): bigint {
  return value / divisor - (value % divisor < 0n ? 1n : 0n);
}

/** @param digits of the fraction: the count is in units of 10^-digits seconds */
function isoTimestamp(count: bigint, digits: 0 | 3 | 6 | 9): string {
  const perSecond = 10n ** BigInt(digits);
  const seconds = floorDivide(count, perSecond);
  const days = floorDivide(seconds, SECONDS_PER_DAY);
  const secondOfDay = Number(seconds - days * SECONDS_PER_DAY);
  const clock = [secondOfDay / 3600, (secondOfDay / 60) % 60, secondOfDay % 60].map((part) => pad(Math.floor(part), 2));
  const fraction = digits === 0 ? '' : `.${(count - seconds * perSecond).toString().padStart(digits, '0')}`;
  return `${isoDate(days)}T${clock.join(':')}${fraction}`;
}

/** Days per 400 years, after which the calendar repeats. */
const DAYS_PER_ERA = 146_097n;

/** The proleptic Gregorian date of a day counted from 1970-01-01; any day, where `Date` ends at the year 275,760. */
function isoDate(days: bigint): string {
  const eras = floorDivide(days, DAYS_PER_ERA);
  const date = new Date(Number(days - eras * DAYS_PER_ERA) * Number(MS_PER_DAY));
  const year = BigInt(date.getUTCFullYear()) + eras * 400n;
  return `${isoYear(year)}-${pad(date.getUTCMonth() + 1, 2)}-${pad(date.getUTCDate(), 2)}`;
}

function isoYear(year: bigint): string {
  if (year >= 0n && year <= 9999n) return pad(year, 4);
  return year < 0n ? `-${pad(-year, 6)}` : `+${pad(year, 6)}`;
}

function pad(value: number | bigint, digits: number): string {
  return value.toString().padStart(digits, '0');
}
