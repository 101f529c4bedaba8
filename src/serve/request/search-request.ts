/**
 * What a search asks for, read from JSON. Types are exact and nothing is coerced; a field that is not known is
 * refused, so that no answer quietly ignores what was asked.
 */
import { ShortlistError } from '../../base/errors.js';
import {
  DEFAULT_K,
  MAX_BATCH,
  MAX_EF,
  MAX_EXCLUDE_IDS,
  MAX_INCLUDE_ATTRIBUTES,
  MAX_K,
  MAX_WHY_NOT,
} from '../../base/limits.js';
import type { SearchOptions } from '../../retrieve/search/search-options.js';
import { fieldError, isObject, kindOf } from './field-error.js';
import {
  readBoolean,
  readCount,
  readId,
  readIds,
  readList,
  readMembers,
  readNumber,
  readText,
  unknownMember,
} from './json-values.js';
import { readSeeds, type SeedRequest } from './seeds.js';
import { isReadVector, readBase64Vector, readJsonVector, type PackedVectors } from './vectors.js';
import type { SearchBody } from '../../wire/search-schemas.js';

/** Queries that have an answer each. */
export type PlainQueries = Exclude<Queries, { readonly kind: 'seeds' }>;

/** One query of a batch, or what is wrong with it: it fails alone. */
export type Readable<T> = T | ShortlistError;

/** The queries in the form in which they came. `fields` are the places they stood at, for errors. */
export type Queries =
  | {
      readonly kind: 'vectors';
      readonly vectors: readonly Readable<Float32Array>[];
      readonly fields: readonly string[];
    }
  /** End to end; how many there are follows from the dimension of the index. */
  | ({ readonly kind: 'packed'; readonly field: string } & PackedVectors)
  | { readonly kind: 'ids'; readonly ids: readonly Readable<string>[] }
  /** One query of several: they have one answer together. */
  | { readonly kind: 'seeds'; readonly seeds: readonly SeedRequest[] };

export interface Include {
  /** Attributes to return, 'all' of them, or null for none. */
  readonly attributes: readonly string[] | 'all' | null;
  readonly vectors: boolean;
}

/** Everything but the queries. */
interface SearchTerms {
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
  vector_b64: (value, draft, field) => takeQueries(draft, field, false, readPacked(value, field, false)),
  id: (value, draft, field) => takeQueries(draft, field, false, { kind: 'ids', ids: [readId(value, field)] }),
  vectors: (value, draft, field) => takeQueries(draft, field, true, readVectorList(value, field, readJsonVector)),
  vectors_b64: (value, draft, field) => takeQueries(draft, field, true, readBase64Batch(value, field)),
  ids: (value, draft, field) => takeQueries(draft, field, true, { kind: 'ids', ids: readEach(value, field, readId) }),
  seeds: (value, draft, field) => takeQueries(draft, field, false, { kind: 'seeds', seeds: readSeeds(value, field) }),
  k: (value, draft, field) => void (draft.options.k = readCount(value, field, MAX_K, 'k_out_of_range')),
  ef: (value, draft, field) => void (draft.options.ef = readCount(value, field, MAX_EF, 'ef_out_of_range')),
  target_recall: (value, draft, field) => void (draft.options.targetRecall = readRecall(value, field)),
  exact: (value, draft, field) => void (draft.options.exact = readBoolean(value, field)),
  // What a filter may say depends on the attributes of the version: it is parsed where the search is planned.
  filter: (value, draft, field) => void (draft.options.filter = readFilter(value, field)),
  exclude_ids: (value, draft, field) => void (draft.options.excludeIds = readIds(value, field, MAX_EXCLUDE_IDS)),
  crowding: (value, draft, field) => void (draft.options.crowding = readCrowding(value, field)),
  include: (value, draft, field) => void (draft.include = readInclude(value, field)),
  min_score: (value, draft, field) => void (draft.options.minScore = readNumber(value, field)),
  timeout_ms: (value, draft, field) => void (draft.timeoutMs = readTimeout(value, field)),
  allow_partial: (value, draft, field) => void (draft.allowPartial = readBoolean(value, field)),
  version: (value, draft, field) => void (draft.version = readText(value, field)),
  explain: (value, draft, field) => void (draft.options.explain = readBoolean(value, field)),
  why_not: (value, draft, field) => void (draft.options.whyNot = readIds(value, field, MAX_WHY_NOT)),
};

export const SEARCH_FIELDS: readonly string[] = Object.keys(FIELDS);
const QUERY_FIELDS = ['vector', 'vector_b64', 'id', 'vectors', 'vectors_b64', 'ids', 'seeds'];
const TERM_FIELDS = SEARCH_FIELDS.filter((name) => !QUERY_FIELDS.includes(name));

/** @throws bad_request, bad_field, unknown_field and the codes of vectors, naming the field */
export function readSearchRequest(body: unknown): SearchRequest {
  const draft = readDraft(body, SEARCH_FIELDS);
  if (draft.queries === null) {
    throw new ShortlistError('bad_request', `the search has no query; give one of ${QUERY_FIELDS.join(', ')}`);
  }
  return searchFor(draft.queries.queries, draft.queries.batch, termsOf(draft));
}

