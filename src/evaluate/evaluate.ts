/** `evaluate`: queries, their truth, and the grid. Takes a loaded version; gives the points of the JSON output. */
import { openExactSearch } from '../engine/exact/exact-search.js';
import type { LoadedVersion } from '../retrieve/loaded-version.js';
import { measurePoint, type GridPoint } from './grid.js';
import { externalQueries, sampleQueries } from './queries.js';
import { findTruth } from './truth.js';
import { noteTruthCache } from './truth-cache.js';

export type OnStageProgress = (stage: string, done: number, total: number, unit: string) => void;

export interface EvaluateOptions {
  /** count x dim values; null: a sample of the index's own rows. */
  readonly queries: Float32Array | null;
  readonly sample: number;
  readonly seed: number;
  readonly ks: readonly number[];
  readonly efs: readonly number[];
  readonly onProgress?: OnStageProgress | undefined;
}

export interface Evaluation {
  /** How many queries were asked. */
  readonly queries: number;
  readonly source: 'file' | 'sample';
  readonly points: readonly GridPoint[];
}

export async function evaluateVersion(
  root: string,
  version: LoadedVersion,
  options: EvaluateOptions,
): Promise<Evaluation> {
  const queries =
    options.queries === null
      ? sampleQueries(version, options.sample, options.seed)
      : externalQueries(version, options.queries);
  const pool = openExactSearch();
  try {
    const truth = await findTruth(version, queries, {
      k: Math.max(...options.ks),
      pool,
      cache: noteTruthCache(root, version.manifest),
      onProgress: (done, total) => options.onProgress?.('truth', done, total, 'queries'),
    });
    const grid = options.ks.flatMap((k) => options.efs.map((ef) => ({ k, ef })));
    const points: GridPoint[] = [];
    for (const [done, { k, ef }] of grid.entries()) {
      points.push(measurePoint(version, queries, truth, k, ef));
      options.onProgress?.('grid', done + 1, grid.length, 'points');
    }
    return { queries: queries.count, source: options.queries === null ? 'sample' : 'file', points };
  } finally {
    await pool.close();
  }
}
