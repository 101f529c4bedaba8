/**
 * Checks the options of the library's searches as the server checks a request's fields. JavaScript callers have no
 * types, and a misspelled option must not be ignored silently.
 */
import { ShortlistError } from '../../base/errors.js';
import { DEFAULT_K } from '../../base/limits.js';
import { didYouMean } from '../../base/nearest-name.js';
import { SEARCH_OPTIONS, type Term } from '../../wire/search-terms.js';
import { SHARD_PLANS } from '../../wire/shard-plans.js';
import type { SearchOptions } from '../search/search-options.js';

/** For each option, a check that returns what the value must be, or null if it is valid. */
export const OPTION_CHECKS: Readonly<Record<string, (value: unknown) => string | null>> = {
  ...Object.fromEntries([...SEARCH_OPTIONS].map(([name, term]) => [name, (value: unknown) => expectTerm(term, value)])),
  plan: expect(`one of ${SHARD_PLANS.join(', ')}`, (value) => (SHARD_PLANS as readonly unknown[]).includes(value)),
  onProgress: expect('a function', (value) => typeof value === 'function'),
  signal: expect('an AbortSignal', (value) => value instanceof AbortSignal),
};

/** Checks only the type: the search checks limits. */
function expectTerm(term: Term, value: unknown): string | null {
  if (value === undefined) return null;
  switch (term.kind) {
    case 'whole':
    case 'number':
      return typeof value === 'number' && !Number.isNaN(value) ? null : 'a number';
    case 'boolean':
      return typeof value === 'boolean' ? null : 'true or false';
    case 'text':
      return typeof value === 'string' ? null : 'a string';
    case 'ids':
    case 'names':
      return isTextList(value) ? null : 'a list of strings';
    case 'filter':
      return null; // parsing it reports its errors
    case 'members':
      return hasMembers(term.members, value) ? null : `an object with ${Object.keys(term.members).join(' and ')}`;
  }
}

/** Options that only the server has. */
const UNSUPPORTED = ['timeoutMs', 'allowPartial'];

function isTextList(value: unknown): boolean {
  return Array.isArray(value) && value.every((id) => typeof id === 'string');
}

function hasMembers(members: Readonly<Record<string, Term>>, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const given = value as Record<string, unknown>;
  if (!Object.keys(given).every((name) => Object.hasOwn(members, name))) return false;
  return Object.entries(members).every(
    ([name, term]) => given[name] !== undefined && expectTerm(term, given[name]) === null,
  );
}

function expect(what: string, isValid: (value: unknown) => boolean): (value: unknown) => string | null {
  return (value) => (value === undefined || isValid(value) ? null : what);
}

/** @throws unknown_field, unsupported, bad_field, naming the option */
export function checkOptions(options: Partial<SearchOptions>): SearchOptions {
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(OPTION_CHECKS, name)) throw unknownOption(name);
    const wanted = OPTION_CHECKS[name]!(value);
    if (wanted !== null) throw new ShortlistError('bad_field', `option ${name} must be ${wanted}`, { field: name });
  }
  return { ...options, k: options.k ?? DEFAULT_K };
}

function unknownOption(name: string): ShortlistError {
  if (UNSUPPORTED.includes(name)) {
    return new ShortlistError('unsupported', `option ${name} is not supported by this release`, { field: name });
  }
  const message = `there is no option ${name}${didYouMean(name, Object.keys(OPTION_CHECKS))}`;
  return new ShortlistError('unknown_field', message, { field: name });
}

/** @throws bad_vector for anything but a Float32Array */
export function checkArray(value: unknown): void {
  if (value instanceof Float32Array) return;
  throw new ShortlistError(
    'bad_vector',
    'queries must be a Float32Array; convert an array with Float32Array.from(array)',
  );
}
