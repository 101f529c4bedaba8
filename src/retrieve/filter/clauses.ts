/**
 * Parses one operator on one field: which operators a type supports, and the test they stand for. Lists of literals are
 * read in slices: ten thousand of them would block a server too long.
 */
import { createHash } from 'node:crypto';
import type { ColumnType } from '../../arrow/column.js';
import type { Clause, FieldType, FilterSchema, Intervals, Operator, Test, TextBound } from './filter-plan.js';
import { attributeNames, MAX_FILTER_LIST, OPERATORS } from './filter-plan.js';
import { unite } from './intervals.js';
import { boolLiteral, floatInterval, idLiteral, integerInterval, LiteralProblem, textLiteral } from './literals.js';
import type { Comparison } from './literals.js';
import type { ShortlistError } from '../../base/errors.js';
import { badFilter, describe, pathTo, quote } from './problem.js';
import { didYouMean, nearestName } from '../../base/nearest-name.js';
import type { Meter, Work } from '../../base/work.js';

export interface Subject {
  readonly attribute: string;
  readonly type: FieldType;
}

/** @throws bad_filter */
export function findSubject(schema: FilterSchema, attribute: string, path: string): Subject {
  const type = schema.get(attribute);
  if (type !== undefined) return { attribute, type };
  const known = attributeNames(schema);
  const there = known.length === 0 ? 'the index has no attributes' : `the index has ${listNames(known)}`;
  const problem = `there is no attribute ${quote(attribute)}; ${there}${didYouMean(attribute, [...schema.keys()])}`;
  const suggestion = nearestName(attribute, [...schema.keys()]);
  throw badFilter(path, problem, { attribute: attribute.slice(0, 64), suggestion });
}

const MAX_LISTED = 30;

function listNames(names: readonly string[]): string {
  const shown = names.slice(0, MAX_LISTED).map(quote).join(', ');
  return names.length > MAX_LISTED ? `${shown} and ${names.length - MAX_LISTED} more` : shown;
}

/** @param path of the operator, or of the attribute if a bare value stands for `$eq` @throws bad_filter */
export function* makeClause(
  subject: Subject,
  operator: Operator,
  literal: unknown,
  path: string,
  meter: Meter,
): Work<Clause> {
  const { attribute, type } = subject;
  const supported = operatorsOf(type);
  if (!supported.includes(operator)) throw unsupportedOperator(subject, operator, path);
  try {
    const test = yield* testOf(type, operator, literal, meter);
    const negated = (operator === '$ne' && test.kind !== 'null') || operator === '$nin';
    return {
      kind: 'clause',
      path,
      key: yield* clauseKey(attribute, negated, test, meter),
      attribute,
      operator,
      test,
      negated,
    };
  } catch (error) {
    if (!(error instanceof LiteralProblem)) throw error;
    const problem = `${operator} on ${describeSubject(subject)} ${error.message}`;
    throw badFilter(error instanceof ItemProblem ? pathTo(path, error.item) : path, problem, { attribute, operator });
  }
}

const RANGE_OPERATORS: readonly Operator[] = ['$gt', '$gte', '$lt', '$lte'];
const BOOL_OPERATORS: readonly Operator[] = ['$eq', '$ne', '$in', '$nin', '$exists'];
const NUMBER_OPERATORS: readonly Operator[] = [...BOOL_OPERATORS, ...RANGE_OPERATORS];
/** `$eq` and `$ne` only with null. */
const LIST_OPERATORS: readonly Operator[] = ['$eq', '$ne', '$exists', '$contains', '$containsAny', '$containsAll'];
const ID_OPERATORS: readonly Operator[] = ['$eq', '$ne', '$in', '$nin'];

function operatorsOf(type: FieldType): readonly Operator[] {
  switch (type.kind) {
    case 'bool':
      return BOOL_OPERATORS;
    case 'utf8':
      return OPERATORS;
    case 'list':
      return LIST_OPERATORS;
    case 'id':
      return ID_OPERATORS;
    default:
      return NUMBER_OPERATORS;
  }
}

function unsupportedOperator(subject: Subject, operator: Operator, path: string): ShortlistError {
  const { attribute, type } = subject;
  const advice = type.kind === 'list' && operator === '$in' ? '; use $containsAny to find any of several items' : '';
  const problem = `${describeSubject(subject)} supports ${operatorsOf(type).join(', ')}, not ${operator}${advice}`;
  return badFilter(path, problem, { attribute, operator });
}

function describeSubject({ attribute, type }: Subject): string {
  return `${quote(attribute)} (${describeType(type)})`;
}

function describeType(type: FieldType): string {
  switch (type.kind) {
    case 'id':
      return 'ids';
    case 'int':
      return `${type.signed ? 'int' : 'uint'}${type.bits}`;
    case 'float':
      return `float${type.bits}`;
    case 'list':
      return `list of ${describeType(type.item)}${type.item.kind === 'utf8' ? 's' : ''}`;
    case 'utf8':
      return 'text';
    default:
      return type.kind;
  }
}

