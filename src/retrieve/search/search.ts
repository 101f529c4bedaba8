/**
 * Searches of a version: one query at once, one query up to its long scans, many queries by scans.
 *
 * Takes a checked query (query.ts) and what the caller asks for; gives ordinals and scores in the contract's order
 * with an account of how good the answer is. A plan (search-plan.ts) is run over the shards (shard-search.ts), deeper
 * where candidates crowd each other (crowded-search.ts), and explains what did not come back (why-not.ts). Several
 * queries with one answer are in seeds.ts.
 */
import type { ExactSearch } from '../../engine/exact-search.js';
import type { Answer } from './answer.js';
import type { Step } from './blend.js';
import {
  beginCrowded,
  crowdedSoFar,
  crowdTask,
  finishCrowded,
  runCrowded,
  runCrowdedTogether,
  type OpenCrowd,
} from './crowded-search.js';
import type { LoadedVersion } from '../load/loaded-version.js';
import { mergeParts } from './merge.js';
import type { SearchOptions } from './search-options.js';
import { copyAllowed, countAllowed, planQuery, planSearch, type SearchPlan } from './search-plan.js';
import { answerOf, explainScan } from './shard-answer.js';
import { beginShards, finishShards, runShards, shardsSoFar, SHORT_SCAN, type OpenShards } from './shard-search.js';
import { runInTurns, type Turns } from '../../base/work.js';
import { planningStep, planStep } from './step-plan.js';
import type { LoadedShard } from '../load/shards.js';
import { explainAtOnce, explainInTurns, explainSoFar } from './why-not.js';

export type * from './answer.js';
export type * from './search-options.js';
export { openShards as openSearch } from './shard-search.js';
export { planning, planNothing, planQuery, planSearch, type SearchPlan } from './search-plan.js';
export { searchSeeds, searchSeedsInTurns } from './seeds.js';

/** Synchronous, on the calling thread. @param query checked, `dim` values @throws as `planSearch` */
export function search(version: LoadedVersion, query: Float32Array, options: SearchOptions, self?: number): Answer {
  return runPlan(version.shards, query, planQuery(version, planSearch(version, options), self));
}

/** Runs a plan on the calling thread. */
export function runPlan(shards: readonly LoadedShard[], query: Float32Array, plan: SearchPlan): Answer {
  const answer = plan.crowding === null ? runShards(shards, query, plan) : runCrowded(shards, query, plan);
  return plan.suspects === null ? answer : explainAtOnce(shards, plan, [{ query, weight: 1 }], answer);
}

/** A search that waits for scans, or to explain what did not come back, which scans too. */
export interface UnfinishedSearch extends OpenShards {
  readonly crowd?: OpenCrowd;
  /** All but explained. */
  readonly answer?: Answer;
}

/**
 * As `runPlan`, up to the long scans: where a graph cannot answer, or none is wanted, a whole shard is scanned, which
 * would hold up the thread.
 * @returns the answer where no scan is left; else what `finishSearch` makes the same answer of
 */
export function beginSearch(
  shards: readonly LoadedShard[],
  query: Float32Array,
  plan: SearchPlan,
): Answer | UnfinishedSearch {
  const begun = plan.crowding === null ? beginShards(shards, query, plan) : beginCrowded(shards, query, plan);
  if ('next' in begun) return { query, plan, parts: [], depths: [], crowd: begun };
  if ('parts' in begun || plan.suspects === null) return begun;
  const components = shards.reduce((sum, { graph }) => sum + graph.vectors.values.length, 0);
  if (components > SHORT_SCAN) return { query, plan, parts: [], depths: [], answer: begun };
  return explainAtOnce(shards, plan, [{ query, weight: 1 }], begun);
}

/**
 * Makes the scans that are left, on the pool's threads.
 * @param turns aborting their signal ends the scans and rejects with its reason; the shards that were scanned by then
 * have their parts
 */
export async function finishSearch(
  shards: readonly LoadedShard[],
  pool: Pick<ExactSearch, 'search'>,
  search: UnfinishedSearch,
  turns: Turns = {},
): Promise<Answer> {
  const { query, plan, crowd } = search;
  const answer =
    search.answer ??
    (crowd === undefined
      ? await finishShards(shards, pool, search, turns.signal)
      : await finishCrowded(shards, pool, query, plan, crowd, turns));
  return plan.suspects === null ? answer : explainInTurns(shards, plan, [{ query, weight: 1 }], answer, turns);
}

/** The best of the shards that have answered; `short` is `timeout` where some have not. */
export function answerSoFar(shards: readonly LoadedShard[], search: UnfinishedSearch): Answer {
  const { query, plan, crowd } = search;
  const found =
    search.answer ??
    (plan.crowding === null ? shardsSoFar(shards, search) : crowdedSoFar(shards, crowd?.next ?? search, plan));
  return explainSoFar(shards, plan, [{ query, weight: 1 }], found);
}

