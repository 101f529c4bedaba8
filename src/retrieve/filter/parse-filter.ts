/**
 * Filters as JSON to plans. Takes what a request carries and the attributes of the version; gives a plan, or
 * `bad_filter` with the path of the clause that is wrong. Nothing unknown passes in silence: an attribute, an
 * operator or a literal that cannot be meant is an error, never an empty answer.
 *
 *     {"category": "jewelry", "price": {"$gte": 10, "$lt": 50}, "$or": [{"sale": true}, {"new": true}]}
 *
 * - Members of an object are joined by and; so are several operators of one attribute.
 * - A null passes only `$eq: null` and `$exists: false`, and `$not` of whatever does not pass it; `$ne` and `$nin` do
 *   not pass it. NaN counts as null, as which answers show it. An empty list is a value.
 * - `{}` passes every row, as in MongoDB, also as a branch. Empty conditions, `$and`, `$or`, `$in` and `$nin` of
 *   nothing and `$not: {}` are errors: each would hide a program's mistake.
 * - `$not` takes a filter, or under an attribute a condition: `{"price": {"$not": {"$gt": 5}}}`.
 * - `$in` and `$nin` take no null: it could never pass.
 * - Texts compare by code points. `$contains` is a substring of a text, an item of a list, case and all;
 *   `$containsAny` and `$containsAll` take several.
 * - `id` is the id, unless an attribute has that name.
 * - Where an attribute's name begins with `$`, it is found unless it is the name of an operator.
 *
 * What is bounded: clauses, filters, items of lists and what `$contains` looks for; so that a filter costs what its
 * clauses and the rows say, and not what somebody could make of them.
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
 * @param at where the filter stands in the request, as the JSON pointer that paths begin with: '/filter'
 * @throws bad_filter
 */
export function parseFilter(value: unknown, schema: FilterSchema, at = ''): FilterPlan {
  return runSync(parsingFilter(value, schema, at));
}

/** As `parseFilter`, in slices. */
export function* parsingFilter(value: unknown, schema: FilterSchema, at = ''): Work<FilterPlan> {
  const root = yield* new Parser(schema).filter(value, at, 1);
  return { schema, root, key: root.key };
}

/** Units of a clause beside its list. */
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
      throw badFilter(path, `a filter holds at most ${MAX_FILTER_BRANCHES} filters`);
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
    // The list is bounded before it is read: branches may hold no clause at all.
    if (value.length > MAX_FILTER_CLAUSES) throw tooManyClauses(path);
    const nodes: FilterNode[] = [];
    for (const [position, branch] of value.entries()) {
      nodes.push(yield* this.filter(branch, pathTo(path, position), depth + 1));
    }
    return nodes;
  }

  private *negation(value: unknown, path: string, depth: number): Work<FilterNode> {
    const node = yield* this.filter(value, path, depth + 1);
    if (node.kind === 'all') throw badFilter(path, '$not of a filter that passes everything passes nothing');
    return { kind: 'not', path, key: `!(${node.key})`, node };
  }

  /** What follows an attribute's name: operators, or a bare value. */
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
      throw badFilter(path, `the lists of a filter have at most ${MAX_FILTER_ITEMS} items in all`);
    }
    const clause = yield* makeClause(subject, operator, literal, path, this.meter);
    if (clause.test.kind === 'substrings') this.countNeedles(clause.test.texts, path);
    if (this.meter.spend(CLAUSE_UNITS)) yield;
    return clause;
  }

  private countNeedles(texts: readonly string[], path: string): void {
    for (const text of texts) this.needleBytes += Buffer.byteLength(text);
    if (this.needleBytes <= MAX_FILTER_NEEDLES) return;
    throw badFilter(path, `a filter looks for at most ${MAX_FILTER_NEEDLES} bytes of text by $contains in all`);
  }
}

function isOperator(name: string): name is Operator {
  return (OPERATORS as readonly string[]).includes(name);
}

function checkDepth(path: string, depth: number): void {
  if (depth > MAX_FILTER_DEPTH) throw badFilter(path, `filters nest at most ${MAX_FILTER_DEPTH} deep`);
}

function tooManyClauses(path: string): Error {
  return badFilter(
    path,
    `a filter has at most ${MAX_FILTER_CLAUSES} clauses; $in, $containsAny and $containsAll join values of one attribute`,
  );
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