/** A problem with the item at this position of a list. */
class ItemProblem extends LiteralProblem {
  constructor(
    readonly item: number,
    message: string,
  ) {
    super(message);
  }
}

function* testOf(type: FieldType, operator: Operator, literal: unknown, meter: Meter): Work<Test> {
  if (operator === '$exists') return { kind: 'null', isNull: !boolLiteral(literal) };
  if (literal === null && type.kind !== 'id') return nullTest(operator);
  switch (operator) {
    case '$contains':
      return containsTest(type as ColumnType, literal);
    case '$containsAny':
    case '$containsAll':
      return yield* containsList(type as ColumnType, operator, literal, meter);
    case '$in':
    case '$nin':
      return yield* inTest(type, operator, literal, meter);
    case '$ne':
      return equalityTest(type, literal);
    default:
      return operator === '$eq' ? equalityTest(type, literal) : comparisonTest(type as ColumnType, operator, literal);
  }
}

function nullTest(operator: Operator): Test {
  if (operator === '$eq' || operator === '$ne') return { kind: 'null', isNull: operator === '$eq' };
  throw new LiteralProblem('cannot be null; use {"$eq": null} or {"$exists": false} to find rows without a value');
}

function equalityTest(type: FieldType, literal: unknown): Test {
  if (type.kind === 'id') return { kind: 'ids', ids: [idLiteral(literal)] };
  if (type.kind !== 'list') return comparisonTest(type, '$eq', literal);
  throw new LiteralProblem(`takes only null, not ${describe(literal)}; use $contains to find an item`);
}

function containsTest(type: ColumnType, literal: unknown): Test {
  if (type.kind === 'list') return itemsTest([itemLiteral(type.item, literal)], false);
  const text = textLiteral(literal);
  // Every text contains the empty one. The search for substrings relies on at least one byte.
  return text === '' ? { kind: 'null', isNull: false } : { kind: 'substrings', texts: [text], all: false };
}

function* containsList(
  type: ColumnType,
  operator: '$containsAny' | '$containsAll',
  literal: unknown,
  meter: Meter,
): Work<Test> {
  const list = listLiteral(literal);
  const all = operator === '$containsAll';
  const advice = 'use {"$eq": null} to find rows without a value';
  if (type.kind === 'list')
    return itemsTest(yield* eachItem(list, advice, (item) => itemLiteral(type.item, item), meter), all);
  const texts = yield* eachItem(list, advice, textLiteral, meter);
  const wanted = texts.filter((text) => text !== '');
  const isEvery = wanted.length === 0 || (!all && wanted.length < texts.length);
  return isEvery ? { kind: 'null', isNull: false } : { kind: 'substrings', texts: wanted, all };
}

/** The value of an item that equals the literal; null if no item can. */
function itemLiteral(item: ColumnType, literal: unknown): string | number | bigint | null {
  if (item.kind === 'utf8') return textLiteral(literal);
  const [value] = integerInterval(item, '$eq', literal);
  return value === undefined ? null : isWide(item) ? value : Number(value);
}

function itemsTest(items: readonly (string | number | bigint | null)[], all: boolean): Test {
  const values = items.filter((item) => item !== null);
  return { kind: 'items', all, values, never: values.length < items.length };
}

function listLiteral(literal: unknown): readonly unknown[] {
  if (!Array.isArray(literal)) throw new LiteralProblem(`takes a list, not ${describe(literal)}`);
  if (literal.length === 0) throw new LiteralProblem('takes a list of at least one value');
  if (literal.length <= MAX_FILTER_LIST) return literal;
  throw new LiteralProblem(`takes up to ${MAX_FILTER_LIST} values, not ${literal.length}`);
}

/** Meter units of one literal of a list, in addition to its characters. */
const LITERAL_UNITS = 1_000;

/** @param advice what to do instead of null */
function* eachItem<T>(list: readonly unknown[], advice: string, read: (item: unknown) => T, meter: Meter): Work<T[]> {
  const items: T[] = [];
  for (const [position, item] of list.entries()) {
    try {
      if (item === null) throw new LiteralProblem(`cannot contain null; ${advice}`);
      items.push(read(item));
    } catch (error) {
      if (!(error instanceof LiteralProblem)) throw error;
      throw new ItemProblem(position, error.message);
    }
    if (meter.spend(LITERAL_UNITS + (typeof item === 'string' ? item.length : 0))) yield;
  }
  return items;
}

function* inTest(type: FieldType, operator: '$in' | '$nin', literal: unknown, meter: Meter): Work<Test> {
  const list = listLiteral(literal);
  const advice = operator === '$in' ? 'add {"$eq": null} with $or' : '$nin never passes rows without a value';
  if (type.kind === 'id') return { kind: 'ids', ids: yield* eachItem(list, advice, idLiteral, meter) };
  return unionOf(yield* eachItem(list, advice, (item) => comparisonTest(type, '$eq', item), meter));
}

