/** The result file of the filter bench, and its table for the project's README. */
import { existsSync, readFileSync } from 'node:fs';
import type { Environment } from '../lib/environment.js';
import { markdownTable } from '../lib/markdown.js';
import type { Point } from './measure.js';

/** How the rows that pass lie to the queries. */
export const RELATIONS = ['independent', 'correlated', 'against'] as const;
export type Relation = (typeof RELATIONS)[number];

export interface FilterCase {
  /** Per cent of the rows that pass. */
  readonly percent: number;
  readonly relation: Relation;
  readonly passing: number;
  /** The least ef that reaches the recall. */
  readonly least: Point;
  readonly plan: string;
  readonly median_us: number;
  /** The search without a filter that reaches it on the same queries. */
  readonly unfiltered: Point;
  readonly unfiltered_us: number;
  readonly ratio: number;
  /** Of a request that names no ef. */
  readonly by_default: Point & { readonly median_us: number; readonly plan: string };
  /** The first search with the filter, which finds the rows that pass. */
  readonly first_us: number;
}

export interface FilterResult {
  readonly rows: number;
  readonly dim: number;
  readonly k: number;
  readonly queries: number;
  readonly least_recall: number;
  readonly cases: readonly FilterCase[];
  readonly environment: Environment;
}

/** @returns null where there is no file */
export function readFilterResult(path: string): FilterResult | null {
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as FilterResult) : null;
}

/** @param result null where nothing was measured */
export function filterTable(result: FilterResult | null): string {
  if (result === null) return 'This copy holds no result; `npm run bench:filters` measures one.';
  const { cases, rows, dim, k, least_recall, queries } = result;
  const percents = [...new Set(cases.map(({ percent }) => percent))];
  const lines = percents.map((percent) => {
    const cells = RELATIONS.map((relation) => {
      const found = cases.find((one) => one.percent === percent && one.relation === relation);
      return found === undefined ? '' : describe(found);
    });
    return [`${percent} %`, ...cells];
  });
  const { cpu, isa, node } = result.environment;
  const head = `Generated ${rows.toLocaleString('en-US')} x ${dim}, k ${k}, ${queries} queries each. Median time of a filtered search divided by that of an unfiltered one, each with the smallest ef that reaches recall ${least_recall} on the same queries. In brackets: recall with default settings, and the plans with their numbers of queries:`;
  const table = markdownTable(['rows that pass', 'independent of the vectors', 'near the queries', 'far from the queries'], lines); // prettier-ignore
  return `${head}\n\n${table}\n\n${cpu}, ${isa}, Node ${node.slice(1)}.`;
}

function describe({ ratio, by_default }: FilterCase): string {
  return `${ratio.toFixed(2)} (${by_default.recall.toFixed(4)}, ${by_default.plan.replaceAll('_', ' ')})`;
}
