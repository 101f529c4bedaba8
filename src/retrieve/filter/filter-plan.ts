/**
 * A parsed filter: plain data, typed by the schema it was parsed against. Evaluation does not need the JSON again.
 * Filters of equal meaning mostly have equal `key`s, by which results are cached: the order of members, branches and
 * list items does not matter, and `$in` with one value is `$eq`.
 */
import type { ColumnType } from '../../arrow/column.js';

/** The type of a field: an attribute's type, or ids. */
export type FieldType = ColumnType | { readonly kind: 'id' };

/** Fields by name. Each loaded version has its own object: a plan belongs to the schema it was parsed against. */
export type FilterSchema = ReadonlyMap<string, FieldType>;

/** The field that stands for ids, unless an attribute has that name. */
const ID_FIELD = 'id';

export function filterSchema(
  fields: readonly { readonly name: string; readonly type: ColumnType }[],
  hasIds = false,
): FilterSchema {
  const ids: [string, FieldType][] = hasIds ? [[ID_FIELD, { kind: 'id' }]] : [];
  return new Map([...ids, ...fields.map(({ name, type }): [string, FieldType] => [name, type])]);
}

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

interface Node {
  /** JSON pointer into the filter. */
  readonly path: string;
  readonly key: string;
}

/** `{}`: every row. */
interface AllNode extends Node {
  readonly kind: 'all';
}

interface JoinNode extends Node {
  /** As written, with nested nodes of the same kind flattened; explanations name these. */
  readonly nodes: readonly FilterNode[];
  /** As evaluated: clauses on one attribute are one clause where possible, so that they cost one scan. */
  readonly steps: readonly FilterNode[];
}

export interface AndNode extends JoinNode {
  readonly kind: 'and';
}

interface OrNode extends JoinNode {
  readonly kind: 'or';
}

/** Every row that does not pass the node, whether it has a value or not. */
interface NotNode extends Node {
  readonly kind: 'not';
  readonly node: FilterNode;
}

/** One operator on one attribute. */
export interface Clause extends Node {
  readonly kind: 'clause';
  readonly attribute: string;
  readonly operator: Operator;
  readonly test: Test;
  /** `$ne`, `$nin`: passes rows that have a value and fail the test. */
  readonly negated: boolean;
}

/** The condition on a value. Only `null` passes rows without a value. */
export type Test =
  | { readonly kind: 'null'; readonly isNull: boolean }
  /** Bit 0: false passes; bit 1: true passes. */
  | { readonly kind: 'bools'; readonly mask: number }
  /** Columns of up to 32 bits and float64, as doubles. */
  | { readonly kind: 'numbers'; readonly intervals: Intervals<number> }
  /** Columns of 64-bit integers, date64 and timestamps. */
  | { readonly kind: 'integers'; readonly intervals: Intervals<bigint> }
  /** Equal to one of these; may contain duplicates. */
  | { readonly kind: 'texts'; readonly values: readonly string[] }
  /** By code points; null means no bound. */
  | { readonly kind: 'text_range'; readonly low: TextBound | null; readonly high: TextBound | null }
  /** Contains all of these, or any. No text is empty. */
  | { readonly kind: 'substrings'; readonly texts: readonly string[]; readonly all: boolean }
  | ItemsTest
  | { readonly kind: 'ids'; readonly ids: readonly string[] };

/** Condition on a list: it has all of these items, or any. */
export interface ItemsTest {
  readonly kind: 'items';
  readonly all: boolean;
  /** Texts, numbers, or bigints for items of 64 bits; may contain duplicates. */
  readonly values: readonly (string | number | bigint)[];
  /** True if the filter asks for an item that the type cannot hold. */
  readonly never: boolean;
}

export interface TextBound {
  readonly text: string;
  readonly inclusive: boolean;
}

/** Closed intervals, ascending and disjoint: low, high, low, high, ... Equality is the interval of one value. */
export type Intervals<T extends number | bigint> = readonly T[];

/** Operators that compare a value with a literal or check that there is one. */
export const OPERATORS = [
  '$eq', '$ne', '$in', '$nin', '$gt', '$gte', '$lt', '$lte', '$exists', '$contains', '$containsAny', '$containsAll',
] as const; // prettier-ignore
export type Operator = (typeof OPERATORS)[number];

export const LOGICAL_OPERATORS = ['$and', '$or', '$not'] as const;

/** Maximum nesting depth. People write 3, programs 8. Parser and evaluation recurse this deep. */
export const MAX_FILTER_DEPTH = 16;

/** Maximum clauses of one filter: each may cost a scan of a column. Lucene's limit is 1,024. */
export const MAX_FILTER_CLAUSES = 256;

/** Maximum filters within one filter, including those without a clause. */
export const MAX_FILTER_BRANCHES = 1_024;

/** Maximum items of one list: the same as for excluded ids. */
export const MAX_FILTER_LIST = 10_000;

/** Maximum items of all lists together: two full ones. JSON is parsed at once; this many short texts take some ms. */
export const MAX_FILTER_ITEMS = 20_000;

/** Maximum length of a text literal in UTF-16 units. */
export const MAX_FILTER_TEXT = 4_096;

/** Maximum UTF-8 bytes of all `$contains` in a filter: 256 texts of 256. Their automaton takes 30 times as much. */
export const MAX_FILTER_NEEDLES = 64 * 1024;

/**
 * Maximum of clauses times rows. One set of rows per clause takes an eighth of that in bytes, 256 MiB; scanning as many
 * values takes some seconds. Allows 256 clauses over 8 million rows, or 21 over 100 million. Clauses on one attribute
 * that are joined count once.
 */
export const MAX_FILTER_WORK = 2 ** 31;
