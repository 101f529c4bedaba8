/**
 * Several queries with one answer: each is searched, and the best of all come back, each with the seed that brought it.
 * What exactly that means is in blend.ts. The items that are seeds do not come back.
 */
import { ShortlistError } from '../../base/errors.js';
import { MAX_K, MAX_SEEDS } from '../../base/limits.js';
import { rawKernel, toScore } from '../../base/metric.js';
import type { ExactSearch } from '../../engine/exact-search.js';
import type { Answer } from './answer.js';
import { blend, blendSoFar, type Blend, type BlendTask, type Source, type Step } from './blend.js';
import { checkRange } from './check-range.js';
import { totalAllowed } from './crowded-search.js';
import type { LoadedVersion } from '../load/loaded-version.js';
import type { SearchOptions, SeedQuery } from './search-options.js';
import { runInTurns, type Turns, type Work } from '../../base/work.js';
import { planning, planNothing, planSearch, planWithout, type SearchPlan } from './search-plan.js';
import { beginShards, finishShards, openShards, runShards, shardsSoFar, type OpenShards } from './shard-search.js';
import type { LoadedShard } from '../load/shards.js';
import { planningStep, planStep } from './step-plan.js';
import { explainAtOnce, explainInTurns, explainSoFar } from './why-not.js';

/**
 * Synchronous, on the calling thread.
 * @throws bad_field for no or too many seeds, a weight or a quota out of range; and as `planSearch`
 */
export function searchSeeds(version: LoadedVersion, seeds: readonly SeedQuery[], options: SearchOptions): Answer {
  checkSeeds(seeds);
  const { plan, task } = planSeeds(version, seeds, planSearch(version, options));
  const run = blend(task);
  let next = run.next();
  while (next.done !== true) {
    const answers = next.value.map((step) =>
      labelled(runShards(version.shards, seeds[step.source]!.query, planStep(version.shards, plan, step)), step.source),
    );
    next = run.next(answers);
  }
  return plan.suspects === null ? next.value : explainAtOnce(version.shards, plan, seeds, next.value);
}

interface TurnOptions extends Turns {
  /** When aborted, give the best of what was found; `short` is `timeout`. */
  readonly allowPartial?: boolean | undefined;
}

/** As `searchSeeds`, one seed at a time in turns with the event loop, and long scans on the pool's threads. */
export async function searchSeedsInTurns(
  version: LoadedVersion,
  pool: Pick<ExactSearch, 'search'>,
  seeds: readonly SeedQuery[],
  options: SearchOptions,
  turns: TurnOptions = {},
): Promise<Answer> {
  const { signal, allowPartial = false } = turns;
  checkSeeds(seeds);
  const planned =
    options.filter === undefined ? planSearch(version, options) : await planInTurns(version, options, turns);
  const { plan, task } = planSeeds(version, seeds, planned);
  const latest: (Answer | undefined)[] = [];
  const run = blend(task);
  let next = run.next();
  try {
    while (next.done !== true) {
      const answers: Answer[] = [];
      for (const step of next.value) {
        answers.push(await searchSeed({ version, pool, seeds, plan, latest, turns }, step));
      }
      next = await runInTurns(merging(run, answers), turns);
    }
    if (plan.suspects === null) return next.value;
    return await explainInTurns(version.shards, plan, seeds, next.value, turns);
  } catch (error) {
    if (!allowPartial || signal?.aborted !== true) throw error;
    const found = next.done === true ? next.value : blendSoFar(task, latest, nothingOf(version, plan));
    return explainSoFar(version.shards, plan, seeds, found);
  }
}

async function planInTurns(version: LoadedVersion, options: SearchOptions, turns: TurnOptions): Promise<SearchPlan> {
  const { signal, allowPartial } = turns;
  try {
    return await runInTurns(planning(version, options), turns);
  } catch (error) {
    if (allowPartial !== true || signal?.aborted !== true || error !== signal.reason) throw error;
    return planNothing(version, options);
  }
}

