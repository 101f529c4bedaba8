/**
 * Searches under crowding. One query is searched deeper until its candidates suffice: at once, or up to what takes
 * long, which is scans, finding the rows of values that have no room left, and many searches, or together with
 * others.
 */
import type { ExactSearch } from '../../engine/exact-search.js';
import type { Answer } from './answer.js';
import { blend, blendSoFar, type Blend, type BlendTask, type Step } from './blend.js';
import { countAllowed, type SearchPlan } from './search-plan.js';
import { runInTurns, type Turns, type Work } from '../../base/work.js';
import { beginShards, finishShards, runShards, shardsSoFar, type OpenShards } from './shard-search.js';
import { planningStep, planStep } from './step-plan.js';
import type { LoadedShard } from '../load/shards.js';

/** A search that waits for what takes long. */
export interface OpenCrowd {
  readonly blend: Blend;
  readonly next: OpenShards | PlannedStep;
}

/** Searches of one query, each deeper than the one before, go on so long without a pause. */
const AT_ONCE_MS = 3;

/** The next depth, whose plan is not made yet. */
interface PlannedStep {
  readonly step: Step;
  /** Found before. */
  readonly latest: Answer;
}

export function runCrowded(shards: readonly LoadedShard[], query: Float32Array, plan: SearchPlan): Answer {
  const run = crowdBlend(shards, plan);
  let next = run.next();
  while (next.done !== true) next = run.next([runShards(shards, query, planStep(shards, plan, next.value[0]!))]);
  return withoutSeeds(next.value);
}

/** As `runCrowded`, up to what takes long. */
export function beginCrowded(
  shards: readonly LoadedShard[],
  query: Float32Array,
  plan: SearchPlan,
): Answer | OpenCrowd {
  const run = crowdBlend(shards, plan);
  return advance(shards, query, plan, run, run.next());
}

export async function finishCrowded(
  shards: readonly LoadedShard[],
  pool: Pick<ExactSearch, 'search'>,
  query: Float32Array,
  plan: SearchPlan,
  crowd: OpenCrowd,
  turns: Turns = {},
): Promise<Answer> {
  for (let { next } = crowd; ;) {
    const begun = 'step' in next ? await runInTurns(beginning(shards, query, plan, next.step), turns) : next;
    const found = 'parts' in begun ? await finishShards(shards, pool, begun, turns.signal) : begun;
    const further = advance(shards, query, plan, crowd.blend, crowd.blend.next([found]), found);
    if (!('next' in further)) return further;
    ({ next } = further);
  }
}

/** The next depth, in slices up to what takes long. */
function* beginning(
  shards: readonly LoadedShard[],
  query: Float32Array,
  plan: SearchPlan,
  step: Step,
): Work<Answer | OpenShards> {
  const deeper = yield* planningStep(shards, plan, step);
  yield;
  return beginShards(shards, query, deeper);
}

/** What has been found of one query, crowded. */
export function crowdedSoFar(shards: readonly LoadedShard[], next: OpenShards | PlannedStep, plan: SearchPlan): Answer {
  const found = 'step' in next ? next.latest : shardsSoFar(shards, next);
  return withoutSeeds(blendSoFar(crowdTask(shards, plan), [found], found));
}

/**
 * Many queries, in groups that need the same search.
 * @param search answers the queries at these positions, uncrowded. A step that leaves out values is of one query alone
 */
export async function runCrowdedTogether(
  tasks: readonly BlendTask[],
  search: (positions: readonly number[], step: Step) => Promise<readonly Answer[]>,
): Promise<Answer[]> {
  const runs = tasks.map(blend);
  const answers: Answer[] = [];
  const waiting = new Map<string, { readonly positions: number[]; readonly step: Step }>();
  const take = (position: number, next: ReturnType<Blend['next']>) => {
    if (next.done === true) {
      answers[position] = withoutSeeds(next.value);
      return;
    }
    const [step] = next.value as [Step];
    const key = `${step.depth} ${step.without.length > 0 && position}`;
    const group = waiting.get(key);
    if (group === undefined) waiting.set(key, { positions: [position], step });
    else group.positions.push(position);
  };
  runs.forEach((run, position) => take(position, run.next()));
  for (const [key, { positions, step }] of waiting) {
    waiting.delete(key);
    const found = await search(positions, step);
    positions.forEach((position, i) => take(position, runs[position]!.next([found[i]!])));
  }
  return answers;
}

export function crowdTask(shards: readonly LoadedShard[], plan: SearchPlan): BlendTask {
  const { k, minScore, crowding, available } = plan;
  return {
    k,
    minScore,
    crowding,
    available,
    allowed: totalAllowed(shards, plan),
    sources: [{ weight: 1, quota: k, scoreOf: null }],
  };
}

/** Rows of all shards that may come back. */
export function totalAllowed(shards: readonly LoadedShard[], plan: SearchPlan): number {
  return shards.reduce((sum, { ordinals }, position) => sum + countAllowed(plan, position, ordinals.length), 0);
}

function crowdBlend(shards: readonly LoadedShard[], plan: SearchPlan): Blend {
  return blend(crowdTask(shards, plan));
}

function advance(
  shards: readonly LoadedShard[],
  query: Float32Array,
  plan: SearchPlan,
  run: Blend,
  begun: ReturnType<Blend['next']>,
  latest: Answer | null = null,
): Answer | OpenCrowd {
  let next = begun;
  const end = performance.now() + AT_ONCE_MS;
  while (next.done !== true) {
    const step = next.value[0]!;
    const isLong = step.without.length > 0 || performance.now() > end;
    if (latest !== null && isLong) return { blend: run, next: { step, latest } };
    const found = beginShards(shards, query, planStep(shards, plan, step));
    if ('parts' in found) return { blend: run, next: found };
    latest = found;
    next = run.next([found]);
  }
  return withoutSeeds(next.value);
}

function withoutSeeds({ ordinals, scores, quality, explain }: Answer): Answer {
  return { ordinals, scores, quality, ...(explain && { explain }) };
}
