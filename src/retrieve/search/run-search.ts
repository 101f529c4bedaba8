/**
 * The drivers of a search (search.ts): at once on the calling thread, in turns on a thread that others wait for, or
 * many searches together. Each provides what the search needs and resumes it. The answers are the same.
 */
import { Meter, runAsync, type WorkOptions, type Work } from '../../base/work.js';
import type { LoadedVersion } from '../load/loaded-version.js';
import type { Answer } from './answer.js';
import { countAllowed } from './allowed-rows.js';
import {
  scanShards,
  scoreRows,
  searchOnThreads,
  searchShard,
  trySearchShard,
  type LocalShards,
  type ScanPool,
} from './local-shards.js';
import { LocalSpace } from './local-space.js';
import { EMPTY_PART, type ShardSearch } from './needs.js';
import { Search, type QueryKind } from './search.js';
import type { SearchOptions, SeedQuery } from './search-options.js';
import { planQuery, planSearch, type SearchPlan } from './search-plan.js';
import { planSeeds } from './seeds.js';
import { answerOf, mergeParts } from './shard-answer.js';

export interface SearchTask {
  readonly plan: SearchPlan;
  /** One query, or several seeds. */
  readonly queries: readonly SeedQuery[];
  readonly kind: QueryKind;
}

export function singleTask(query: Float32Array, plan: SearchPlan): SearchTask {
  return { plan, queries: [{ query, weight: 1 }], kind: 'single' };
}

/** Searches synchronously on the calling thread. @param query checked, `dim` values @throws as `planSearch` */
export function search(version: LoadedVersion, query: Float32Array, options: SearchOptions, self?: number): Answer {
  const plan = planSearch(version, options);
  return searchNow(version, singleTask(query, self === undefined ? plan : planQuery(version, plan, [self])));
}

/** As `search`, with one answer for several queries. @throws as `planSeeds` and `planSearch` */
export function searchSeeds(version: LoadedVersion, seeds: readonly SeedQuery[], options: SearchOptions): Answer {
  const plan = planSeeds(version, planSearch(version, options), seeds);
  return searchNow(version, { plan, queries: seeds, kind: 'seeds' });
}

/** A search of shards in this process that has not begun. */
export function localSearch(local: LocalShards, { plan, queries, kind }: SearchTask): Search<SearchPlan> {
  return new Search(new LocalSpace(local), plan, queries, kind);
}

export function searchNow(local: LocalShards, asked: SearchTask): Answer {
  if (isSingleShard(local, asked)) return searchSingleShard(local, asked, searchShard)!;
  const running = localSearch(local, asked);
  for (;;) {
    const step = running.next();
    if (step.done === true) return step.value;
    if (step.value?.kind === 'shards') for (const need of step.value.searches) searchShard(local, need);
    else if (step.value?.kind === 'scores') scoreRows(local, step.value.scoring);
  }
}

type StartedSearch =
  { readonly kind: 'answered'; readonly answer: Answer } | { readonly kind: 'open'; readonly search: PendingSearch };

/** Runs a search until it is answered, or needs more than one turn, a long walk or a scan. */
export function startSearch(local: LocalShards, asked: SearchTask): StartedSearch {
  const simple = isSingleShard(local, asked) ? searchSingleShard(local, asked, trySearchShard) : null;
  if (simple !== null) return { kind: 'answered', answer: simple };
  const running = localSearch(local, asked);
  const work = runUntilLong(local, running);
  const step = work.next();
  if (step.done === true && step.value.kind === 'answered') return step.value;
  return { kind: 'open', search: new PendingSearch(local, running, step.done === true ? waiting(step.value) : work) };
}

/** A search that waits for long work. */
export class PendingSearch {
  constructor(
    private readonly local: LocalShards,
    private readonly search: Search<SearchPlan>,
    private work: Work<SearchState>,
  ) {}

  /** The best answer from what was found; `short` is `timeout` unless the search was complete. */
  partialAnswer(): Answer {
    return this.search.partialAnswer();
  }

  /**
   * Runs long walks on the engine's thread, scans on the pool's, and the rest in turns with other work.
   * @param turns aborting the signal rejects with its reason; `partialAnswer` then returns what was found
   */
  async finish(pool: ScanPool, turns: WorkOptions = {}): Promise<Answer> {
    for (;;) {
      const stretch = await runAsync(this.work, turns);
      if (stretch.kind === 'answered') return stretch.answer;
      await searchOnThreads(this.local, stretch.searches, pool, turns.signal);
      this.work = runUntilLong(this.local, this.search);
    }
  }
}

/** The answer, or the shard searches that take long. */
type SearchState =
  | { readonly kind: 'answered'; readonly answer: Answer }
  | { readonly kind: 'long'; readonly searches: readonly ShardSearch[] };

const STEP_MS = 2;

