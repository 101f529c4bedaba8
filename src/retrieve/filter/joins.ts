/**
 * Joins clauses by and, or. Clauses on one attribute become one clause where one test can express them all, so that
 * they cost one scan and one set of rows. Negated parts become one negation (De Morgan), so that they can be joined as
 * well.
 */
import { clauseKey } from './clauses.js';
import type { Clause, FilterNode, Intervals, Test } from './filter-plan.js';
import { intersect, unite } from './intervals.js';
import type { Meter, Work } from '../../base/work.js';

export function* conjunction(nodes: readonly FilterNode[], path: string, meter: Meter): Work<FilterNode> {
  const flat = nodes.flatMap((node) => (node.kind === 'and' ? node.nodes : node.kind === 'all' ? [] : [node]));
  if (flat.length === 0) return { kind: 'all', path, key: '*' };
  if (flat.length === 1) return flat[0]!;
  const steps = yield* joinSteps(flat, path, 'and', meter);
  return { kind: 'and', path, key: joinKeys('&', steps), nodes: flat, steps };
}

export function* disjunction(nodes: readonly FilterNode[], path: string, meter: Meter): Work<FilterNode> {
  if (nodes.some(({ kind }) => kind === 'all')) return { kind: 'all', path, key: '*' };
  const flat = nodes.flatMap((node) => (node.kind === 'or' ? node.nodes : [node]));
  if (flat.length === 1) return flat[0]!;
  const steps = yield* joinSteps(flat, path, 'or', meter);
  return { kind: 'or', path, key: joinKeys('|', steps), nodes: flat, steps };
}

function joinKeys(sign: '&' | '|', nodes: readonly FilterNode[]): string {
  const keys = [...new Set(nodes.map(({ key }) => key))].sort();
  return keys.length === 1 ? keys[0]! : `(${keys.join(sign)})`;
}

type Mode = 'and' | 'or';

function* joinSteps(nodes: readonly FilterNode[], path: string, mode: Mode, meter: Meter): Work<FilterNode[]> {
  const groups = new Map<string, FilterNode[]>();
  for (const node of nodes) {
    const name = groupOf(node, mode) ?? `alone ${groups.size}`;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [node]);
    else group.push(node);
  }
  const steps: FilterNode[] = [];
  for (const group of groups.values()) {
    const [first] = group;
    if (group.length === 1) steps.push(first!);
    else if (first!.kind === 'not') steps.push(yield* joinNegations(group, path, mode, meter));
    else steps.push(yield* joinClauses(group as Clause[], path, mode, meter));
  }
  return steps;
}

/** The group of nodes that are joined with this one; null if it stays alone. */
function groupOf(node: FilterNode, mode: Mode): string | null {
  if (node.kind === 'not') return 'not';
  if (node.kind !== 'clause' || node.negated) return null;
  const { test, attribute } = node;
  return isJoined(test, mode) ? `${test.kind} ${attribute}` : null;
}

/** Maximum interval ends to join: joining more takes longer than the scan it saves. */
const MAX_JOINED = 256;

function isJoined(test: Test, mode: Mode): boolean {
  switch (test.kind) {
    case 'numbers':
    case 'integers':
      return test.intervals.length <= MAX_JOINED;
    case 'texts':
    case 'ids':
      return mode === 'or';
    case 'substrings':
      return test.texts.length === 1 || test.all === (mode === 'and');
    case 'items':
      return test.values.length + Number(test.never) === 1 || test.all === (mode === 'and');
    default:
      return false;
  }
}

function* joinClauses(clauses: readonly Clause[], path: string, mode: Mode, meter: Meter): Work<Clause> {
  const [first] = clauses;
  const test = joinTests(
    clauses.map((clause) => clause.test),
    mode,
  );
  return { ...first!, path, test, key: yield* clauseKey(first!.attribute, false, test, meter) };
}

function joinTests(tests: readonly Test[], mode: Mode): Test {
  const all = mode === 'and';
  const [first] = tests;
  switch (first!.kind) {
    case 'numbers':
      return { kind: 'numbers', intervals: joinIntervals(ofKind(tests, 'numbers'), all) };
    case 'integers':
      return { kind: 'integers', intervals: joinIntervals(ofKind(tests, 'integers'), all) };
    case 'texts':
      return { kind: 'texts', values: ofKind(tests, 'texts').flatMap(({ values }) => values) };
    case 'ids':
      return { kind: 'ids', ids: ofKind(tests, 'ids').flatMap(({ ids }) => ids) };
    case 'substrings':
      return { kind: 'substrings', all, texts: ofKind(tests, 'substrings').flatMap(({ texts }) => texts) };
    case 'items': {
      const items = ofKind(tests, 'items');
      const never = items.some((test) => test.never);
      return { kind: 'items', all, values: items.flatMap(({ values }) => values), never };
    }
    default:
      throw new TypeError(`tests of ${first!.kind} are not joined`);
  }
}

function joinIntervals<T extends number | bigint>(
  tests: readonly { readonly intervals: Intervals<T> }[],
  all: boolean,
): Intervals<T> {
  const lists = tests.map(({ intervals }) => intervals);
  return all ? lists.reduce((a, b) => intersect(a, b)) : unite(lists);
}

type OfKind<K extends Test['kind']> = Extract<Test, { readonly kind: K }>;

function ofKind<K extends Test['kind']>(tests: readonly Test[], kind: K): OfKind<K>[] {
  return tests.map((test) => {
    if (test.kind !== kind) throw new TypeError(`${test.kind} and ${kind} are not of one group`);
    return test as OfKind<K>;
  });
}

/** Not a and not b equals not (a or b). */
function* joinNegations(nodes: readonly FilterNode[], path: string, mode: Mode, meter: Meter): Work<FilterNode> {
  const inner = nodes.flatMap((node) => (node.kind === 'not' ? [node.node] : []));
  const node = yield* mode === 'and' ? disjunction(inner, path, meter) : conjunction(inner, path, meter);
  return { kind: 'not', path, key: `!(${node.key})`, node };
}
