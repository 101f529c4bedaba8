/** Recall of a version on its own rows: what the gate asks. */
import type { ExactSearch } from '../engine/exact/exact-search.js';
import type { LoadedVersion } from '../retrieve/loaded-version.js';
import { search } from '../retrieve/search.js';
import type { OnStageProgress } from './evaluate.js';
import { queryAt, sampleQueries, selfAt } from './queries.js';
import { recallOf, summarizeRecall, type Recall } from './recall.js';
import { findTruth, type TruthCache } from './truth.js';

export interface SampleRecallOptions {
  readonly sample: number;
  readonly seed: number;
  readonly k: number;
  readonly pool: ExactSearch;
  readonly cache?: TruthCache | undefined;
  readonly onProgress?: OnStageProgress | undefined;
}

/** Mean recall@k at the default ef, over sampled rows that are left out of their own answers. */
export async function sampleRecall(
  version: LoadedVersion,
  options: SampleRecallOptions,
): Promise<Recall & { queries: number; worst: number }> {
  const queries = sampleQueries(version, options.sample, options.seed);
  const truth = await findTruth(version, queries, {
    k: options.k,
    pool: options.pool,
    cache: options.cache,
    onProgress: (done, total) => options.onProgress?.('recall', done, total, 'queries'),
  });
  const recalls = truth.neighbors.map((neighbors, position) => {
    const query = queryAt(queries, position, version.manifest.dim);
    const answer = search(version, query, { k: options.k }, selfAt(queries, position));
    return recallOf(version, query, answer.ordinals, neighbors, options.k);
  });
  return { ...summarizeRecall(recalls), queries: queries.count };
}
