/** Errors of filters, with the path of the clause. */
import { ShortlistError, type ErrorDetails } from '../../base/errors.js';

/** @param path JSON pointer of the clause */
export function badFilter(path: string, problem: string, details: ErrorDetails = {}): ShortlistError {
  const where = path === '' ? 'the filter' : `the filter at ${shorten(path, 200)}`;
  return new ShortlistError('bad_filter', `${where}: ${problem}`, { path, ...details });
}

/** The path of a member or item. */
export function pathTo(path: string, member: string | number): string {
  return `${path}/${String(member).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** Text of a request as messages show it: escaped and shortened. */
export function quote(text: string): string {
  return JSON.stringify(shorten(text, 64));
}

function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}

export function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return `the text ${quote(value)}`;
  if (typeof value === 'number') return `the number ${value}`;
  if (typeof value === 'boolean') return String(value);
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return Object.prototype.toString.call(value) === '[object Object]'; // not a Map or Date, whose members nobody sees
}
