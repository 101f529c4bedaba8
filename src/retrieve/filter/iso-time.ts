/**
 * Parses ISO 8601 texts into nanoseconds since 1970-01-01. Accepts the format of answers (arrow/column-value.ts), and
 * also offsets (`+02:00`, `+0200`, `+02`), a space instead of the T, times without seconds, and a date alone for its
 * midnight.
 *
 * By hand: Date and the packages based on it stop at milliseconds, but attributes have nanoseconds. Temporal has them,
 * but Node up to 24 has no Temporal.
 */

const NS_PER_SECOND = 1_000_000_000n;
const SECONDS_PER_DAY = 86_400;

const DATE = /^(\d{4}|[+-]\d{6,7})-(\d\d)-(\d\d)/;
const CLOCK = /^[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?([Zz]|[+-]\d\d(?::?\d\d)?)?$/;

/** Nanoseconds of a date, with or without a time. A time without an offset is UTC. Null if the text is not a time. */
export function parseIsoTime(text: string): bigint | null {
  const date = DATE.exec(text);
  const days = date === null ? null : daysOf(date);
  if (date === null || days === null) return null;
  const clock = text.slice(date[0].length);
  const ns = clock === '' ? 0n : clockNs(clock);
  return ns === null ? null : BigInt(days) * BigInt(SECONDS_PER_DAY) * NS_PER_SECOND + ns;
}

/** Nanoseconds since midnight, in UTC. */
function clockNs(text: string): bigint | null {
  const match = CLOCK.exec(text);
  if (match === null) return null;
  const [hour, minute, second] = [match[1], match[2], match[3] ?? '0'].map(Number) as [number, number, number];
  const offset = offsetSeconds(match[5] ?? 'Z');
  if (hour > 23 || minute > 59 || second > 59 || offset === null) return null;
  const seconds = hour * 3600 + minute * 60 + second - offset;
  return BigInt(seconds) * NS_PER_SECOND + BigInt((match[4] ?? '').padEnd(9, '0'));
}

function offsetSeconds(text: string): number | null {
  if (text.length === 1) return 0;
  const [hours, minutes] = [Number(text.slice(1, 3)), Number(text.slice(3).replace(':', ''))];
  if (hours > 23 || minutes > 59) return null;
  return (text.startsWith('-') ? -1 : 1) * (hours * 3600 + minutes * 60);
}

const DAYS_PER_ERA = 146_097;
const DAYS_TO_EPOCH = 719_468;

/** Days since 1970-01-01. Years begin in March, so that leap days come last (Howard Hinnant's algorithm). */
function daysOf(match: RegExpExecArray): number | null {
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  if (match[1]!.startsWith('-') && year === 0) return null;
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return null;
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * DAYS_PER_ERA + dayOfEra - DAYS_TO_EPOCH;
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
