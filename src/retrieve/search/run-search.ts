/**
 * Who runs a search (search.ts): the calling thread at once, a thread on which others wait, or many searches together.
 * Each sees to what the search needs and resumes it. Answers are the same.
 */
import { Meter, runInTurns, type Turns, type Work } from '../../base/work.js';
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
import { mergeParts } from './merge.js';
import { EMPTY_PART, type ShardSearch } from './needs.js';
import { Search, type QueryKind } from './search.js';
import type { SearchOptions, SeedQuery } from './search-options.js';
import { planQuery, planSearch, type SearchPlan } from './search-plan.js';
import { planSeeds } from './seeds.js';
import { answerOf } from './shard-answer.js';

/** What is searched for. */
export interface SearchTask {
  readonly plan: SearchPlan;
  /** One, unless they are seeds. */
  readonly queries: readonly SeedQuery[];
  readonly kind: QueryKind;
}

export function singleTask(query: Float32Array, plan: SearchPlan): SearchTask {
  return { plan, queries: [{ query, weight: 1 }], kind: 'single' };
}

/** Synchronous, on the calling thread. @param query checked, `dim` values @throws as `planSearch` */
export function search(version: LoadedVersion, query: Float32Array, options: SearchOptions, self?: number): Answer {
  const plan = planQuery(version, planSearch(version, options), self === undefined ? [] : [self]);
  return searchNow(version, singleTask(query, plan));
}

/** As `search`, one answer for several queries. @throws as `planSeeds` and `planSearch` */
export function searchSeeds(version: LoadedVersion, seeds: readonly SeedQuery[], options: SearchOptions): Answer {
  const plan = planSeeds(version, planSearch(version, options), seeds);
  return searchNow(version, { plan, queries: seeds, kind: 'seeds' });
}

export function searchNow(local: LocalShards, asked: SearchTask): Answer {
  if (isSingleShard(local, asked)) return searchSingleShard(local, asked, searchShard)!;
  const running = new Search(local, asked.plan, asked.queries, asked.kind);
  for (;;) {
    const step = running.next();
    if (step.done === true) return step.value;
    if (step.value?.kind === 'shards') for (const one of step.value.searches) searchShard(local, one);
    else if (step.value?.kind === 'scores') scoreRows(local, step.value.scoring);
  }
}

type StartedSearch =
  { readonly kind: 'answered'; readonly answer: Answer } | { readonly kind: 'open'; readonly search: PendingSearch };

/** Runs a search up to what takes long: long walks, scans, and more turns than one. */
export function startSearch(local: LocalShards, asked: SearchTask): StartedSearch {
  const simple = isSingleShard(local, asked) ? searchSingleShard(local, asked, trySearchShard) : null;
  if (simple !== null) return { kind: 'answered', answer: simple };
  const running = new Search(local, asked.plan, asked.queries, asked.kind);
  const work = runUntilLong(local, running);
  const step = work.next();
  if (step.done === true && step.value.kind === 'answered') return step.value;
  return { kind: 'open', search: new PendingSearch(local, running, step.done === true ? waiting(step.value) : work) };
}

/** A search that waits for what takes long. */
export class PendingSearch {
  constructor(
    private readonly local: LocalShards,
    private readonly search: Search,
    private work: Work<SearchState>,
  ) {}

  /** The best of what has been found; `short` is `timeout` unless that is all. */
  partialAnswer(): Answer {
    return this.search.partialAnswer();
  }

  /**
   * Long walks go to the engine's thread, scans to the pool's, and the rest in turns with others.
   * @param turns aborting their signal ends the search and rejects with its reason; `partialAnswer` then has what was found
   */
  async finish(pool: ScanPool, turns: Turns = {}): Promise<Answer> {
    for (;;) {
      const stretch = await runInTurns(this.work, turns);
      if (stretch.kind === 'answered') return stretch.answer;
      await searchOnThreads(this.local, stretch.searches, pool, turns.signal);
      this.work = runUntilLong(this.local, this.search);
    }
  }
}

/** Where a search has come to: its answer, or searches of shards that take long. */
type SearchState =
  | { readonly kind: 'answered'; readonly answer: Answer }
  | { readonly kind: 'long'; readonly searches: readonly ShardSearch[] };

/** A step of the event loop is as long. */
const STEP_MS = 2;