/** The request of its parts. Spelt out, since spreading the terms takes longer than reading them. */
export function searchFor(queries: Queries, batch: boolean | null, terms: SearchTerms): SearchRequest {
  const { options, include, version, timeoutMs, allowPartial } = terms;
  return { queries, batch, options, include, version, timeoutMs, allowPartial };
}

/** As `readSearchRequest`, for the form whose queries are not in the fields. */
export function readSearchTerms(fields: Readonly<Record<string, unknown>>): SearchTerms {
  return termsOf(readDraft(fields, TERM_FIELDS));
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
    if (!known.includes(name)) throw unknownMember('', name, known);
    const value = body[name];
    // Many clients write every field that they know, null where it is not used.
    if (value !== null) FIELDS[name as keyof SearchBody](value, draft, `/${name}`);
  }
  return draft;
}

/** Checks what fields say about each other. @throws bad_request */
function termsOf(draft: Draft): SearchTerms {
  const { options, include, version, timeoutMs, allowPartial } = draft;
  if (options.exact === true && options.ef !== undefined) {
    throw fieldError('bad_request', '/ef', 'ef and exact contradict each other: an exact search has no candidate list');
  }
  if (options.targetRecall !== undefined && (options.exact === true || options.ef !== undefined)) {
    const message = 'target_recall chooses the ef of a graph search; give one of ef, target_recall and exact';
    throw fieldError('bad_request', '/target_recall', message);
  }
  return { options, include, version, timeoutMs, allowPartial };
}

function takeQueries(draft: Draft, field: string, batch: boolean, queries: Queries): void {
  if (draft.queries !== null) {
    const message = `${draft.queries.field} and ${field} are both given; give one of ${QUERY_FIELDS.join(', ')}`;
    throw fieldError('bad_request', field, message);
  }
  draft.queries = { queries, batch, field };
}

/** A list with one query each. */
function readEach<T>(value: unknown, field: string, read: (item: unknown, field: string) => T): Readable<T>[] {
  return readList(value, field, MAX_BATCH, 'batch_too_large').map((item, position) => {
    try {
      return read(item, `${field}/${position}`);
    } catch (error) {
      if (error instanceof ShortlistError) return error;
      throw error;
    }
  });
}

function readVectorList(value: unknown, field: string, read: typeof readJsonVector): Queries {
  const vectors = readEach(value, field, read);
  return { kind: 'vectors', vectors, fields: vectors.map((_, position) => `${field}/${position}`) };
}

/** A list of base64 vectors, or one base64 text of all of them end to end. */
function readBase64Batch(value: unknown, field: string): Queries {
  return typeof value === 'string' || isReadVector(value)
    ? readPacked(value, field, true)
    : readVectorList(value, field, readBase64Vector);
}

function readPacked(value: unknown, field: string, several: boolean): Queries {
  const values = readBase64Vector(value, field);
  const batchForm = 'there is vectors_b64';
  return { kind: 'packed', field, values, bytes: values.byteLength, several, batchForm };
}

const NOTHING: Include = { attributes: null, vectors: false };
const INCLUDE_FIELDS = ['attributes', 'vectors'];

function readInclude(value: unknown, field: string): Include {
  const { attributes, vectors } = readMembers(value, field, INCLUDE_FIELDS);
  return {
    attributes: attributes === undefined ? null : readAttributeNames(attributes, `${field}/attributes`),
    vectors: vectors === undefined ? false : readBoolean(vectors, `${field}/vectors`),
  };
}

/** `true` means all of them. */
function readAttributeNames(value: unknown, field: string): readonly string[] | 'all' | null {
  if (typeof value === 'boolean') return value ? 'all' : null;
  const names = readList(value, field, MAX_INCLUDE_ATTRIBUTES);
  return [...new Set(names.map((name, position) => readText(name, `${field}/${position}`)))];
}

function readFilter(value: unknown, field: string): Record<string, unknown> {
  if (isObject(value)) return value;
  const message = `${field} is ${kindOf(value)}; give an object such as {"category": "jewelry"}`;
  throw new ShortlistError('bad_filter', message, { field, path: field });
}

const CROWDING_FIELDS = ['attribute', 'limit'];

function readCrowding(value: unknown, field: string): NonNullable<SearchOptions['crowding']> {
  const members = readMembers(value, field, CROWDING_FIELDS);
  const missing = CROWDING_FIELDS.find((name) => members[name] === undefined);
  if (missing !== undefined) {
    throw fieldError('bad_request', `${field}/${missing}`, `crowding has no ${missing}; give attribute and limit`);
  }
  return {
    attribute: readText(members['attribute'], `${field}/attribute`),
    limit: readCount(members['limit'], `${field}/limit`, MAX_K),
  };
}

function readRecall(value: unknown, field: string): number {
  const recall = readNumber(value, field);
  if (recall > 0 && recall <= 1) return recall;
  const message = `target_recall is ${recall}; give a number above 0, up to 1, such as 0.98`;
  throw fieldError('target_recall_out_of_range', field, message);
}

/** An hour: whoever waits longer has mistaken the unit. */
const MAX_TIMEOUT_MS = 3_600_000;

function readTimeout(value: unknown, field: string): number {
  const ms = readNumber(value, field);
  if (ms > 0 && ms <= MAX_TIMEOUT_MS) return ms;
  throw fieldError('bad_field', field, `timeout_ms is ${ms}; give milliseconds above 0, up to ${MAX_TIMEOUT_MS}`);
}
