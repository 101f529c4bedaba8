/** One operator on one attribute: which operators a type takes, and what each asks of a value. */
import type { ColumnType } from '../../arrow/column.js';
import type { Clause, FilterSchema, Intervals, Operator, Test, TextBound } from './filter-plan.js';
import { MAX_FILTER_LIST, OPERATORS } from './filter-plan.js';
import { unite } from './intervals.js';
import { boolLiteral, floatInterval, integerInterval, LiteralProblem, textLiteral } from './literals.js';
import type { ShortlistError } from '../../base/errors.js';
import { badFilter, describe, pathTo, quote } from './problem.js';
import { didYouMean, nearestName } from '../../base/nearest-name.js';

/** What a clause is about. */
export interface Subject {
  readonly attribute: string;
  readonly type: ColumnType;
}

/** @throws bad_filter */
export function findSubject(schema: FilterSchema, attribute: string, path: string): Subject {
  const type = schema.get(attribute);
  if (type !== undefined) return { attribute, type };
  const known = [...schema.keys()];
  const there = known.length === 0 ? 'the index has none' : `the index has ${list(known)}`;
  const problem = `there is no attribute ${quote(attribute)}; ${there}${didYouMean(attribute, known)}`;
  throw badFilter(path, problem, { attribute: attribute.slice(0, 64), suggestion: nearestName(attribute, known) });
}

/** As many names as a message can carry. */
const MAX_LISTED = 30;

function list(names: readonly string[]): string {
  const shown = names.slice(0, MAX_LISTED).map(quote).join(', ');
  return names.length > MAX_LISTED ? `${shown} and ${names.length - MAX_LISTED} more` : shown;
}

/** @param path of the operator, or of the attribute where a bare value stands for `$eq` @throws bad_filter */
export function makeClause(subject: Subject, operator: Operator, literal: unknown, path: string): Clause {
  const { attribute, type } = subject;
  const taken = operatorsOf(type);
  if (!taken.includes(operator)) throw notTaken(subject, operator, path);
  try {
    const test = testOf(type, operator, literal);
    const negated = (operator === '$ne' && test.kind !== 'null') || operator === '$nin';
    const key = `${JSON.stringify(attribute)}${negated ? '!' : '='}${keyOf(test)}`;
    return { kind: 'clause', path, key, attribute, operator, test, negated };
  } catch (error) {
    if (!(error instanceof LiteralProblem)) throw error;
    const problem = `${operator} on ${describeSubject(subject)} ${error.message}`;
    throw badFilter(error instanceof ItemProblem ? pathTo(path, error.item) : path, problem, { attribute, operator });
  }
}

const RANGES: readonly Operator[] = ['$gt', '$gte', '$lt', '$lte'];
const FOR_BOOLS: readonly Operator[] = ['$eq', '$ne', '$in', '$nin', '$exists'];
const FOR_NUMBERS: readonly Operator[] = [...FOR_BOOLS, ...RANGES];
/** Of the first two only with null. */
const FOR_LISTS: readonly Operator[] = ['$eq', '$ne', '$exists', '$contains'];

function operatorsOf(type: ColumnType): readonly Operator[] {
  if (type.kind === 'bool') return FOR_BOOLS;
  if (type.kind === 'utf8') return OPERATORS;
  return type.kind === 'list' ? FOR_LISTS : FOR_NUMBERS;
}

function notTaken(subject: Subject, operator: Operator, path: string): ShortlistError {
  const { attribute, type } = subject;
  const advice = type.kind === 'list' && operator === '$in' ? '; join $contains with $or' : '';
  const problem = `${describeSubject(subject)} takes ${operatorsOf(type).join(', ')}, not ${operator}${advice}`;
  return badFilter(path, problem, { attribute, operator });
}

function describeSubject({ attribute, type }: Subject): string {
  return `${quote(attribute)} (${describeType(type)})`;
}