/** @param tests equalities of one column, so all of the same kind */
function unionOf(tests: readonly Test[]): Test {
  const first = tests[0]!;
  switch (first.kind) {
    case 'bools':
      return { kind: 'bools', mask: tests.reduce((mask, test) => mask | (test as typeof first).mask, 0) };
    case 'numbers':
      return { kind: 'numbers', intervals: unite(tests.map((test) => (test as typeof first).intervals)) };
    case 'integers':
      return { kind: 'integers', intervals: unite(tests.map((test) => (test as typeof first).intervals)) };
    case 'texts':
      return { kind: 'texts', values: tests.flatMap((test) => (test as typeof first).values) };
    default:
      throw new TypeError(`${first.kind} is no equality`);
  }
}

function comparisonTest(type: ColumnType, comparison: Comparison, literal: unknown): Test {
  switch (type.kind) {
    case 'bool':
      return { kind: 'bools', mask: boolLiteral(literal) ? 2 : 1 };
    case 'float':
      return { kind: 'numbers', intervals: floatInterval(type, comparison, literal) };
    case 'int':
    case 'date':
    case 'timestamp':
      return integerTest(type, integerInterval(type, comparison, literal));
    case 'utf8':
      return textTest(comparison, textLiteral(literal));
    default:
      throw new TypeError(`${type.kind} is not compared`);
  }
}

/** Values of up to 32 bits are compared as doubles, which is faster. */
function integerTest(type: ColumnType, intervals: Intervals<bigint>): Test {
  if (isWide(type)) return { kind: 'integers', intervals };
  return { kind: 'numbers', intervals: intervals.map(Number) };
}

/** Returns true if values are stored as 64-bit integers. */
export function isWide(type: ColumnType): boolean {
  if (type.kind === 'int') return type.bits === 64;
  return type.kind === 'timestamp' || (type.kind === 'date' && type.unit === 'ms');
}

function textTest(comparison: Comparison, text: string): Test {
  if (comparison === '$eq') return { kind: 'texts', values: [text] };
  const bound: TextBound = { text, inclusive: comparison === '$gte' || comparison === '$lte' };
  const isLow = comparison === '$gt' || comparison === '$gte';
  return { kind: 'text_range', low: isLow ? bound : null, high: isLow ? null : bound };
}

/** The key under which results of the clause are cached. */
export function* clauseKey(attribute: string, negated: boolean, test: Test, meter: Meter): Work<string> {
  return `${JSON.stringify(attribute)}${negated ? '!' : '='}${yield* keyOf(test, meter)}`;
}

/** Texts are written as JSON, so that no text can look like another test. */
function* keyOf(test: Test, meter: Meter): Work<string> {
  switch (test.kind) {
    case 'null':
      return test.isNull ? 'null' : 'value';
    case 'bools':
      return `bools${test.mask}`;
    case 'numbers':
    case 'integers':
      return `[${yield* listKey(test.intervals, meter)}]`;
    case 'texts':
      return `texts[${yield* setKey(test.values, meter)}]`;
    case 'text_range':
      return `range${JSON.stringify([test.low, test.high])}`;
    case 'substrings':
      return `${test.all ? 'parts' : 'part'}[${yield* setKey(test.texts, meter)}]`;
    case 'items':
      return `${test.all ? 'all' : 'any'}${test.never ? '!' : ''}[${yield* setKey(test.values, meter)}]`;
    case 'ids':
      return `ids[${yield* setKey(test.ids, meter)}]`;
  }
}

type Member = string | number | bigint;

/** Up to this size, sets with the same members in any order have one key; sorting more takes too long at once. */
const SORTED_MEMBERS = 64;

function setKey(members: readonly Member[], meter: Meter): Work<string> {
  if (members.length > SORTED_MEMBERS) return listKey(members, meter);
  return listKey(
    [...new Set(members)].sort((a, b) => (a < b ? -1 : 1)),
    meter,
  );
}

const HASHED_MEMBERS = 256;

/** The list, or the digest of a long one: keys are stored with each result. */
function* listKey(members: readonly Member[], meter: Meter): Work<string> {
  if (members.length <= SORTED_MEMBERS) {
    const text = textOf(members);
    if (meter.spend(10 * text.length)) yield;
    return text;
  }
  const hash = createHash('sha256');
  for (let from = 0; from < members.length; from += HASHED_MEMBERS) {
    const text = textOf(members.slice(from, from + HASHED_MEMBERS));
    hash.update(text);
    if (meter.spend(HASHED_MEMBERS * 100 + 4 * text.length)) yield;
  }
  return `${members.length} ${hash.digest('base64')}`;
}

function textOf(members: readonly Member[]): string {
  return members.map((member) => (typeof member === 'string' ? JSON.stringify(member) : String(member))).join();
}
