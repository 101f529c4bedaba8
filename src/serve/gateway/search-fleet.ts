/**
 * The driver of searches whose shards are in other servers. It collects what all searches of a request need, asks each
 * group of servers once for its part, and resumes the searches: usually one round trip for one query or a batch.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Answer } from '../../retrieve/search/answer.js';
import { EMPTY_PART, type Scoring, type ShardPart, type ShardSearch } from '../../retrieve/search/needs.js';
import type { Search } from '../../retrieve/search/search.js';
import { readScoresAnswer, writeScoresRequest } from '../fleet/rows-message.js';
import {
  IS_COMPLETE,
  IS_EXACT,
  readSearchAnswer,
  SEARCH_WORDS,
  writeSearchRequest,
  type PlanRequest,
  type SearchAnswer,
} from '../fleet/search-message.js';
import type { TimeSlicer } from '../request/time-slicer.js';
import type { FleetPlan } from './fleet-plan.js';
import type { FleetRequest } from './fleet-request.js';
import type { FoundRows } from './found-rows.js';
import { packVectors } from './pack-vectors.js';

type FleetSearch = Search<FleetPlan>;
type FleetShardSearch = ShardSearch<FleetPlan>;

export interface FleetRun {
  readonly request: FleetRequest;
  readonly found: FoundRows;
  /** Let servers return ids with candidates. */
  readonly withIds: boolean;
  readonly slicer: TimeSlicer;
}

/** Part of a shard that no server answers for. */
const LOST_PART: ShardPart = { ...EMPTY_PART, lost: true };

/** Milliseconds of merging before other requests get a turn. */
const SLICE_MS = 2;

/** Runs searches together. @returns their answers, in order @throws as FleetRequest.ask */
export async function searchFleet(run: FleetRun, searches: readonly FleetSearch[]): Promise<Answer[]> {
  const answers: Answer[] = [];
  let open = searches.map((search, position) => ({ search, position }));
  while (open.length > 0) {
    const needs = new Needs();
    let begun = performance.now();
    const still: typeof open = [];
    for (const running of open) {
      if (performance.now() - begun > SLICE_MS) {
        await nextTurn();
        run.request.limit.check();
        begun = performance.now();
      }
      const step = running.search.next();
      if (step.done === true) {
        answers[running.position] = step.value;
        continue;
      }
      still.push(running);
      if (step.value?.kind === 'shards') needs.shards.push(...step.value.searches);
      else if (step.value?.kind === 'scores') needs.scorings.push(step.value.scoring);
      else if (step.value?.kind === 'call') needs.calls.push(step.value.call);
    }
    open = still;
    await needs.meet(run);
  }
  return answers;
}

/** What the searches of one round wait for. */
class Needs {
  readonly shards: FleetShardSearch[] = [];
  readonly scorings: Scoring[] = [];
  readonly calls: (() => Promise<void>)[] = [];

  async meet(run: FleetRun): Promise<void> {
    const groups = [...run.request.version.groups.keys()];
    const { shards, scorings } = this;
    await Promise.all([
      ...(shards.length === 0 ? [] : [searchGroups(run, shards)]),
      ...(scorings.length === 0 ? [] : groups.map((group) => scoreGroup(run, group, scorings))),
      ...this.calls.map((call) => call()),
    ]);
  }
}

async function searchGroups(run: FleetRun, searches: readonly FleetShardSearch[]): Promise<void> {
  const byGroup = new Map<number, FleetShardSearch[]>();
  for (const search of searches) {
    const group = run.request.version.groupOf(search.shard);
    if (group < 0) search.part = LOST_PART;
    else if (byGroup.has(group)) byGroup.get(group)!.push(search);
    else byGroup.set(group, [search]);
  }
  await Promise.all([...byGroup].map(([group, own]) => searchGroup(run, group, own)));
}

async function searchGroup(run: FleetRun, group: number, searches: readonly FleetShardSearch[]): Promise<void> {
  const { request, found, withIds } = run;
  const { plan } = searches[0]!;
  const { explain, shardPlan, crowding } = plan;
  const selection = request.selectionOf(group);
  const body = writeSearchRequest({ selection, shardPlan, explain, withIds, ...columnsOf(searches) });
  const idType = withIds ? request.version.idType : null;
  const answer = await request.ask(group, 'search', body, (bytes) =>
    readSearchAnswer(bytes, searches.length, { idType, crowding: crowding !== null, explain }),
  );
  if (answer === null) {
    for (const search of searches) search.part = LOST_PART;
    return;
  }
  const adding = found.add(group, answer);
  if (adding.next().done !== true) await run.slicer.run(adding);
  setParts(searches, answer);
}

/** Searches as columns. Each query and each plan is sent once. */
function columnsOf(searches: readonly FleetShardSearch[]) {
  const queries = new Map<Float32Array, number>();
  const plans = new Map<FleetPlan, number>();
  const words = new Uint32Array(SEARCH_WORDS * searches.length);
  let at = 0;
  for (const { query, plan, shard, k, ef } of searches) {
    if (!queries.has(query)) queries.set(query, queries.size);
    if (!plans.has(plan)) plans.set(plan, plans.size);
    words[at++] = queries.get(query)!;
    words[at++] = plans.get(plan)!;
    words[at++] = shard;
    words[at++] = k;
    words[at++] = ef;
  }
  return {
    queries: packVectors([...queries.keys()]),
    plans: Array.from(plans.keys(), ({ k, exact, own }): PlanRequest => ({ k, exact, ...own })),
    searches: words,
  };
}

function setParts(searches: readonly FleetShardSearch[], answer: SearchAnswer): void {
  const { counts, flags, ordinals, scores, accounts } = answer;
  let from = 0;
  for (const [i, search] of searches.entries()) {
    const to = from + counts[i]!;
    search.part = {
      ordinals: ordinals.subarray(from, to),
      scores: scores.subarray(from, to),
      path: (flags[i]! & IS_EXACT) !== 0 ? 'exact' : 'graph',
      complete: (flags[i]! & IS_COMPLETE) !== 0,
      account: accounts?.[i]?.account,
      tookUs: accounts?.[i]?.took_us ?? 0,
    };
    from = to;
  }
}

/** Scores the rows of one group, of all scorings. Rows of lost groups keep the lowest score: they are not ahead. */
async function scoreGroup({ request, found }: FleetRun, group: number, scorings: readonly Scoring[]): Promise<void> {
  const own = scorings.map(({ ordinals }) => [...ordinals.keys()].filter((i) => found.groupOf(ordinals[i]!) === group));
  const total = own.reduce((sum, { length }) => sum + length, 0);
  if (total === 0) return;
  const body = writeScoresRequest({
    queries: packVectors(scorings.map(({ query }) => query)),
    counts: Uint32Array.from(own, ({ length }) => length),
    ordinals: Uint32Array.from(own.flatMap((places, i) => places.map((place) => scorings[i]!.ordinals[place]!))),
  });
  const scores = await request.ask(group, 'scores', body, (bytes) => readScoresAnswer(bytes, total));
  let at = 0;
  for (const [i, places] of own.entries()) {
    for (const place of places) scorings[i]!.scores[place] = scores === null ? -Infinity : scores[at++]!;
  }
}
