/**
 * Runs `evaluate`: queries, their truth, and the grid. Takes a loaded version; returns the points of the JSON output.
 */
import { EventLoopYielder } from '../base/event-loop-yielder.js';
import { openExactSearch } from '../engine/exact-search.js';
import type { LoadedVersion } from '../retrieve/load/loaded-version.js';
import { planSearch } from '../retrieve/search/search-plan.js';
import { measurePoint, type GridPoint } from './grid.js';
import { externalQueries, sampleQueries } from './queries.js';
import { findTruth } from './truth.js';
import { noteTruthCache } from './truth-cache.js';

export type OnStageProgress = (stage: string, done: number, total: number, unit: string) => void;

interface EvaluateOptions {
  /** count x dim values; null: a sample of the index's own rows. */
  readonly queries: Float32Array | null;
  readonly sample: number;
  readonly seed: number;
  readonly ks: readonly number[];
  readonly efs: readonly number[];
  /** Rows that may be returned, in the truth and in the answers; as in a search. */
  readonly filter?: unknown;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnStageProgress | undefined;
}

export interface Evaluation {
  readonly queries: number;
  readonly source: 'file' | 'sample';
  /** Share of the rows that pass the filter; absent without a filter. */
  readonly selectivity?: number;
  readonly points: readonly GridPoint[];
}

/** @throws bad_filter, and as `checkQuery` for given queries */
export async function evaluateVersion(
  root: string,
  version: LoadedVersion,
  options: EvaluateOptions,
): Promise<Evaluation> {
  const queries =
    options.queries === null
      ? sampleQueries(version, options.sample, options.seed)
      : externalQueries(version, options.queries);
  const { filter, signal } = options;
  const selectivity = filter === undefined ? undefined : planSearch(version, { k: 1, filter }).filter?.selectivity;
  const pool = openExactSearch();
  try {
    const truth = await findTruth(version, queries, {
      k: Math.max(...options.ks),
      filter,
      pool,
      cache: noteTruthCache(root, version.manifest),
      signal,
      onProgress: (done, total) => options.onProgress?.('truth', done, total, 'queries'),
    });
    const grid = options.ks.flatMap((k) => efsAt(version, k, options).map((ef) => ({ k, ef, filter })));
    const points: GridPoint[] = [];
    for (const [done, point] of grid.entries()) {
      points.push(await measurePoint(version, queries, truth, point, new EventLoopYielder(signal)));
      options.onProgress?.('grid', done + 1, grid.length, 'points');
    }
    const source = options.queries === null ? 'sample' : 'file';
    return { queries: queries.count, source, ...(selectivity !== undefined && { selectivity }), points };
  } finally {
    await pool.close();
  }
}

/** The given ef, with the default ef (undefined) in its place among them if it is a different one. */
function efsAt(version: LoadedVersion, k: number, { efs, filter }: EvaluateOptions): (number | undefined)[] {
  const own = planSearch(version, { k, filter }).ef;
  if (efs.some((ef) => Math.max(k, ef) === own)) return [...efs];
  const place = efs.findIndex((ef) => ef > own);
  const before = place === -1 ? efs : efs.slice(0, place);
  return [...before, undefined, ...efs.slice(before.length)];
}
