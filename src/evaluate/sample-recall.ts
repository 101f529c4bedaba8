/** Measures the recall of a version on its own rows, for the gate. */
import { EventLoopYielder } from '../base/event-loop-yielder.js';
import type { ExactSearch } from '../engine/exact-search.js';
import type { LoadedVersion } from '../retrieve/load/loaded-version.js';
import type { OnStageProgress } from './evaluate.js';
import { sampleVectors } from './queries.js';
import { measureRecall, type Recall } from './recall.js';
import { findTruth, type TruthCache } from './truth.js';

interface SampleRecallOptions {
  readonly sample: number;
  readonly seed: number;
  readonly k: number;
  readonly pool: ExactSearch;
  readonly cache?: TruthCache | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnStageProgress | undefined;
}

/**
 * Mean recall@k at the default ef, over rows that are left out of their own answers. Their vectors are distinct: where
 * most rows are equal, a sample of rows would contain little else, and equal rows are the easiest to find.
 */
export async function sampleRecall(
  version: LoadedVersion,
  options: SampleRecallOptions,
): Promise<Recall & { queries: number; worst: number }> {
  const turns = new EventLoopYielder(options.signal);
  const queries = await sampleVectors(version, options.sample, options.seed, turns);
  const truth = await findTruth(version, queries, {
    k: options.k,
    pool: options.pool,
    cache: options.cache,
    signal: options.signal,
    onProgress: (done, total) => options.onProgress?.('recall', done, total, 'queries'),
  });
  return { ...(await measureRecall(version, queries, truth, { k: options.k }, turns)), queries: queries.count };
}
