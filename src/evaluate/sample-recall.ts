/** Recall of a version on its own rows: what the gate asks. */
import { EventLoopYielder } from '../base/event-loop-yielder.js';
import type { ExactSearch } from '../engine/exact-search.js';
import type { LoadedVersion } from '../retrieve/load/loaded-version.js';
import { search } from '../retrieve/search/run-search.js';
import type { OnStageProgress } from './evaluate.js';
import { queryAt, sampleVectors, selfAt } from './queries.js';
import { recallOf, summarizeRecall, type Recall } from './recall.js';
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
 * Mean recall@k at the default ef, over rows that are left out of their own answers. Their vectors differ: where most
 * rows are equal, a sample of rows would find those and nothing else, and they are the easiest to find.
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
  const recalls: Recall[] = [];
  for (const [position, neighbors] of truth.neighbors.entries()) {
    const query = queryAt(queries, position, version.manifest.dim);
    const answer = search(version, query, { k: options.k }, selfAt(queries, position));
    recalls.push(recallOf(version, query, answer.ordinals, neighbors, options.k));
    await turns.yieldIfDue();
  }
  return { ...summarizeRecall(recalls), queries: queries.count };
}
