/**
 * A filter after parsing: plain data, typed by the schema it was parsed against, which evaluation runs without looking at
 * JSON again. Equal meaning mostly gives an equal `key`, by which results are cached: the order of members, of branches
 * and of list items does not matter, `$in` of one value is `$eq`.
 */
import type { ColumnType } from '../../arrow/column.js';

/** Attributes by name. One object for each loaded version: a plan belongs to the schema that it was parsed against. */
export type FilterSchema = ReadonlyMap<string, ColumnType>;

export function filterSchema(fields: readonly { readonly name: string; readonly type: ColumnType }[]): FilterSchema {
  return new Map(fields.map(({ name, type }) => [name, type]));
}

export interface FilterPlan {
  readonly schema: FilterSchema;
  readonly root: FilterNode;
  /** Canonical text. */
  readonly key: string;
}

export type FilterNode = AllNode | Clause | AndNode | OrNode | NotNode;

/** `{}`: every row. */
export interface AllNode {
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

export interface OrNode {
  readonly kind: 'or';
  readonly path: string;
  readonly key: string;
  readonly nodes: readonly FilterNode[];
}

/** Every row that the node does not pass, null or not. */
export interface NotNode {
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
  /** One of these, which are sorted and distinct. */
  | { readonly kind: 'texts'; readonly values: readonly string[] }
  /** By code points; null where there is no bound. */
  | { readonly kind: 'text_range'; readonly low: TextBound | null; readonly high: TextBound | null }
  | { readonly kind: 'substring'; readonly text: string }
  /** Of a list. */
  | { readonly kind: 'item'; readonly text: string };

export interface TextBound {
  readonly text: string;
  readonly inclusive: boolean;
}

/** Closed intervals, ascending and disjoint: low, high, low, high, ... Equality is the interval of one value. */
export type Intervals<T extends number | bigint> = readonly T[];

/** What compares a value with a literal or looks whether there is one. */
export const OPERATORS = ['$eq', '$ne', '$in', '$nin', '$gt', '$gte', '$lt', '$lte', '$exists', '$contains'] as const;
export type Operator = (typeof OPERATORS)[number];

/** What joins filters. */
export const LOGICAL_OPERATORS = ['$and', '$or', '$not'] as const;

/** Most levels of filters within filters. People write 3; generated ones 8. The parser and evaluation recurse this deep. */
export const MAX_FILTER_DEPTH = 16;

/** Most clauses of one filter: each may cost a pass over a column. Lucene draws the line at 1,024. */
export const MAX_FILTER_CLAUSES = 256;

/** Most items of one `$in` or `$nin`: as many as ids can be excluded. */
export const MAX_FILTER_LIST = 10_000;

/** Longest text literal in UTF-16 units: equality with longer texts is no filter. */
export const MAX_FILTER_TEXT = 4_096;
