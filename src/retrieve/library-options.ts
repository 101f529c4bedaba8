/**
 * The options of the library's searches, checked as the server checks a request's fields: JavaScript callers have no types,
 * and an option that is silently ignored is an answer to another question.
 */
import { ShortlistError } from '../base/errors.js';
import { DEFAULT_K } from '../base/limits.js';
import { didYouMean } from '../base/nearest-name.js';
import type { SearchOptions } from './search.js';

/** Options by name, and what each must be where it is given. */
const CHECKS: Readonly<Record<keyof SearchOptions | 'onProgress', (value: unknown) => string | null>> = {
  k: expect('a number', (value) => typeof value === 'number'),
  ef: expect('a number', (value) => typeof value === 'number'),
  targetRecall: expect('a number', (value) => typeof value === 'number'),
  exact: expect('true or false', (value) => typeof value === 'boolean'),
  excludeIds: expect(
    'a list of strings',
    (value) => Array.isArray(value) && value.every((id) => typeof id === 'string'),
  ),
  minScore: expect('a number', (value) => typeof value === 'number' && !Number.isNaN(value)),
  onProgress: expect('a function', (value) => typeof value === 'function'),
};

/** Options of the contract that this release cannot honour. */
const UNSUPPORTED = ['filter', 'seeds', 'crowding', 'timeoutMs', 'allowPartial'];

function expect(what: string, holds: (value: unknown) => boolean): (value: unknown) => string | null {
  return (value) => (value === undefined || holds(value) ? null : what);
}

/** @throws unknown_field, unsupported, bad_field, naming the option */
export function checkOptions(options: Partial<SearchOptions>): SearchOptions {
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(CHECKS, name)) throw unknownOption(name);
    const wanted = CHECKS[name as keyof typeof CHECKS](value);
    if (wanted !== null) throw new ShortlistError('bad_field', `option ${name} must be ${wanted}`, { field: name });
  }
  return { ...options, k: options.k ?? DEFAULT_K };
}

function unknownOption(name: string): ShortlistError {
  if (UNSUPPORTED.includes(name)) {
    return new ShortlistError('unsupported', `option ${name} is not supported by this release`, { field: name });
  }
  const message = `there is no option ${name}${didYouMean(name, Object.keys(CHECKS))}`;
  return new ShortlistError('unknown_field', message, { field: name });
}

/** @throws bad_vector for anything but a Float32Array */
export function checkArray(value: unknown): void {
  if (value instanceof Float32Array) return;
  throw new ShortlistError('bad_vector', 'queries are a Float32Array; make one of a list with Float32Array.from(list)');
}
