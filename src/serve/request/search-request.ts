/**
 * Reads a search request from JSON. Types are exact, nothing is converted, and unknown fields are refused, so that no
 * part of a request is silently ignored.
 */
import { ShortlistError } from '../../base/errors.js';
import { DEFAULT_K, MAX_BATCH } from '../../base/limits.js';
import type { SearchOptions } from '../../retrieve/search/search-options.js';
import {
  optionName,
  QUERY_FIELDS,
  SEARCH_TERM_NAMES,
  SEARCH_TERMS,
  type QueryField,
  type SearchTerms,
} from '../../wire/search-terms.js';
import { fieldError, isObject, kindOf } from './field-error.js';
import { readId, readList, unknownMember } from './json-values.js';
import { readTerm } from './read-term.js';
import { readSeeds, type SeedRequest } from './seeds.js';
import { isVectorOrError, readBase64Vector, readJsonVector, type PackedVectors } from './vectors.js';

/** Queries that have one answer each. */
export type PlainQueries = Exclude<Queries, { readonly kind: 'seeds' }>;

/** A query of a batch, or the error with which it fails alone. */
export type OrError<T> = T | ShortlistError;

/** The queries in the form in which they arrived. `fields` are their JSON pointers, for errors. */
export type Queries =
  | {
      readonly kind: 'vectors';
      readonly vectors: readonly OrError<Float32Array>[];
      readonly fields: readonly string[];
    }
  /** Vectors end to end; their number follows from the dimension of the index. */
  | ({ readonly kind: 'packed'; readonly field: string } & PackedVectors)
  | { readonly kind: 'ids'; readonly ids: readonly OrError<string>[] }
  /** Several queries with one joint answer. */
  | { readonly kind: 'seeds'; readonly seeds: readonly SeedRequest[] };

export interface Include {
  /** Attributes to return, 'all' of them, or null for none. */
  readonly attributes: readonly string[] | 'all' | null;
  readonly vectors: boolean;
}

/** Everything except the queries. */
interface RequestTerms {
  readonly options: SearchOptions;
  readonly include: Include;
  /** A version or alias; undefined: the current version. */
  readonly version: string | undefined;
  /** Counted from the last byte of the body; Infinity: only the server's own limit applies. */
  readonly timeoutMs: number;
  /** When time runs out, answer with what was found. */
  readonly allowPartial: boolean;
}

export interface SearchRequest extends RequestTerms {
  readonly queries: Queries;
  /** True: answer in `results`. False: one query, in `candidates`. Null: depends on the number of queries. */
  readonly batch: boolean | null;
}

interface Draft {
  queries: { queries: Queries; batch: boolean; field: string } | null;
  /** Values of the given fields. */
  readonly values: Record<string, unknown>;
}

type QueryReader = (value: unknown, field: string) => Queries;

const QUERY_READERS: Readonly<Record<QueryField, QueryReader>> = {
  vector: (value, field) => ({ kind: 'vectors', vectors: [readJsonVector(value, field)], fields: [field] }),
  vector_b64: (value, field) => readPacked(value, field, false),
  id: (value, field) => ({ kind: 'ids', ids: [readId(value, field)] }),
  vectors: (value, field) => readVectorList(value, field, readJsonVector),
  vectors_b64: (value, field) => readBase64Batch(value, field),
  ids: (value, field) => ({ kind: 'ids', ids: readEach(value, field, readId) }),
  seeds: (value, field) => ({ kind: 'seeds', seeds: readSeeds(value, field) }),
};

/** Query fields that are answered in `results`. */
const BATCH_FIELDS: readonly string[] = ['vectors', 'vectors_b64', 'ids'];

export const SEARCH_FIELDS: readonly string[] = [...QUERY_FIELDS, ...SEARCH_TERM_NAMES];

/** @throws bad_request, bad_field, unknown_field and the codes of vectors, naming the field */
export function readSearchRequest(body: unknown): SearchRequest {
  const draft = readDraft(body, SEARCH_FIELDS);
  if (draft.queries === null) {
    throw new ShortlistError('bad_request', `the search has no query; give one of ${QUERY_FIELDS.join(', ')}`);
  }
  return createSearchRequest(draft.queries.queries, draft.queries.batch, termsOf(draft));
}

