/**
 * The values of a column in JSON.
 *
 * - Integers are numbers within 2^53, else decimal strings, since JSON numbers are read as doubles.
 * - float32 and float16 are the shortest decimal that restores the float32. NaN is null. JSON has no infinities: they
 *   are the strings "Infinity" and "-Infinity".
 * - Dates are `YYYY-MM-DD`, timestamps `YYYY-MM-DDTHH:MM:SS` with the digits of their unit, and a trailing Z if the
 *   column has a timezone (Arrow then counts from the epoch in UTC). A year outside of 0 to 9999 has a sign and six
 *   digits, as in ECMAScript.
 * - Decimals are the nearest float64.
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
      if (Number.isNaN(number)) return null;
      if (!Number.isFinite(number)) return number > 0 ? 'Infinity' : '-Infinity';
      return type.bits === 64 ? number : shortestFloat32(number);
    }
    case 'date':
      return type.unit === 'day' ? isoDate(Number(value)) : isoDate(Number(floorDivide(BigInt(value), MS_PER_DAY)));
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
const SECONDS_PER_DAY = 86_400;
const UNIT_DIGITS = { s: 0, ms: 3, us: 6, ns: 9 } as const;
const UNITS_PER_SECOND = { 0: 1n, 3: 1_000n, 6: 1_000_000n, 9: 1_000_000_000n } as const;

/** BigInt division rounds towards zero; days and seconds before 1970 must be rounded down. */
function floorDivide(value: bigint, divisor: bigint): bigint {
  return value / divisor - (value % divisor < 0n ? 1n : 0n);
}

/** @param digits of the fraction: `count` is in units of 10^-digits seconds */
function isoTimestamp(count: bigint, digits: 0 | 3 | 6 | 9): string {
  const perSecond = UNITS_PER_SECOND[digits];
  const wholeSeconds = floorDivide(count, perSecond);
  // Days are at most 2^63 / 86,400, so days and seconds are exact as numbers.
  const days = Number(floorDivide(wholeSeconds, BigInt(SECONDS_PER_DAY)));
  const second = Number(wholeSeconds - BigInt(days) * BigInt(SECONDS_PER_DAY));
  const clock = `${twoDigits(Math.floor(second / 3600))}:${twoDigits(Math.floor(second / 60) % 60)}:${twoDigits(second % 60)}`;
  const fraction = digits === 0 ? '' : `.${pad(Number(count - wholeSeconds * perSecond), digits)}`;
  return `${isoDate(days)}T${clock}${fraction}`;
}

/** Days per 400 years, after which the calendar repeats. */
const DAYS_PER_ERA = 146_097;
/** From 0000-03-01, where eras begin, to 1970-01-01. */
const DAYS_TO_EPOCH = 719_468;

/** The Gregorian date of a day since 1970-01-01 (Howard Hinnant's algorithm), four times as fast as `Date`. */
function isoDate(days: number): string {
  const era = Math.floor((days + DAYS_TO_EPOCH) / DAYS_PER_ERA);
  const dayOfEra = days + DAYS_TO_EPOCH - era * DAYS_PER_ERA;
  const leapDays = Math.floor(dayOfEra / 1_460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return `${isoYear(year)}-${twoDigits(month)}-${twoDigits(day)}`;
}

function isoYear(year: number): string {
  if (year >= 0 && year <= 9999) return pad(year, 4);
  return year < 0 ? `-${pad(-year, 6)}` : `+${pad(year, 6)}`;
}

const TWO_DIGITS = Array.from({ length: 100 }, (_, number) => pad(number, 2));

function twoDigits(number: number): string {
  return TWO_DIGITS[number]!;
}

function pad(value: number, digits: number): string {
  return value.toString().padStart(digits, '0');
}
