/**
 * What a search asks for, read from JSON. Types are exact and nothing is coerced; a field that is not known is refused, so
 * that no answer quietly ignores what was asked.
 */
import { ShortlistError } from '../../base/errors.js';
import { DEFAULT_K, MAX_BATCH, MAX_EF, MAX_EXCLUDE_IDS, MAX_INCLUDE_ATTRIBUTES, MAX_K } from '../../base/limits.js';
import type { SearchOptions } from '../../retrieve/search.js';
import { didYouMean } from '../../base/nearest-name.js';
import { fieldError, isObject, kindOf } from './field-error.js';
import { readBase64Vector, readJsonVector } from './vectors.js';
import type { SearchBody } from '../schemas.js';

/** The queries in the form in which they came. `fields` are the places they stood at, for errors. */
export type Queries =
  | { readonly kind: 'vectors'; readonly vectors: readonly Float32Array[]; readonly fields: readonly string[] }
  /** End to end; how many there are follows from the dimension of the index. */
  | { readonly kind: 'packed'; readonly values: Float32Array; readonly bytes: number; readonly field: string }
  | { readonly kind: 'ids'; readonly ids: readonly string[] };

export interface Include {
  /** Attributes to return, 'all' of them, or null for none. */
  readonly attributes: readonly string[] | 'all' | null;
  readonly vectors: boolean;
}

/** Everything but the queries. */
export interface SearchTerms {
  readonly options: SearchOptions;
  readonly include: Include;
  /** A version or alias; absent: the current version. */
  readonly version: string | undefined;
  /** From the body's last byte on; Infinity: only the server's own limit holds. */
  readonly timeoutMs: number;
  /** When time runs out, answer with what there is. */
  readonly allowPartial: boolean;
}

