/**
 * Filters as JSON to plans. Takes what a request carries and the attributes of the version; gives a plan, or `bad_filter`
 * with the path of the clause that is wrong. Nothing unknown passes in silence: an attribute, an operator or a literal that
 * cannot be meant is an error, never an empty answer.
 *
 *     {"category": "jewelry", "price": {"$gte": 10, "$lt": 50}, "$or": [{"sale": true}, {"$not": {"stock": {"$lt": 5}}}]}
 *
 * - Members of an object are joined by and; so are several operators of one attribute.
 * - A null passes only `$eq: null` and `$exists: false`, and `$not` of whatever does not pass it; `$ne` and `$nin` do not
 *   pass it. NaN counts as null, as which answers show it. An empty list is a value.
 * - `{}` passes every row, as in MongoDB, also as a branch. Empty conditions, `$and`, `$or`, `$in` and `$nin` of nothing
 *   and `$not: {}` are errors: each would hide a program's mistake.
 * - `$not` takes a filter, or under an attribute a condition: `{"price": {"$not": {"$gt": 5}}}`.
 * - `$in` and `$nin` take no null: it could never pass.
 * - Texts compare by code points. `$contains` is a substring of a text, an item of a list, case and all.
 * - Where an attribute's name begins with `$`, it is found unless it is the name of an operator.
 */
import { didYouMean, nearestName } from '../../base/nearest-name.js';
import { findSubject, makeClause, keyOf, type Subject } from './clauses.js';
import type { Clause, FilterNode, FilterPlan, FilterSchema, Operator, Test } from './filter-plan.js';
import { LOGICAL_OPERATORS, MAX_FILTER_CLAUSES, MAX_FILTER_DEPTH, OPERATORS } from './filter-plan.js';
import { intersect } from './intervals.js';
import { badFilter, describe, isObject, pathTo, quote } from './problem.js';

/**
 * @param at where the filter stands in the request, as the JSON pointer that paths begin with: '/filter'
 * @throws bad_filter
 */
export function parseFilter(value: unknown, schema: FilterSchema, at = ''): FilterPlan {
  const root = new Parser(schema).filter(value, at, 1);
  return { schema, root, key: root.key };
}

class Parser {
  private clauses = 0;

  constructor(private readonly schema: FilterSchema) {}

  filter(value: unknown, path: string, depth: number): FilterNode {
    if (!isObject(value)) {
      throw badFilter(path, `a filter is an object like {"category": "jewelry"}, not ${describe(value)}`);
    }
    checkDepth(path, depth);
    const nodes = Object.entries(value).map(([name, member]) => this.member(name, member, pathTo(path, name), depth));
    return conjunction(nodes, path);
  }

  private member(name: string, value: unknown, path: string, depth: number): FilterNode {
    switch (name) {
      case '$and':
        return conjunction(this.branches(name, value, path, depth), path);
      case '$or':
        return disjunction(this.branches(name, value, path, depth), path);
      case '$not':
        return this.negation(value, path, depth);
      default:
        if (name.startsWith('$') && !this.schema.has(name)) throw unknownOperator(name, path);
        return this.condition(findSubject(this.schema, name, path), value, path, depth);
    }
  }

  private branches(operator: string, value: unknown, path: string, depth: number): FilterNode[] {
    if (!Array.isArray(value)) throw badFilter(path, `${operator} takes a list of filters, not ${describe(value)}`);
    if (value.length === 0) throw badFilter(path, `${operator} takes a list of at least one filter`);
    // The list is bounded before it is mapped: branches may hold no clause at all.
    if (value.length > MAX_FILTER_CLAUSES) throw tooManyClauses(path);
    return value.map((branch: unknown, position) => this.filter(branch, pathTo(path, position), depth + 1));
  }

  private negation(value: unknown, path: string, depth: number): FilterNode {
    const node = this.filter(value, path, depth + 1);
    if (node.kind === 'all') throw badFilter(path, '$not of a filter that passes everything passes nothing');
    return { kind: 'not', path, key: `!(${node.key})`, node };
  }

  /** What follows an attribute's name: operators, or a bare value. */
  private condition(subject: Subject, value: unknown, path: string, depth: number): FilterNode {
    checkDepth(path, depth);
    if (!isObject(value)) return this.clause(subject, '$eq', value, path);
    const entries = Object.entries(value);
    if (entries.length === 0) throw badFilter(path, `the condition on ${quote(subject.attribute)} is empty`);
    const nodes = entries.map(([name, literal]) => this.operator(subject, name, literal, pathTo(path, name), depth));
    return conjunction(nodes, path);
  }

