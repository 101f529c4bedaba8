/**
 * The options of the library's searches, checked as the server checks a request's fields: JavaScript callers have no
 * types, and an option that is silently ignored is an answer to another question.
 */
import { ShortlistError } from '../../base/errors.js';
import { DEFAULT_K } from '../../base/limits.js';
import { didYouMean } from '../../base/nearest-name.js';
import { SEARCH_OPTIONS, type Term } from '../../wire/search-terms.js';
import { SHARD_PLANS } from '../../wire/shard-plans.js';
import type { SearchOptions } from '../search/search-options.js';

/** What each option must be where it is given: null where it is. */
export const OPTION_CHECKS: Readonly<Record<string, (value: unknown) => string | null>> = {
  ...Object.fromEntries([...SEARCH_OPTIONS].map(([name, term]) => [name, (value: unknown) => expectTerm(term, value)])),
  plan: expect(`one of ${SHARD_PLANS.join(', ')}`, (value) => (SHARD_PLANS as readonly unknown[]).includes(value)),
  onProgress: expect('a function', (value) => typeof value === 'function'),
  signal: expect('an AbortSignal', (value) => value instanceof AbortSignal),
};

/** The kind alone: limits are checked by the search. */
function expectTerm(term: Term, value: unknown): string | null {
  if (value === undefined) return null;
  switch (term.kind) {
    case 'whole':
    case 'number':
      return typeof value === 'number' && !Number.isNaN(value) ? null : 'a number';
    case 'boolean':
      return typeof value === 'boolean' ? null : 'true or false';
    case 'text':
      return typeof value === 'string' ? null : 'a text';
    case 'ids':
    case 'names':
      return isTextList(value) ? null : 'a list of strings';
    case 'filter':
      return null; // checked against the attributes, by its own words
    case 'members':
      return hasMembers(term.members, value) ? null : `an object of ${Object.keys(term.members).join(' and ')}`;
  }
}

/** Options of the contract that this release cannot honour. */
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
  throw new ShortlistError('bad_vector', 'queries are a Float32Array; make one of a list with Float32Array.from(list)');
}
