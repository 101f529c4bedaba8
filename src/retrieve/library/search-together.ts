/**
 * A batch of queries by graph, on all threads, with crowding and questions about ids, which threads know nothing of.
 */
import type { ExactSearch } from '../../engine/exact-search.js';
import type { Answer } from '../search/answer.js';
import type { BatchPool } from './batch-pool.js';
import { crowdTask, runCrowdedTogether } from '../search/crowded-search.js';
import type { LoadedVersion } from '../load/loaded-version.js';
import { packQueries, queryAt, runExact } from '../search/search.js';
import type { SearchPlan } from '../search/search-plan.js';
import { runInTurns } from '../../base/work.js';
import { planningStep } from '../search/step-plan.js';
import { explainInTurns } from '../search/why-not.js';

interface TogetherOptions {
  /** Told how many queries are done. */
  readonly onProgress?: ((done: number) => void) | undefined;
  /** Aborting it rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** @param queries count x dim checked values */
export async function searchTogether(
  version: LoadedVersion,
  batches: BatchPool,
  exact: Pick<ExactSearch, 'search'>,
  queries: Float32Array,
  plan: SearchPlan,
  options: TogetherOptions = {},
): Promise<Answer[]> {
  const { shards, manifest } = version;
  const { onProgress, signal } = options;
  if (plan.crowding === null)
    return explainAll(version, queries, plan, await batches.search(queries, plan, options), signal);
  const count = queries.length / manifest.dim;
  const tasks = Array.from({ length: count }, () => crowdTask(shards, plan));
  const answers = await runCrowdedTogether(tasks, async (positions, step) => {
    const packed = packQueries(queries, positions, manifest.dim);
    const own = await runInTurns(planningStep(shards, plan, step), { signal });
    const deeper = { ...own, crowding: null, suspects: null };
    if (deeper.exact) return runExact(version, exact, packed, positions.length, deeper, [], { signal });
    const onStep = (done: number): void => onProgress?.(count - positions.length + Math.min(done, positions.length));
    return batches.search(packed, deeper, { onProgress: onStep, signal });
  });
  return explainAll(version, queries, plan, answers, signal);
}

async function explainAll(
  { shards, manifest }: LoadedVersion,
  queries: Float32Array,
  plan: SearchPlan,
  answers: Answer[],
  signal: AbortSignal | undefined,
): Promise<Answer[]> {
  if (plan.suspects === null) return answers;
  const explained: Answer[] = [];
  for (const [position, answer] of answers.entries()) {
    const asked = [{ query: queryAt(queries, position, manifest.dim), weight: 1 }];
    explained.push(await explainInTurns(shards, plan, asked, answer, { signal }));
  }
  return explained;
}