/** Runs the search in slices until it is answered or needs long work. */
function* runUntilLong(local: LocalShards, running: Search<SearchPlan>): Work<SearchState> {
  let begun = performance.now();
  for (;;) {
    const step = running.next();
    if (step.done === true) return { kind: 'answered', answer: step.value };
    if (step.value?.kind === 'scores') scoreRows(local, step.value.scoring);
    else if (step.value?.kind !== 'shards') {
      yield;
      begun = performance.now();
    } else {
      const long: ShardSearch[] = [];
      for (const search of step.value.searches) {
        if (performance.now() - begun > STEP_MS) {
          yield;
          begun = performance.now();
        }
        if (!trySearchShard(local, search)) long.push(search);
      }
      if (long.length > 0) return { kind: 'long', searches: long };
    }
  }
}

function* waiting(stretch: SearchState): Work<SearchState> {
  return stretch;
}

/** Runs shard searches of several searches. All have their parts when it resolves. */
export type SearchAll = (searches: readonly ShardSearch[], signal: AbortSignal | undefined) => Promise<void>;

export interface SearchTogetherOptions extends WorkOptions {
  readonly onProgress?: ((done: number) => void) | undefined;
}

/** Runs several searches together: one scan or one batch on threads serves the shards of all. */
export async function searchTogether(
  local: LocalShards,
  asked: readonly SearchTask[],
  searchAll: SearchAll,
  options: SearchTogetherOptions = {},
): Promise<Answer[]> {
  const answers: Answer[] = [];
  let open = asked.map((task, position) => ({
    position,
    running: localSearch(local, task),
  }));
  while (open.length > 0) {
    const wanted = await runAsync(runRound(local, open, answers), options);
    open = open.filter(({ position }) => answers[position] === undefined);
    options.onProgress?.(asked.length - open.length);
    if (wanted.length > 0) await searchAll(wanted, options.signal);
  }
  return answers;
}

interface RunningSearch {
  readonly position: number;
  readonly running: Search<SearchPlan>;
}

const TURN_UNITS = 2_000;

/** Runs each search until it needs shards or is answered. @returns the shard searches that they need */
function* runRound(local: LocalShards, open: readonly RunningSearch[], answers: Answer[]): Work<ShardSearch[]> {
  const meter = new Meter();
  const wanted: ShardSearch[] = [];
  for (const { position, running } of open) {
    for (;;) {
      if (meter.spend(TURN_UNITS)) yield;
      const step = running.next();
      if (step.done === true) answers[position] = step.value;
      else if (step.value?.kind === 'scores') scoreRows(local, step.value.scoring);
      else if (step.value?.kind === 'shards') wanted.push(...step.value.searches);
      else yield;
      if (step.done === true || step.value?.kind === 'shards') break;
    }
  }
  return wanted;
}

/** Returns a function that scans all shards on the pool. */
export function poolScanner(local: LocalShards, pool: ScanPool): SearchAll {
  return (searches, signal) => scanShards(local, searches, pool, signal);
}

/**
 * Exact searches of many queries together, on the pool's threads.
 * @param queries count x dim checked values
 * @param selfOrdinals for each query that is an item: its ordinal, which is left out of its answer
 * @param turns aborting the signal ends the scan and rejects with its reason
 */
export function searchExact(
  version: LoadedVersion,
  pool: ScanPool,
  queries: Float32Array,
  options: SearchOptions,
  selfOrdinals: readonly (number | undefined)[] = [],
  turns: WorkOptions = {},
): Promise<Answer[]> {
  const { dim } = version.manifest;
  const plan = planSearch(version, { ...options, exact: true });
  const asked = Array.from({ length: queries.length / dim }, (_, position) => {
    const self = selfOrdinals[position];
    const query = queries.subarray(position * dim, (position + 1) * dim);
    return singleTask(query, self === undefined ? plan : planQuery(version, plan, [self]));
  });
  return searchTogether(version, asked, poolScanner(version, pool), turns);
}

/** The usual search: one shard, searched once. The general machinery would add the time of a short walk. */
function isSingleShard({ shards }: LocalShards, { plan, kind }: SearchTask): boolean {
  return shards.length === 1 && kind === 'single' && plan.crowding === null && !plan.explain;
}

/** @returns null if the shard was not searched */
function searchSingleShard(
  local: LocalShards,
  { plan, queries }: SearchTask,
  searchOne: (local: LocalShards, search: ShardSearch) => unknown,
): Answer | null {
  const { k, ef, exact } = plan;
  const allowed = countAllowed(plan, 0, local.shards[0]!.ordinals.length);
  const search: ShardSearch = { query: queries[0]!.query, shard: 0, k, ef, allowed, exact, plan, part: null };
  if (allowed === 0) search.part = EMPTY_PART;
  else searchOne(local, search);
  return search.part && answerOf(plan, [search.part], mergeParts([search.part], k));
}