export interface SearchRequest extends SearchTerms {
  readonly queries: Queries;
  /** True: answered in `results`; false: one query, in `candidates`; null: as many as the body holds decide. */
  readonly batch: boolean | null;
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

interface Draft extends Writable<SearchTerms> {
  queries: { queries: Queries; batch: boolean; field: string } | null;
  readonly options: Writable<SearchOptions>;
}

type FieldReader = (value: unknown, draft: Draft, field: string) => void;

/** One reader for each field of the schema, no more and no less: the type says so. */
const FIELDS: { readonly [Field in keyof SearchBody]-?: FieldReader } = {
  vector: (value, draft, field) =>
    takeQueries(draft, field, false, { kind: 'vectors', vectors: [readJsonVector(value, field)], fields: [field] }),
  vector_b64: (value, draft, field) =>
    takeQueries(draft, field, false, { kind: 'vectors', vectors: [readBase64Vector(value, field)], fields: [field] }),
  id: (value, draft, field) => takeQueries(draft, field, false, { kind: 'ids', ids: [readId(value, field)] }),
  vectors: (value, draft, field) => takeQueries(draft, field, true, readVectorList(value, field, readJsonVector)),
  vectors_b64: (value, draft, field) => takeQueries(draft, field, true, readBase64Batch(value, field)),
  ids: (value, draft, field) =>
    takeQueries(draft, field, true, {
      kind: 'ids',
      ids: readList(value, field, MAX_BATCH, 'batch_too_large').map(readIdAt(field)),
    }),
  k: (value, draft, field) => void (draft.options.k = readCount(value, field, MAX_K, 'k_out_of_range')),
  ef: (value, draft, field) => void (draft.options.ef = readCount(value, field, MAX_EF, 'ef_out_of_range')),
  exact: (value, draft, field) => void (draft.options.exact = readBoolean(value, field)),
  exclude_ids: (value, draft, field) =>
    void (draft.options.excludeIds = readList(value, field, MAX_EXCLUDE_IDS, 'bad_field').map(readIdAt(field))),
  include: (value, draft, field) => void (draft.include = readInclude(value, field)),
  min_score: (value, draft, field) => void (draft.options.minScore = readNumber(value, field)),
  timeout_ms: (value, draft, field) => void (draft.timeoutMs = readTimeout(value, field)),
  allow_partial: (value, draft, field) => void (draft.allowPartial = readBoolean(value, field)),
  version: (value, draft, field) => void (draft.version = readText(value, field)),
};

/** Fields that a search may carry one day. They get an answer of their own, since their names are not mistakes. */
const UNSUPPORTED = ['filter', 'seeds', 'crowding', 'target_recall'];

export const SEARCH_FIELDS: readonly string[] = Object.keys(FIELDS);
const QUERY_FIELDS = ['vector', 'vector_b64', 'id', 'vectors', 'vectors_b64', 'ids'];

/** @throws bad_request, bad_field, unknown_field, unsupported and the codes of vectors, naming the field */
export function readSearchRequest(body: unknown): SearchRequest {
  const draft = readDraft(body, SEARCH_FIELDS);
  if (draft.queries === null) {
    throw new ShortlistError('bad_request', `the search has no query; give one of ${QUERY_FIELDS.join(', ')}`);
  }
  return { ...termsOf(draft), queries: draft.queries.queries, batch: draft.queries.batch };
}

/** As `readSearchRequest`, for the form whose queries are not in the fields. */
export function readSearchTerms(fields: Readonly<Record<string, unknown>>): SearchTerms {
  return termsOf(readDraft(fields, SEARCH_FIELDS.filter((name) => !QUERY_FIELDS.includes(name)))); // prettier-ignore
}

function readDraft(body: unknown, known: readonly string[]): Draft {
  if (!isObject(body)) throw new ShortlistError('bad_request', `the body is ${kindOf(body)}; give an object`);
  const draft: Draft = {
    queries: null,
    options: { k: DEFAULT_K },
    include: NOTHING,
    version: undefined,
    timeoutMs: Infinity,
    allowPartial: false,
  };
  for (const name of Object.keys(body)) {
    const value = body[name];
    const isKnown = known.includes(name);
    // Many clients write every field that they know, null where it is not used.
    if (value === null && (isKnown || UNSUPPORTED.includes(name))) continue;
    if (!isKnown) throw refuseField(name, known);
    FIELDS[name as keyof SearchBody](value, draft, `/${name}`);
  }
  return draft;
}

function termsOf(draft: Draft): SearchTerms {
  if (draft.options.exact === true && draft.options.ef !== undefined) {
    throw fieldError('bad_request', '/ef', 'ef and exact contradict each other: an exact search has no candidate list');
  }
  const { options, include, version, timeoutMs, allowPartial } = draft;
  return { options, include, version, timeoutMs, allowPartial };
}

/** Fields and parameters alike. @throws unsupported */
export function refuseUnsupported(name: string): void {
  if (!UNSUPPORTED.includes(name)) return;
  throw fieldError('unsupported', pointer(name), `this server does not support ${name}; leave it out`);
}

function refuseField(name: string, known: readonly string[]): ShortlistError {
  const field = pointer(name);
  refuseUnsupported(name);
  return fieldError('unknown_field', field, `there is no field ${quote(name)}${didYouMean(name, known)}`);
}

function takeQueries(draft: Draft, field: string, batch: boolean, queries: Queries): void {
  if (draft.queries !== null) {
    const message = `${draft.queries.field} and ${field} are both given; give one of ${QUERY_FIELDS.join(', ')}`;
    throw fieldError('bad_request', field, message);
  }
  draft.queries = { queries, batch, field };
}

function readVectorList(value: unknown, field: string, read: typeof readJsonVector): Queries {
  const list = readList(value, field, MAX_BATCH, 'batch_too_large');
  const fields = list.map((_, position) => `${field}/${position}`);
  return { kind: 'vectors', vectors: list.map((item, position) => read(item, fields[position]!)), fields };
}

/** A list of base64 vectors, or one base64 text of all of them end to end. */
function readBase64Batch(value: unknown, field: string): Queries {
  if (typeof value !== 'string') return readVectorList(value, field, readBase64Vector);
  const values = readBase64Vector(value, field);
  return { kind: 'packed', values, bytes: values.byteLength, field };
}

const NOTHING: Include = { attributes: null, vectors: false };
const INCLUDE_FIELDS = ['attributes', 'vectors'];

function readInclude(value: unknown, field: string): Include {
  if (!isObject(value)) throw fieldError('bad_field', field, `${field} is ${kindOf(value)}; give an object`);
  const unknown = Object.keys(value).find((name) => !INCLUDE_FIELDS.includes(name));
  if (unknown !== undefined) {
    const message = `include has no field ${quote(unknown)}${didYouMean(unknown, INCLUDE_FIELDS)}`;
    throw fieldError('unknown_field', field + pointer(unknown), message);
  }
  const { attributes, vectors } = value;
  return {
    attributes: attributes == null ? null : readAttributeNames(attributes, `${field}/attributes`),
    vectors: vectors == null ? false : readBoolean(vectors, `${field}/vectors`),
  };
}

/** `true` means all of them. */
function readAttributeNames(value: unknown, field: string): readonly string[] | 'all' | null {
  if (typeof value === 'boolean') return value ? 'all' : null;
  const names = readList(value, field, MAX_INCLUDE_ATTRIBUTES, 'bad_field');
  return [...new Set(names.map((name, position) => readText(name, `${field}/${position}`)))];
}

function readList(value: unknown, field: string, max: number, tooMany: 'batch_too_large' | 'bad_field'): unknown[] {
  if (!Array.isArray(value)) throw fieldError('bad_field', field, `${field} is ${kindOf(value)}; give a list`);
  if (value.length > max)
    throw fieldError(tooMany, field, `${field} has ${value.length} entries; at most ${max} are taken`);
  return value as unknown[];
}

const readIdAt = (field: string) => (value: unknown, position: number) => readId(value, `${field}/${position}`);

/** Ids are text. A whole number is taken for its digits, up to where JSON's numbers stop being exact. */
function readId(value: unknown, field: string): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'number')
    throw fieldError('bad_field', field, `${field} is ${kindOf(value)}; give an id as text`);
  if (!Number.isSafeInteger(value)) {
    throw fieldError('bad_field', field, `${field} is no whole number that JSON carries exactly; give the id as text`);
  }
  return String(value);
}

