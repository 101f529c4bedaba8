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
export const OPTION_CHECKS: Checks = {
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
      return null; // parsing reports its errors
    case 'members':
      return hasMembers(term.members, value) ? null : `an object with ${Object.keys(term.members).join(' and ')}`;
  }
}

/** Options that only the server has. */
const UNSUPPORTED = ['timeoutMs', 'allowPartial'];

function isShardList(value: unknown): boolean {
  if (!Array.isArray(value) || value.length === 0 || new Set(value).size < value.length) return false;
  return value.every((shard) => Number.isInteger(shard) && shard >= 0);
}

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
  checkMembers('option', options, OPTION_CHECKS);
  return { ...options, k: options.k ?? DEFAULT_K };
}

const OPENING_CHECKS: Checks = {
  version: expect('a string', (value) => typeof value === 'string'),
  shards: expect('a list of different shard numbers, such as [0, 1]', isShardList),
  threads: expect('a whole number above 0', (value) => Number.isInteger(value) && (value as number) > 0),
  signal: OPTION_CHECKS['signal']!,
};

/** Options of `openIndex`. @throws as `checkOptions` */
export function checkOpening(options: unknown): void {
  checkMembers('option', options, OPENING_CHECKS);
}

const SEED_CHECKS: Checks = {
  id: expect('a string', (value) => typeof value === 'string'),
  vector: expect('a Float32Array', (value) => value instanceof Float32Array),
  weight: expect('a number', (value) => typeof value === 'number'),
  quota: expect('a number', (value) => typeof value === 'number'),
};

/** @throws as `checkOptions`; bad_request for a seed that is not either an item or a vector */
export function checkSeeds(seeds: unknown): void {
  if (!Array.isArray(seeds)) throw new ShortlistError('bad_field', 'seeds must be a list', { field: 'seeds' });
  for (const [position, seed] of seeds.entries()) {
    const field = `seeds[${position}]`;
    checkMembers(`${field}: member`, seed, SEED_CHECKS);
    const { id, vector } = seed as { readonly id?: unknown; readonly vector?: unknown };
    if ((id === undefined) !== (vector === undefined)) continue;
    throw new ShortlistError('bad_request', `${field} must have either id or vector`, { field });
  }
}

/** @throws bad_field for an id that is not a string */
export function checkId(id: unknown): void {
  if (typeof id === 'string') return;
  throw new ShortlistError('bad_field', `an id must be a string, not ${typeof id}`, { field: 'id' });
}

/** @throws bad_field for names that are not a list of strings */
export function checkNames(names: unknown): void {
  if (names === undefined || isTextList(names)) return;
  throw new ShortlistError('bad_field', 'names must be a list of strings', { field: 'names' });
}

type Checks = Readonly<Record<string, (value: unknown) => string | null>>;

function checkMembers(what: string, given: unknown, checks: Checks): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new ShortlistError('bad_field', `${what}s must be in an object`);
  }
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(checks, name)) throw unknownMember(what, name, checks);
    const wanted = checks[name]!(value);
    if (wanted !== null) throw new ShortlistError('bad_field', `${what} ${name} must be ${wanted}`, { field: name });
  }
}

function unknownMember(what: string, name: string, checks: Checks): ShortlistError {
  if (UNSUPPORTED.includes(name)) {
    return new ShortlistError('unsupported', `${what} ${name} is not supported by this release`, { field: name });
  }
  const message = `there is no ${what} ${name}${didYouMean(name, Object.keys(checks))}`;
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
