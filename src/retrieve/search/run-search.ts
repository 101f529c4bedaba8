/**
 * Who runs a search (search.ts): the calling thread at once, a thread on which others wait, or many searches together.
 * Each sees to what the search needs and resumes it. Answers are the same.
 */
import { Meter, runAsync, type WorkOptions, type Work } from '../../base/work.js';
import type { LoadedVersion } from '../load/loaded-version.js';
import type { Answer } from './answer.js';
import { countAllowed } from './allowed-rows.js';
import {
  scanShards,
  scoreRows,
  searchElsewhere,
  searchShard,
  searchShortly,
  type LocalShards,
  type ScanPool,
} from './local-shards.js';
import { mergeParts } from './merge.js';
import { NOTHING, type ShardSearch } from './needs.js';
import { Search, type QueryKind } from './search.js';
import type { SearchOptions, SeedQuery } from './search-options.js';
import { planQuery, planSearch, type SearchPlan } from './search-plan.js';
import { planSeeds } from './seeds.js';
import { answerOf } from './shard-answer.js';

/** What is searched for. */
export interface Asked {
  readonly plan: SearchPlan;
  /** One, unless they are seeds. */
  readonly queries: readonly SeedQuery[];
  readonly kind: QueryKind;
}

export function askOne(query: Float32Array, plan: SearchPlan): Asked {
  return { plan, queries: [{ query, weight: 1 }], kind: 'single' };
}

/** Synchronous, on the calling thread. @param query checked, `dim` values @throws as `planSearch` */
export function search(version: LoadedVersion, query: Float32Array, options: SearchOptions, self?: number): Answer {
  const plan = planQuery(version, planSearch(version, options), self === undefined ? [] : [self]);
  return searchNow(version, askOne(query, plan));
}

/** As `search`, one answer for several queries. @throws as `planSeeds` and `planSearch` */
export function searchSeeds(version: LoadedVersion, seeds: readonly SeedQuery[], options: SearchOptions): Answer {
  const plan = planSeeds(version, planSearch(version, options), seeds);
  return searchNow(version, { plan, queries: seeds, kind: 'seeds' });
}

export function searchNow(local: LocalShards, asked: Asked): Answer {
  if (isSimple(local, asked)) return searchSimply(local, asked, searchShard)!;
  const running = new Search(local, asked.plan, asked.queries, asked.kind);
  for (;;) {
    const step = running.next();
    if (step.done === true) return step.value;
    if (step.value?.kind === 'shards') for (const one of step.value.searches) searchShard(local, one);
    else if (step.value?.kind === 'scores') scoreRows(local, step.value.scoring);
  }
}

type Begun =
  { readonly kind: 'answered'; readonly answer: Answer } | { readonly kind: 'open'; readonly search: OpenSearch };

/** Runs a search up to what takes long: long walks, scans, and more turns than one. */
export function beginSearch(local: LocalShards, asked: Asked): Begun {
  const simple = isSimple(local, asked) ? searchSimply(local, asked, searchShortly) : null;
  if (simple !== null) return { kind: 'answered', answer: simple };
  const running = new Search(local, asked.plan, asked.queries, asked.kind);
  const work = goOn(local, running);
  const step = work.next();
  if (step.done === true && step.value.kind === 'answered') return step.value;
  return { kind: 'open', search: new OpenSearch(local, running, step.done === true ? waiting(step.value) : work) };
}

/** A search that waits for what takes long. */
export class OpenSearch {
  constructor(
    private readonly local: LocalShards,
    private readonly search: Search,
    private work: Work<Stretch>,
  ) {}

  /** The best of what has been found; `short` is `timeout` unless that is all. */
  soFar(): Answer {
    return this.search.soFar();
  }

  /**
   * Long walks go to the engine's thread, scans to the pool's, and the rest in turns with others.
   * @param turns aborting their signal ends the search and rejects with its reason; `soFar` then has what was found
   */
  async finish(pool: ScanPool, turns: WorkOptions = {}): Promise<Answer> {
    for (;;) {
      const stretch = await runAsync(this.work, turns);
      if (stretch.kind === 'answered') return stretch.answer;
      await searchElsewhere(this.local, stretch.searches, pool, turns.signal);
      this.work = goOn(this.local, this.search);
    }
  }
}