/** Written out, since spreading the terms takes longer than reading them. */
export function createSearchRequest(queries: Queries, batch: boolean | null, terms: RequestTerms): SearchRequest {
  const { options, include, version, timeoutMs, allowPartial } = terms;
  return { queries, batch, options, include, version, timeoutMs, allowPartial };
}

/** Like `readSearchRequest`, for forms whose queries are not in the fields. */
export function readSearchTerms(fields: Readonly<Record<string, unknown>>): RequestTerms {
  return termsOf(readDraft(fields, SEARCH_TERM_NAMES));
}

function readDraft(body: unknown, known: readonly string[]): Draft {
  if (!isObject(body)) throw new ShortlistError('bad_request', `the body is ${kindOf(body)}; give an object`);
  const draft: Draft = { queries: null, values: {} };
  for (const name of Object.keys(body)) {
    if (!known.includes(name)) throw unknownMember('', name, known);
    const value = body[name];
    // Many clients send all fields that they know, with null for unused ones.
    if (value === null) continue;
    const field = `/${name}`;
    if (isQueryField(name)) setQueries(draft, field, QUERY_READERS[name](value, field), BATCH_FIELDS.includes(name));
    else draft.values[name] = readTerm(SEARCH_TERMS[name as keyof SearchTerms], value, field);
  }
  return draft;
}

function isQueryField(name: string): name is QueryField {
  return Object.hasOwn(QUERY_READERS, name);
}

/** Checks fields against each other. @throws bad_request */
function termsOf({ values }: Draft): RequestTerms {
  const {
    include,
    timeout_ms: timeoutMs = Infinity,
    allow_partial: allowPartial = false,
    version,
  } = values as SearchTerms;
  const options: Record<string, unknown> = { k: DEFAULT_K };
  for (const name of Object.keys(values)) {
    if (SEARCH_TERMS[name as keyof SearchTerms].scope === 'search') options[OPTION_NAMES[name]!] = values[name];
  }
  const { exact, ef, targetRecall } = options as Partial<SearchOptions>;
  if (exact === true && ef !== undefined) {
    throw fieldError(
      'bad_request',
      '/ef',
      'ef and exact exclude each other: an exact search has no candidate list; give one of them',
    );
  }
  if (targetRecall !== undefined && (exact === true || ef !== undefined)) {
    const message = 'target_recall chooses the ef of a graph search; give one of ef, target_recall and exact';
    throw fieldError('bad_request', '/target_recall', message);
  }
  return {
    options: options as unknown as SearchOptions,
    include: include === undefined ? INCLUDE_NOTHING : toInclude(include),
    version,
    timeoutMs,
    allowPartial,
  };
}

const OPTION_NAMES: Readonly<Record<string, string>> = Object.fromEntries(
  SEARCH_TERM_NAMES.map((name) => [name, optionName(name)]),
);

const INCLUDE_NOTHING: Include = { attributes: null, vectors: false };

function toInclude({ attributes = false, vectors = false }: NonNullable<SearchTerms['include']>): Include {
  return { attributes: typeof attributes === 'boolean' ? (attributes ? 'all' : null) : attributes, vectors };
}

function setQueries(draft: Draft, field: string, queries: Queries, batch: boolean): void {
  if (draft.queries !== null) {
    const message = `${draft.queries.field} and ${field} are both given; give one of ${QUERY_FIELDS.join(', ')}`;
    throw fieldError('bad_request', field, message);
  }
  draft.queries = { queries, batch, field };
}

/** A list of one query each. */
function readEach<T>(value: unknown, field: string, read: (item: unknown, field: string) => T): OrError<T>[] {
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

/** A list of base64 vectors, or one base64 text of all vectors end to end. */
function readBase64Batch(value: unknown, field: string): Queries {
  return typeof value === 'string' || isVectorOrError(value)
    ? readPacked(value, field, true)
    : readVectorList(value, field, readBase64Vector);
}

function readPacked(value: unknown, field: string, isBatch: boolean): Queries {
  const values = readBase64Vector(value, field);
  const batchForm = 'use vectors_b64';
  return { kind: 'packed', field, values, bytes: values.byteLength, isBatch: isBatch, batchHint: batchForm };
}