  private operator(subject: Subject, name: string, literal: unknown, path: string, depth: number): FilterNode {
    if (name === '$not') {
      const node = this.condition(subject, literal, path, depth + 1);
      return { kind: 'not', path, key: `!(${node.key})`, node };
    }
    if (!isOperator(name)) throw unknownOperator(name, path, subject.attribute);
    return this.clause(subject, name, literal, path);
  }

  private clause(subject: Subject, operator: Operator, literal: unknown, path: string): Clause {
    if (++this.clauses > MAX_FILTER_CLAUSES) throw tooManyClauses(path);
    return makeClause(subject, operator, literal, path);
  }
}

function isOperator(name: string): name is Operator {
  return (OPERATORS as readonly string[]).includes(name);
}

function checkDepth(path: string, depth: number): void {
  if (depth > MAX_FILTER_DEPTH) throw badFilter(path, `filters nest at most ${MAX_FILTER_DEPTH} deep`);
}

function tooManyClauses(path: string): Error {
  return badFilter(path, `a filter has at most ${MAX_FILTER_CLAUSES} clauses; $in joins values of one attribute`);
}

/** @param attribute under which it stands; none for the operators that join filters */
function unknownOperator(name: string, path: string, attribute?: string): Error {
  const known: readonly string[] = attribute === undefined ? LOGICAL_OPERATORS : [...OPERATORS, '$not'];
  const where = attribute === undefined ? 'between attributes' : `on ${quote(attribute)}`;
  const elsewhere = attribute === undefined ? isOperator(name) : known !== LOGICAL_OPERATORS && isLogical(name);
  const advice = elsewhere ? misplaced(name, attribute) : didYouMean(name, known);
  const problem = `${quote(name)} is no operator ${where}; there are ${known.join(', ')}${advice}`;
  return badFilter(path, problem, { operator: name.slice(0, 64), suggestion: nearestName(name, known) });
}

function isLogical(name: string): boolean {
  return (LOGICAL_OPERATORS as readonly string[]).includes(name);
}

function misplaced(name: string, attribute: string | undefined): string {
  if (attribute === undefined) return `; write it under an attribute: {"price": {"${name}": ...}}`;
  return `; write it outside: {"${name}": [{${quote(attribute)}: ...}, ...]}`;
}

function conjunction(nodes: readonly FilterNode[], path: string): FilterNode {
  const flat = nodes.flatMap((node) => (node.kind === 'and' ? node.nodes : node.kind === 'all' ? [] : [node]));
  if (flat.length === 0) return { kind: 'all', path, key: '*' };
  if (flat.length === 1) return flat[0]!;
  const steps = joinRanges(flat, path);
  return { kind: 'and', path, key: joinKeys('&', steps), nodes: flat, steps };
}

function disjunction(nodes: readonly FilterNode[], path: string): FilterNode {
  if (nodes.some(({ kind }) => kind === 'all')) return { kind: 'all', path, key: '*' };
  const flat = nodes.flatMap((node) => (node.kind === 'or' ? node.nodes : [node]));
  if (flat.length === 1) return flat[0]!;
  return { kind: 'or', path, key: joinKeys('|', flat), nodes: flat };
}

function joinKeys(sign: '&' | '|', nodes: readonly FilterNode[]): string {
  const keys = [...new Set(nodes.map(({ key }) => key))].sort();
  return keys.length === 1 ? keys[0]! : `(${keys.join(sign)})`;
}

/** Clauses with ranges of one attribute as one clause: `{"$gte": 10, "$lt": 50}` costs one pass over the prices. */
function joinRanges(nodes: readonly FilterNode[], path: string): FilterNode[] {
  const joined = new Map<string, FilterNode>();
  for (const node of nodes) {
    const isRange = node.kind === 'clause' && !node.negated && 'intervals' in node.test;
    const name = isRange ? `range of ${node.attribute}` : `node ${joined.size}`;
    const before = joined.get(name);
    joined.set(name, before === undefined ? node : intersection(before as Clause, node as Clause, path));
  }
  return [...joined.values()];
}

function intersection(a: Clause, b: Clause, path: string): Clause {
  const test = intersectTests(a.test, b.test);
  return { ...a, path, test, key: `${JSON.stringify(a.attribute)}=${keyOf(test)}` };
}

function intersectTests(a: Test, b: Test): Test {
  if (a.kind === 'numbers' && b.kind === 'numbers') {
    return { kind: 'numbers', intervals: intersect(a.intervals, b.intervals) };
  }
  if (a.kind === 'integers' && b.kind === 'integers') {
    return { kind: 'integers', intervals: intersect(a.intervals, b.intervals) };
  }
  throw new TypeError(`${a.kind} and ${b.kind} are not of one column`);
}
