/**
 * Parses filters from JSON to plans. Takes the JSON of a request and the attributes of the version; returns a plan, or
 * throws `bad_filter` with the path of the wrong clause. An unknown attribute or operator, or a literal that cannot
 * match the type, is an error, never an empty answer.
 *
 *     {"category": "jewelry", "price": {"$gte": 10, "$lt": 50}, "$or": [{"sale": true}, {"new": true}]}
 *
 * - Members of an object are joined by and; so are several operators on one attribute.
 * - A null value passes only `$eq: null` and `$exists: false`, and a `$not` of a filter that it does not pass. It does
 *   not pass `$ne` and `$nin`. NaN counts as null, as answers show it. An empty list is a value.
 * - `{}` passes every row, as in MongoDB, also as a branch. An empty condition, `$and`, `$or`, `$in` or `$nin`, and
 *   `$not: {}`, are errors: they hint at a bug in the caller.
 * - `$not` takes a filter, or under an attribute a condition: `{"price": {"$not": {"$gt": 5}}}`.
 * - `$in` and `$nin` do not accept null: it could never pass.
 * - Texts compare by code points. `$contains` finds a substring of a text or an item of a list, case-sensitively;
 *   `$containsAny` and `$containsAll` take several.
 * - `id` is the item's id, unless an attribute has that name.
 * - An attribute whose name begins with `$` can be used unless it has the name of an operator.
 *
 * Limits on clauses, filters, list items and `$contains` bound the cost of a filter.
 */
import { didYouMean, nearestName } from '../../base/nearest-name.js';
import { findSubject, makeClause, type Subject } from './clauses.js';
import type { Clause, FilterNode, FilterPlan, FilterSchema, Operator } from './filter-plan.js';
import {
  LOGICAL_OPERATORS,
  MAX_FILTER_BRANCHES,
  MAX_FILTER_CLAUSES,
  MAX_FILTER_DEPTH,
  MAX_FILTER_ITEMS,
  MAX_FILTER_NEEDLES,
  OPERATORS,
} from './filter-plan.js';
import { conjunction, disjunction } from './joins.js';
import { badFilter, describe, isObject, pathTo, quote } from './problem.js';
import { Meter, runSync, type Work } from '../../base/work.js';

/**
 * @param at JSON pointer of the filter in the request, with which paths begin: '/filter'
 * @throws bad_filter
 */
export function parseFilter(value: unknown, schema: FilterSchema, at = ''): FilterPlan {
  return runSync(parseFilterInSlices(value, schema, at));
}

/** As `parseFilter`, in slices. */
export function* parseFilterInSlices(value: unknown, schema: FilterSchema, at = ''): Work<FilterPlan> {
  const root = yield* new Parser(schema).filter(value, at, 1);
  return { schema, root, key: root.key };
}

/** Meter units of a clause, in addition to its list. */
const CLAUSE_UNITS = 5_000;

class Parser {
  private clauses = 0;
  private branchCount = 0;
  private items = 0;
  private needleBytes = 0;
  private readonly meter = new Meter();

  constructor(private readonly schema: FilterSchema) {}

  *filter(value: unknown, path: string, depth: number): Work<FilterNode> {
    if (!isObject(value)) {
      throw badFilter(path, `a filter is an object like {"category": "jewelry"}, not ${describe(value)}`);
    }
    checkDepth(path, depth);
    if (++this.branchCount > MAX_FILTER_BRANCHES) {
      throw badFilter(path, `a filter can contain at most ${MAX_FILTER_BRANCHES} filters`);
    }
    const nodes: FilterNode[] = [];
    for (const [name, member] of Object.entries(value)) {
      nodes.push(yield* this.member(name, member, pathTo(path, name), depth));
    }
    return yield* conjunction(nodes, path, this.meter);
  }

  private *member(name: string, value: unknown, path: string, depth: number): Work<FilterNode> {
    switch (name) {
      case '$and':
        return yield* conjunction(yield* this.branches(name, value, path, depth), path, this.meter);
      case '$or':
        return yield* disjunction(yield* this.branches(name, value, path, depth), path, this.meter);
      case '$not':
        return yield* this.negation(value, path, depth);
      default:
        if (name.startsWith('$') && !this.schema.has(name)) throw unknownOperator(name, path);
        return yield* this.condition(findSubject(this.schema, name, path), value, path, depth);
    }
  }