export function describeType(type: ColumnType): string {
  switch (type.kind) {
    case 'int':
      return `${type.signed ? 'int' : 'uint'}${type.bits}`;
    case 'float':
      return `float${type.bits}`;
    case 'list':
      return 'list of texts';
    case 'utf8':
      return 'text';
    default:
      return type.kind;
  }
}

/** The literal at this place of a list is wrong. */
class ItemProblem extends LiteralProblem {
  constructor(
    readonly item: number,
    message: string,
  ) {
    super(message);
  }
}

function testOf(type: ColumnType, operator: Operator, literal: unknown): Test {
  if (operator === '$exists') return { kind: 'null', isNull: !boolLiteral(literal) };
  if (literal === null) return nullTest(operator);
  if (operator === '$contains') return containsTest(type, literal);
  if (operator === '$in' || operator === '$nin') return anyOf(type, operator, literal);
  if (type.kind === 'list') {
    throw new LiteralProblem(`takes only null, not ${describe(literal)}; $contains looks for an item`);
  }
  return comparisonTest(type, operator === '$ne' ? '$eq' : operator, literal);
}

function nullTest(operator: Operator): Test {
  if (operator === '$eq' || operator === '$ne') return { kind: 'null', isNull: operator === '$eq' };
  throw new LiteralProblem('never takes null; {"$eq": null} or {"$exists": false} finds what has no value');
}

function containsTest(type: ColumnType, literal: unknown): Test {
  const text = textLiteral(literal);
  if (type.kind === 'list') return { kind: 'item', text };
  // Nothing is part of every text; whoever searches for it below may count on at least a byte.
  return text === '' ? { kind: 'null', isNull: false } : { kind: 'substring', text };
}

function anyOf(type: ColumnType, operator: '$in' | '$nin', literal: unknown): Test {
  if (!Array.isArray(literal)) throw new LiteralProblem(`takes a list, not ${describe(literal)}`);
  if (literal.length === 0) throw new LiteralProblem('takes a list of at least one value');
  if (literal.length > MAX_FILTER_LIST) {
    throw new LiteralProblem(`takes up to ${MAX_FILTER_LIST} values, not ${literal.length}`);
  }
  return unionOf(literal.map((item: unknown, position) => itemTest(type, operator, item, position)));
}

function itemTest(type: ColumnType, operator: '$in' | '$nin', item: unknown, position: number): Test {
  try {
    if (item !== null) return comparisonTest(type, '$eq', item);
    const advice = operator === '$in' ? 'join {"$eq": null} with $or' : '$nin never passes null anyway';
    throw new LiteralProblem(`never takes null; ${advice}`);
  } catch (error) {
    if (!(error instanceof LiteralProblem)) throw error;
    throw new ItemProblem(position, error.message);
  }
}

/** @param tests equalities, of one kind since they are of one column */
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
      return { kind: 'texts', values: [...new Set(tests.flatMap((test) => (test as typeof first).values))].sort() };
    default:
      throw new TypeError(`${first.kind} is no equality`);
  }
}

type Comparison = Exclude<Operator, '$ne' | '$in' | '$nin' | '$exists' | '$contains'>;

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

/** Values of up to 32 bits are compared as doubles, which are quicker. */
function integerTest(type: ColumnType, intervals: Intervals<bigint>): Test {
  if (isWide(type)) return { kind: 'integers', intervals };
  return { kind: 'numbers', intervals: intervals.map(Number) };
}

/** Whether values are stored as 64-bit integers. */
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

/** Texts as JSON, so that no text can look like another test. */
export function keyOf(test: Test): string {
  switch (test.kind) {
    case 'null':
      return test.isNull ? 'null' : 'value';
    case 'bools':
      return `bools${test.mask}`;
    case 'numbers':
    case 'integers':
      return `[${test.intervals.join()}]`;
    case 'texts':
      return JSON.stringify(test.values);
    case 'text_range':
      return `range${JSON.stringify([test.low, test.high])}`;
    case 'substring':
    case 'item':
      return `${test.kind}${JSON.stringify(test.text)}`;
  }
}
