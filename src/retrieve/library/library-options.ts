/**
 * The options of the library's searches, checked as the server checks a request's fields: JavaScript callers have no
 * types, and an option that is silently ignored is an answer to another question.
 */
import { ShortlistError } from '../../base/errors.js';
import { DEFAULT_K } from '../../base/limits.js';
import { didYouMean } from '../../base/nearest-name.js';
import { SHARD_PLANS } from '../../engine/engine.js';
import type { SearchOptions } from '../search/search-options.js';

/** Options by name, and what each must be where it is given. */
const CHECKS: Readonly<Record<keyof SearchOptions | 'onProgress' | 'signal', (value: unknown) => string | null>> = {
  k: expect('a number', (value) => typeof value === 'number'),
  ef: expect('a number', (value) => typeof value === 'number'),
  targetRecall: expect('a number', (value) => typeof value === 'number'),
  exact: expect('true or false', (value) => typeof value === 'boolean'),
  excludeIds: expect('a list of strings', isTextList),
  minScore: expect('a number', (value) => typeof value === 'number' && !Number.isNaN(value)),
  filter: () => null, // checked against the attributes, by its own words
  crowding: expect('like {attribute: "shop_id", limit: 3}', isCrowding),
  explain: expect('true or false', (value) => typeof value === 'boolean'),
  whyNot: expect('a list of strings', isTextList),
  plan: expect(`one of ${SHARD_PLANS.join(', ')}`, (value) => (SHARD_PLANS as readonly unknown[]).includes(value)),
  onProgress: expect('a function', (value) => typeof value === 'function'),
  signal: expect('an AbortSignal', (value) => value instanceof AbortSignal),
};

/** Options of the contract that this release cannot honour. */
const UNSUPPORTED = ['timeoutMs', 'allowPartial'];

function isTextList(value: unknown): boolean {
  return Array.isArray(value) && value.every((id) => typeof id === 'string');
}

function isCrowding(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { attribute, limit, ...others } = value as Record<string, unknown>;
  return typeof attribute === 'string' && typeof limit === 'number' && Object.keys(others).length === 0;
}

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