/** Goes on up to what takes long, in slices. */
function* runUntilLong(local: LocalShards, running: Search): Work<SearchState> {
  let begun = performance.now();
  for (;;) {
    const step = running.next();
    if (step.done === true) return { kind: 'answered', answer: step.value };
    if (step.value?.kind === 'scores') scoreRows(local, step.value.scoring);
    else if (step.value === undefined) {
      yield;
      begun = performance.now();
    } else {
      const long: ShardSearch[] = [];
      for (const one of step.value.searches) {
        if (performance.now() - begun > STEP_MS) {
          yield;
          begun = performance.now();
        }
        if (!trySearchShard(local, one)) long.push(one);
      }
      if (long.length > 0) return { kind: 'long', searches: long };
    }
  }
}

function* waiting(stretch: SearchState): Work<SearchState> {
  return stretch;
}

/** Searches many shards at once, for several searches. They have their parts when it resolves. */
type SearchAll = (searches: readonly ShardSearch[], signal: AbortSignal | undefined) => Promise<void>;

export interface SearchTogetherOptions extends Turns {
  /** Told how many searches have their answers. */
  readonly onProgress?: ((done: number) => void) | undefined;
}

/** Several searches, whose shards are searched together: by one scan for many queries, or by many threads. */
export async function searchTogether(
  local: LocalShards,
  asked: readonly SearchTask[],
  searchAll: SearchAll,
  options: SearchTogetherOptions = {},
): Promise<Answer[]> {
  const answers: Answer[] = [];
  let open = asked.map(({ plan, queries, kind }, position) => ({
    position,
    running: new Search(local, plan, queries, kind),
  }));
  while (open.length > 0) {
    const wanted = await runInTurns(runRound(local, open, answers), options);
    open = open.filter(({ position }) => answers[position] === undefined);
    options.onProgress?.(asked.length - open.length);
    if (wanted.length > 0) await searchAll(wanted, options.signal);
  }
  return answers;
}

interface RunningSearch {
  readonly position: number;
  readonly running: Search;
}

/** What one turn of several searches costs, in the units of a Meter. */
const TURN_UNITS = 2_000;

/** Each search goes on until it needs shards or has its answer. @returns the searches of shards that they need */
function* runRound(local: LocalShards, open: readonly RunningSearch[], answers: Answer[]): Work<ShardSearch[]> {
  const meter = new Meter();
  const wanted: ShardSearch[] = [];
  for (const { position, running } of open) {
    for (;;) {
      if (meter.spend(TURN_UNITS)) yield;
      const step = running.next();
      if (step.done === true) answers[position] = step.value;
      else if (step.value === undefined) yield;
      else if (step.value.kind === 'scores') scoreRows(local, step.value.scoring);
      else wanted.push(...step.value.searches);
      if (step.done === true || step.value?.kind === 'shards') break;
    }
  }
  return wanted;
}

/** Has all shards scanned by a pool. */
export function poolScanner(local: LocalShards, pool: ScanPool): SearchAll {
  return (searches, signal) => scanShards(local, searches, pool, signal);
}

/**
 * Exact searches of many queries at once, on the pool's threads.
 * @param queries count x dim checked values
 * @param selfOrdinals ordinal of each query that is an item itself and must not find itself
 * @param turns aborting their signal ends the scan and rejects with its reason
 */
export function searchExact(
  version: LoadedVersion,
  pool: ScanPool,
  queries: Float32Array,
  options: SearchOptions,
  selfOrdinals: readonly (number | undefined)[] = [],
  turns: Turns = {},
): Promise<Answer[]> {
  const { dim } = version.manifest;
  const plan = planSearch(version, { ...options, exact: true });
  const asked = Array.from({ length: queries.length / dim }, (_, position) => {
    const self = selfOrdinals[position];
    const query = queries.subarray(position * dim, (position + 1) * dim);
    return singleTask(query, planQuery(version, plan, self === undefined ? [] : [self]));
  });
  return searchTogether(version, asked, poolScanner(version, pool), turns);
}

/** The usual search, which asks one shard once: what more there is to others takes as long as a short walk. */
function isSingleShard({ shards }: LocalShards, { plan, kind }: SearchTask): boolean {
  return shards.length === 1 && kind === 'single' && plan.crowding === null && !plan.explain;
}

/** @returns null where the shard was not searched */
function searchSingleShard(
  local: LocalShards,
  { plan, queries }: SearchTask,
  searchOne: (local: LocalShards, search: ShardSearch) => unknown,
): Answer | null {
  const { k, ef, exact } = plan;
  const allowed = countAllowed(plan, 0, local.shards[0]!.ordinals.length);
  const one: ShardSearch = { query: queries[0]!.query, shard: 0, k, ef, exact, plan, part: null };
  if (allowed === 0) one.part = EMPTY_PART;
  else searchOne(local, one);
  return one.part && answerOf(plan, [one.part], mergeParts([one.part], k));
}