/**
 * Exact searches of many queries at once, on the pool's threads.
 * @param queries count x dim checked values
 * @param selves ordinal of each query that is an item itself and must not find itself
 * @param turns aborting their signal ends the scan and rejects with its reason
 */
export async function searchExact(
  version: LoadedVersion,
  pool: Pick<ExactSearch, 'search'>,
  queries: Float32Array,
  count: number,
  options: SearchOptions,
  selves: readonly (number | undefined)[] = [],
  turns: Turns = {},
): Promise<Answer[]> {
  return runExact(version, pool, queries, count, planSearch(version, { ...options, exact: true }), selves, turns);
}

/** As `searchExact`, for a plan that several calls share. */
export async function runExact(
  version: LoadedVersion,
  pool: Pick<ExactSearch, 'search'>,
  queries: Float32Array,
  count: number,
  plan: SearchPlan,
  selves: readonly (number | undefined)[] = [],
  turns: Turns = {},
): Promise<Answer[]> {
  const { shards } = version;
  const scan: Scan = { version, pool, queries, plans: [], selves, turns };
  for (let position = 0; position < count; position++)
    scan.plans[position] = planQuery(version, plan, selves[position]);
  const found =
    plan.crowding === null
      ? await scanQueries(scan, [...scan.plans.keys()], plan)
      : await runCrowdedTogether(
          scan.plans.map((own) => crowdTask(shards, own)),
          (positions, step) => scanStep(scan, positions, plan, step),
        );
  if (plan.suspects === null) return found;
  const explained: Answer[] = [];
  for (const [position, answer] of found.entries()) {
    const sources = [{ query: queryAt(queries, position, version.manifest.dim), weight: 1 }];
    explained.push(await explainInTurns(shards, scan.plans[position]!, sources, answer, turns));
  }
  return explained;
}

interface Scan {
  readonly version: LoadedVersion;
  readonly pool: Pick<ExactSearch, 'search'>;
  readonly queries: Float32Array;
  /** Of each query. */
  readonly plans: SearchPlan[];
  readonly selves: readonly (number | undefined)[];
  readonly turns: Turns;
}

/** @param positions one alone where the step leaves out values: sets of rows are of each query then */
async function scanStep(scan: Scan, positions: readonly number[], plan: SearchPlan, step: Step): Promise<Answer[]> {
  const { shards } = scan.version;
  if (step.without.length === 0) return scanQueries(scan, positions, planStep(shards, plan, step));
  const own = await runInTurns(planningStep(shards, scan.plans[positions[0]!]!, step), scan.turns);
  return scanQueries({ ...scan, plans: scan.plans.map(() => own), selves: [] }, positions, own);
}

/** One scan for the queries at these positions. @param plan of them all, in the depth that is wanted */
async function scanQueries(
  { version, pool, queries, plans, selves, turns }: Scan,
  positions: readonly number[],
  plan: SearchPlan,
): Promise<Answer[]> {
  const { shards, manifest } = version;
  const begun = performance.now();
  const allow = shards.map(({ ordinals }, shard) => copyAllowed(plan, shard, ordinals.length));
  // Each query may have to leave out itself: one more is asked for, and dropped.
  const k = plan.k + (selves.length > 0 ? 1 : 0);
  const vectors = shards.map((shard) => shard.graph.vectors);
  const packed = packQueries(queries, positions, manifest.dim);
  const found = await pool.search(vectors, packed, positions.length, { k, allow, signal: turns.signal });
  return found.map((perShard, i) => {
    const position = positions[i]!;
    const own = { ...plans[position]!, k: plan.k, exact: true };
    const parts = perShard.map((part) => ({ ...part, path: 'exact' as const, hasAll: true }));
    const accounts = parts.map((part, shard) =>
      explainScan({
        shard,
        k,
        ef: own.ef,
        allowed: countAllowed(own, shard, vectors[shard]!.count),
        found: part,
        begun,
      }),
    );
    const trace = own.explain ? { shards: accounts, begun, merge_us: 0 } : undefined;
    return answerOf({ plan: own, parts, trace }, mergeParts(shards, parts, plan.k, selves[position]));
  });
}

export function packQueries(queries: Float32Array, positions: readonly number[], dim: number): Float32Array {
  if (positions.length * dim === queries.length) return queries;
  const packed = new Float32Array(positions.length * dim);
  positions.forEach((position, i) => packed.set(queryAt(queries, position, dim), i * dim));
  return packed;
}

export function queryAt(queries: Float32Array, position: number, dim: number): Float32Array {
  return queries.subarray(position * dim, (position + 1) * dim);
}