interface SeedSearch {
  readonly version: LoadedVersion;
  readonly pool: Pick<ExactSearch, 'search'>;
  readonly seeds: readonly SeedQuery[];
  readonly plan: SearchPlan;
  /** What was found last of each seed. */
  readonly latest: (Answer | undefined)[];
  readonly turns: Turns;
}

async function searchSeed({ version, pool, seeds, plan, latest, turns }: SeedSearch, step: Step): Promise<Answer> {
  const { shards } = version;
  // The first walk is begun at once, as that of a single query; the others have turns of their own.
  const isFirst = latest.length === 0;
  const begun = await runInTurns(beginningStep(shards, plan, seeds[step.source]!.query, step, isFirst), turns);
  if (!('parts' in begun)) {
    latest[step.source] = labelled(begun, step.source);
    return latest[step.source]!;
  }
  try {
    latest[step.source] = labelled(await finishShards(shards, pool, begun, turns.signal), step.source);
  } catch (error) {
    latest[step.source] ??= shardsSoFar(shards, begun);
    throw error;
  }
  return latest[step.source]!;
}

function* beginningStep(
  shards: readonly LoadedShard[],
  plan: SearchPlan,
  query: Float32Array,
  step: Step,
  isFirst: boolean,
): Work<Answer | OpenShards> {
  const own = yield* planningStep(shards, plan, step);
  if (!isFirst) yield;
  return beginShards(shards, query, own);
}

/** Goes on until searches are needed, or all is done. */
function* merging(run: Blend, answers: readonly Answer[]): Work<ReturnType<Blend['next']>> {
  let next = run.next(answers);
  while (next.done !== true && next.value.length === 0) {
    yield;
    next = run.next([]);
  }
  return next;
}

/** An answer that found nothing, since nobody looked. */
function nothingOf({ shards }: LoadedVersion, plan: SearchPlan): Answer {
  return shardsSoFar(shards, openShards(shards, new Float32Array(0), plan));
}

function labelled(answer: Answer, seed: number): Answer {
  if (answer.explain === undefined) return answer;
  const shards = answer.explain.shards.map((shard) => ({ ...shard, seed }));
  return { ...answer, explain: { ...answer.explain, shards } };
}

interface PlannedSeeds {
  readonly plan: SearchPlan;
  readonly task: BlendTask;
}

function planSeeds(version: LoadedVersion, seeds: readonly SeedQuery[], planned: SearchPlan): PlannedSeeds {
  const selves = new Set(seeds.flatMap(({ self }) => self ?? []));
  const plan = planWithout(version, planned, selves);
  const { k, minScore, crowding, available } = plan;
  const sources = seeds.map((seed) => sourceOf(version, seed, k));
  return { plan, task: { k, minScore, crowding, available, sources, allowed: totalAllowed(version.shards, plan) } };
}

function checkSeeds(seeds: readonly SeedQuery[]): void {
  if (seeds.length === 0 || seeds.length > MAX_SEEDS) {
    const message = `seeds has ${seeds.length} members; give 1 to ${MAX_SEEDS}`;
    throw new ShortlistError('bad_field', message, { field: 'seeds', max: MAX_SEEDS });
  }
  for (const [position, { weight, quota }] of seeds.entries()) {
    if (quota !== undefined) checkRange('bad_field', `seeds[${position}].quota`, quota, MAX_K);
    if (weight > 0 && weight < Infinity) continue;
    const message = `the weight of seed ${position} is ${weight}; give a finite number above 0`;
    throw new ShortlistError('bad_field', message, { field: `seeds[${position}].weight` });
  }
}

function sourceOf(version: LoadedVersion, { query, weight, quota }: SeedQuery, k: number): Source {
  const { metric, dim } = version.manifest;
  const raw = rawKernel(metric);
  const scoreOf = (ordinal: number) => {
    const { shard, row } = version.locate(ordinal);
    return toScore(metric, raw(query, 0, version.shards[shard]!.graph.vectors.values, row * dim, dim));
  };
  return { weight, quota: quota ?? k, scoreOf };
}