  private *branches(operator: string, value: unknown, path: string, depth: number): Work<FilterNode[]> {
    if (!Array.isArray(value)) throw badFilter(path, `${operator} takes a list of filters, not ${describe(value)}`);
    if (value.length === 0) throw badFilter(path, `${operator} takes a list of at least one filter`);
    // Checked before the list is read: branches may have no clause at all.
    if (value.length > MAX_FILTER_CLAUSES) throw tooManyClauses(path);
    const nodes: FilterNode[] = [];
    for (const [position, branch] of value.entries()) {
      nodes.push(yield* this.filter(branch, pathTo(path, position), depth + 1));
    }
    return nodes;
  }

  private *negation(value: unknown, path: string, depth: number): Work<FilterNode> {
    const node = yield* this.filter(value, path, depth + 1);
    if (node.kind === 'all') throw badFilter(path, 'the filter under $not passes every row, so $not passes none');
    return { kind: 'not', path, key: `!(${node.key})`, node };
  }

  /** The value under an attribute's name: operators, or a bare value. */
  private *condition(subject: Subject, value: unknown, path: string, depth: number): Work<FilterNode> {
    checkDepth(path, depth);
    if (!isObject(value)) return yield* this.clause(subject, '$eq', value, path);
    const entries = Object.entries(value);
    if (entries.length === 0) throw badFilter(path, `the condition on ${quote(subject.attribute)} is empty`);
    const nodes: FilterNode[] = [];
    for (const [name, literal] of entries) {
      nodes.push(yield* this.operator(subject, name, literal, pathTo(path, name), depth));
    }
    return yield* conjunction(nodes, path, this.meter);
  }

  private *operator(subject: Subject, name: string, literal: unknown, path: string, depth: number): Work<FilterNode> {
    if (name === '$not') {
      const node = yield* this.condition(subject, literal, path, depth + 1);
      return { kind: 'not', path, key: `!(${node.key})`, node };
    }
    if (!isOperator(name)) throw unknownOperator(name, path, subject.attribute);
    return yield* this.clause(subject, name, literal, path);
  }

  private *clause(subject: Subject, operator: Operator, literal: unknown, path: string): Work<Clause> {
    if (++this.clauses > MAX_FILTER_CLAUSES) throw tooManyClauses(path);
    this.items += Array.isArray(literal) ? literal.length : 0;
    if (this.items > MAX_FILTER_ITEMS) {
      throw badFilter(path, `all lists of a filter together can have at most ${MAX_FILTER_ITEMS} items`);
    }
    const clause = yield* makeClause(subject, operator, literal, path, this.meter);
    if (clause.test.kind === 'substrings') this.countNeedles(clause.test.texts, path);
    if (this.meter.spend(CLAUSE_UNITS)) yield;
    return clause;
  }

  private countNeedles(texts: readonly string[], path: string): void {
    for (const text of texts) this.needleBytes += Buffer.byteLength(text);
    if (this.needleBytes <= MAX_FILTER_NEEDLES) return;
    throw badFilter(path, `all $contains texts of a filter together can have at most ${MAX_FILTER_NEEDLES} bytes`);
  }
}

function isOperator(name: string): name is Operator {
  return (OPERATORS as readonly string[]).includes(name);
}

function checkDepth(path: string, depth: number): void {
  if (depth > MAX_FILTER_DEPTH) throw badFilter(path, `filters can be nested at most ${MAX_FILTER_DEPTH} deep`);
}

function tooManyClauses(path: string): Error {
  return badFilter(
    path,
    `a filter can have at most ${MAX_FILTER_CLAUSES} clauses; use $in, $containsAny or $containsAll to join values of one attribute`,
  );
}

/** @param attribute the operator's attribute; undefined for operators that join filters */
function unknownOperator(name: string, path: string, attribute?: string): Error {
  const known: readonly string[] = attribute === undefined ? LOGICAL_OPERATORS : [...OPERATORS, '$not'];
  const where = attribute === undefined ? 'between attributes' : `on ${quote(attribute)}`;
  const elsewhere = attribute === undefined ? isOperator(name) : known !== LOGICAL_OPERATORS && isLogical(name);
  const advice = elsewhere ? misplaced(name, attribute) : didYouMean(name, known);
  const problem = `${quote(name)} is not an operator ${where}; the operators are ${known.join(', ')}${advice}`;
  return badFilter(path, problem, { operator: name.slice(0, 64), suggestion: nearestName(name, known) });
}

function isLogical(name: string): boolean {
  return (LOGICAL_OPERATORS as readonly string[]).includes(name);
}

function misplaced(name: string, attribute: string | undefined): string {
  if (attribute === undefined) return `; write it under an attribute: {"price": {"${name}": ...}}`;
  return `; write it outside: {"${name}": [{${quote(attribute)}: ...}, ...]}`;
}
