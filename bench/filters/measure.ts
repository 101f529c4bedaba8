/**
 * Measures one filter: which ef reaches the recall on these queries, and how long a search takes with it, compared with
 * the search without a filter at the smallest ef that reaches the same recall. Both alternate query by query, so that
 * other load on the machine affects both alike.
 */
import type { IndexSearchOptions, OpenIndex, SearchAnswer } from '../../src/retrieve/library/open-index.js';
import { median, significant } from '../lib/numbers.js';
import { recallOf, type Truth } from './truth.js';

export const LEAST_RECALL = 0.99;

/** A grid in steps of about 1.4; an ef that is asked for is raised to k. */
const EFS = Array.from({ length: 14 }, (_, step) => Math.round(100 * Math.SQRT2 ** step)).filter((ef) => ef <= 10_000);

export interface Point {
  /** Null at default settings. */
  readonly ef: number | null;
  readonly recall: number;
  readonly worst: number;
}

export interface Case {
  readonly index: OpenIndex;
  readonly queries: readonly Float32Array[];
  readonly k: number;
  readonly filter: Readonly<Record<string, unknown>> | null;
  readonly truth: Truth;
}

export function optionsOf({ k, filter }: Case, ef: number | null): IndexSearchOptions {
  return { k, ...(filter !== null && { filter }), ...(ef !== null && { ef }) };
}

export function recallAt(one: Case, ef: number | null): Point {
  const options = optionsOf(one, ef);
  const recalls = one.queries.map((query, position) => recallOf(one.truth, position, one.index.search(query, options)));
  const mean = recalls.reduce((sum, recall) => sum + recall, 0) / recalls.length;
  return { ef, recall: significant(mean, 5), worst: Math.min(...recalls) };
}

/** The least ef of the grid that reaches the recall. @throws Error where none does */
export function leastReaching(one: Case): Point {
  for (const ef of EFS) {
    const point = recallAt(one, ef);
    if (point.recall >= LEAST_RECALL) return point;
  }
  throw new Error(`no ef up to ${EFS.at(-1)} reaches a recall of ${LEAST_RECALL} under ${JSON.stringify(one.filter)}`);
}

/**
 * Median microseconds of a search of each, over all rounds. In their turns the cases search for different queries: what one has
 * read would be in the caches for the next.
 */
export function timeTurns(cases: readonly (readonly [Case, number | null])[], rounds: number): number[] {
  const times: number[][] = cases.map(() => []);
  const count = cases[0]![0].queries.length;
  for (let round = 0; round < rounds; round++) {
    for (let query = 0; query < count; query++) {
      for (const [position, [one, ef]] of cases.entries()) {
        const own = (query + Math.floor((position * count) / cases.length)) % count;
        times[position]!.push(timeOne(one, own, ef));
      }
    }
  }
  return times.map((all) => significant(median(all)));
}

function timeOne(one: Case, query: number, ef: number | null): number {
  const options = optionsOf(one, ef);
  const startedMs = performance.now();
  one.index.search(one.queries[query]!, options);
  return (performance.now() - startedMs) * 1000;
}

/** What the engine did with most of the queries. */
export function planOf(one: Case, ef: number | null): string {
  const counts = new Map<string, number>();
  for (const query of one.queries) {
    const { explain }: SearchAnswer = one.index.search(query, { ...optionsOf(one, ef), explain: true });
    const plan = explain?.shards[0]?.plan ?? 'none';
    counts.set(plan, (counts.get(plan) ?? 0) + 1);
  }
  return [...counts].sort(([, a], [, b]) => b - a).map(([plan, count]) => (counts.size === 1 ? plan : `${plan} ${count}`)).join(', '); // prettier-ignore
}