function readCount(value: unknown, field: string, max: number, outside: 'k_out_of_range' | 'ef_out_of_range'): number {
  const number = readNumber(value, field);
  if (Number.isInteger(number) && number >= 1 && number <= max) return number;
  throw fieldError(outside, field, `${field.slice(1)} is ${number}; give a whole number from 1 to ${max}`);
}

/** An hour: whoever waits longer has mistaken the unit. */
const MAX_TIMEOUT_MS = 3_600_000;

function readTimeout(value: unknown, field: string): number {
  const ms = readNumber(value, field);
  if (ms > 0 && ms <= MAX_TIMEOUT_MS) return ms;
  throw fieldError('bad_field', field, `timeout_ms is ${ms}; give milliseconds above 0, up to ${MAX_TIMEOUT_MS}`);
}

function readNumber(value: unknown, field: string): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw fieldError('bad_field', field, `${field} is ${kindOf(value)}; give a finite number`);
}

function readBoolean(value: unknown, field: string): boolean {
  if (typeof value === 'boolean') return value;
  throw fieldError('bad_field', field, `${field} is ${kindOf(value)}; give true or false`);
}

function readText(value: unknown, field: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw fieldError('bad_field', field, `${field} is ${value === '' ? 'empty' : kindOf(value)}; give a text`);
}

/** One step of a JSON pointer (RFC 6901). */
function pointer(name: string): string {
  return `/${shorten(name).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

function quote(name: string): string {
  return JSON.stringify(shorten(name));
}

/** Names come from outside: a megabyte of one is not sent back. */
function shorten(name: string): string {
  return name.length <= 64 ? name : `${name.slice(0, 64)}...`;
}