/** Where a search has come to: its answer, or searches of shards that take long. */
type Stretch =
  | { readonly kind: 'answered'; readonly answer: Answer }
  | { readonly kind: 'long'; readonly searches: readonly ShardSearch[] };

/** A step of the event loop is as long. */
const AT_ONCE_MS = 2;

/** Goes on up to what takes long, in slices. */
function* goOn(local: LocalShards, running: Search): Work<Stretch> {
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
        if (performance.now() - begun > AT_ONCE_MS) {
          yield;
          begun = performance.now();
        }
        if (!searchShortly(local, one)) long.push(one);
      }
      if (long.length > 0) return { kind: 'long', searches: long };
    }
  }
}

function* waiting(stretch: Stretch): Work<Stretch> {
  return stretch;
}

/** Searches many shards at once, for several searches. They have their parts when it resolves. */
type SearchAll = (searches: readonly ShardSearch[], signal: AbortSignal | undefined) => Promise<void>;

export interface TogetherOptions extends WorkOptions {
  /** Told how many searches have their answers. */
  readonly onProgress?: ((done: number) => void) | undefined;
}

/** Several searches, whose shards are searched together: by one scan for many queries, or by many threads. */
export async function searchTogether(
  local: LocalShards,
  asked: readonly Asked[],
  searchAll: SearchAll,
  options: TogetherOptions = {},
): Promise<Answer[]> {
  const answers: Answer[] = [];
  let open = asked.map(({ plan, queries, kind }, position) => ({
    position,
    running: new Search(local, plan, queries, kind),
  }));
  while (open.length > 0) {
    const wanted = await runAsync(goOnTogether(local, open, answers), options);
    open = open.filter(({ position }) => answers[position] === undefined);
    options.onProgress?.(asked.length - open.length);
    if (wanted.length > 0) await searchAll(wanted, options.signal);
  }
  return answers;
}

interface Running {
  readonly position: number;
  readonly running: Search;
}

/** What one turn of several searches costs, in the units of a Meter. */
const TURN_UNITS = 2_000;

/** Each search goes on until it needs shards or has its answer. @returns the searches of shards that they need */
function* goOnTogether(local: LocalShards, open: readonly Running[], answers: Answer[]): Work<ShardSearch[]> {
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
export function scanAll(local: LocalShards, pool: ScanPool): SearchAll {
  return (searches, signal) => scanShards(local, searches, pool, signal);
}

/**
 * Exact searches of many queries at once, on the pool's threads.
 * @param queries count x dim checked values
 * @param selves ordinal of each query that is an item itself and must not find itself
 * @param turns aborting their signal ends the scan and rejects with its reason
 */
export function searchExact(
  version: LoadedVersion,
  pool: ScanPool,
  queries: Float32Array,
  options: SearchOptions,
  selves: readonly (number | undefined)[] = [],
  turns: WorkOptions = {},
): Promise<Answer[]> {
  const { dim } = version.manifest;
  const plan = planSearch(version, { ...options, exact: true });
  const asked = Array.from({ length: queries.length / dim }, (_, position) => {
    const self = selves[position];
    const query = queries.subarray(position * dim, (position + 1) * dim);
    return askOne(query, planQuery(version, plan, self === undefined ? [] : [self]));
  });
  return searchTogether(version, asked, scanAll(version, pool), turns);
}

/** The usual search, which asks one shard once: what more there is to others takes as long as a short walk. */
function isSimple({ shards }: LocalShards, { plan, kind }: Asked): boolean {
  return shards.length === 1 && kind === 'single' && plan.crowding === null && !plan.explain;
}

/** @returns null where the shard was not searched */
function searchSimply(
  local: LocalShards,
  { plan, queries }: Asked,
  searchOne: (local: LocalShards, search: ShardSearch) => unknown,
): Answer | null {
  const { k, ef, exact } = plan;
  const allowed = countAllowed(plan, 0, local.shards[0]!.ordinals.length);
  const one: ShardSearch = { query: queries[0]!.query, shard: 0, k, ef, exact, plan, part: null };
  if (allowed === 0) one.part = NOTHING;
  else searchOne(local, one);
  return one.part && answerOf(plan, [one.part], mergeParts([one.part], k));
}
