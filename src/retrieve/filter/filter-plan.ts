/**
 * A filter after parsing: plain data, typed by the schema it was parsed against, which evaluation runs without
 * looking at JSON again. Equal meaning mostly gives an equal `key`, by which results are cached: the order of
 * members, of branches and of list items does not matter, `$in` of one value is `$eq`.
 */
import type { ColumnType } from '../../arrow/column.js';

/** What a filter can be about: the type of an attribute, or ids. */
export type FieldType = ColumnType | { readonly kind: 'id' };

/** Fields by name. One object for each loaded version: a plan belongs to the schema that it was parsed against. */
export type FilterSchema = ReadonlyMap<string, FieldType>;

/** The field by which ids are filtered, unless an attribute has that name. */
const ID_FIELD = 'id';

/** @param hasIds whether ids can be filtered */
export function filterSchema(
  fields: readonly { readonly name: string; readonly type: ColumnType }[],
  hasIds = false,
): FilterSchema {
  const ids: [string, FieldType][] = hasIds ? [[ID_FIELD, { kind: 'id' }]] : [];
  return new Map([...ids, ...fields.map(({ name, type }): [string, FieldType] => [name, type])]);
}

/** The names of a schema's attributes. */
export function attributeNames(schema: FilterSchema): string[] {
  return [...schema].flatMap(([name, { kind }]) => (kind === 'id' ? [] : [name]));
}

export interface FilterPlan {
  readonly schema: FilterSchema;
  readonly root: FilterNode;
  /** Canonical text. */
  readonly key: string;
}

export type FilterNode = AllNode | Clause | AndNode | OrNode | NotNode;

/** `{}`: every row. */
interface AllNode {
  readonly kind: 'all';
  readonly path: string;
  readonly key: string;
}

export interface AndNode {
  readonly kind: 'and';
  readonly path: string;
  readonly key: string;
  /** As written, nested `$and`s flattened: what explanations name. */
  readonly nodes: readonly FilterNode[];
  /** What is evaluated: the ranges of one attribute are one clause here, so that they cost one pass. */
  readonly steps: readonly FilterNode[];
}

interface OrNode {
  readonly kind: 'or';
  readonly path: string;
  readonly key: string;
  /** As written, nested `$or`s flattened. */
  readonly nodes: readonly FilterNode[];
  /** What is evaluated: clauses on one attribute are one clause here, where one can say them all. */
  readonly steps: readonly FilterNode[];
}

/** Every row that the node does not pass, null or not. */
interface NotNode {
  readonly kind: 'not';
  readonly path: string;
  readonly key: string;
  readonly node: FilterNode;
}

/** One operator on one attribute. */
export interface Clause {
  readonly kind: 'clause';
  /** JSON pointer into the filter. */
  readonly path: string;
  readonly key: string;
  readonly attribute: string;
  readonly operator: Operator;
  readonly test: Test;
  /** `$ne`, `$nin`: passes what has a value and fails the test. */
  readonly negated: boolean;
}

/** What a value must be. Only `null` passes rows without a value. */
export type Test =
  | { readonly kind: 'null'; readonly isNull: boolean }
  /** Bit 0: false passes; bit 1: true passes. */
  | { readonly kind: 'bools'; readonly mask: number }
  /** Columns of up to 32 bits and float64, as doubles. */
  | { readonly kind: 'numbers'; readonly intervals: Intervals<number> }
  /** Columns of 64-bit integers, date64 and timestamps. */
  | { readonly kind: 'integers'; readonly intervals: Intervals<bigint> }
  /** One of these; some may be there twice. */
  | { readonly kind: 'texts'; readonly values: readonly string[] }
  /** By code points; null where there is no bound. */
  | { readonly kind: 'text_range'; readonly low: TextBound | null; readonly high: TextBound | null }
  /** Holds all of these, or any; none is empty. */
  | { readonly kind: 'substrings'; readonly texts: readonly string[]; readonly all: boolean }
  | ItemsTest
  | { readonly kind: 'ids'; readonly ids: readonly string[] };

/** Of a list: has all of these items, or any. */
export interface ItemsTest {
  readonly kind: 'items';
  readonly all: boolean;
  /** Texts, numbers, or bigints for items of 64 bits; some may be there twice. */
  readonly values: readonly (string | number | bigint)[];
  /** Whether an item is asked for that no value of the type can be. */
  readonly never: boolean;
}

export interface TextBound {
  readonly text: string;
  readonly inclusive: boolean;
}

/** Closed intervals, ascending and disjoint: low, high, low, high, ... Equality is the interval of one value. */
export type Intervals<T extends number | bigint> = readonly T[];

/** What compares a value with a literal or looks whether there is one. */
export const OPERATORS = [
  '$eq', '$ne', '$in', '$nin', '$gt', '$gte', '$lt', '$lte', '$exists', '$contains', '$containsAny', '$containsAll',
] as const; // prettier-ignore
export type Operator = (typeof OPERATORS)[number];

/** What joins filters. */
export const LOGICAL_OPERATORS = ['$and', '$or', '$not'] as const;

/**
 * Most levels of filters within filters. People write 3; generated ones 8. The parser and evaluation recurse this
 * deep.
 */
export const MAX_FILTER_DEPTH = 16;

/** Most clauses of one filter: each may cost a pass over a column. Lucene draws the line at 1,024. */
export const MAX_FILTER_CLAUSES = 256;

/** Most filters within one filter, those without a clause counted too. */
export const MAX_FILTER_BRANCHES = 1_024;

/** Most items of one list: as many as ids can be excluded. */
export const MAX_FILTER_LIST = 10_000;

/**
 * Most items of all lists together: two full ones. JSON is parsed at once, and that many short texts take some
 * milliseconds.
 */
export const MAX_FILTER_ITEMS = 20_000;

/** Longest text literal in UTF-16 units: equality with longer texts is no filter. */
export const MAX_FILTER_TEXT = 4_096;

/**
 * Most text that the `$contains` of one filter look for, in UTF-8 bytes: 256 of 256 bytes. Their automaton takes 30
 * times as much.
 */
export const MAX_FILTER_NEEDLES = 64 * 1024;

/**
 * Most clauses times rows. A set of rows for each clause takes an eighth of that in bytes, 256 MiB, and passes over
 * so many values some seconds. 256 clauses over 8 million rows, 21 over 100 million; clauses on one attribute that
 * are joined count once.
 */
export const MAX_FILTER_WORK = 2 ** 31;
