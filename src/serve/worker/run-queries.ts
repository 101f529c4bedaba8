/**
 * Plans and searches the queries of one request, and fills its `Answers`.
 *
 * Filters and graph searches are steps of the scheduler; scans run on the pool's threads. If time runs out and the
 * request allows partial answers, it gets what was found: queries without an answer get an empty one with `timeout`,
 * and so do all queries if the filter took too long.
 */
import type { WorkOptions } from '../../base/work.js';
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import type { Answer } from '../../retrieve/search/answer.js';
import type { ScanPool } from '../../retrieve/search/local-shards.js';
import {
  localSearch,
  startSearch,
  poolScanner,
  searchTogether,
  type SearchTask,
  type PendingSearch,
} from '../../retrieve/search/run-search.js';
import type { Search } from '../../retrieve/search/search.js';
import {
  planSearchInSlices,
  planTimedOut,
  planQuery,
  planSearch,
  type SearchPlan,
} from '../../retrieve/search/search-plan.js';
import { planSeeds } from '../../retrieve/search/seeds.js';
import type { Answers } from '../answer/answers.js';
import { withOptionField } from '../request/field-error.js';
import type { SearchRequest } from '../request/search-request.js';
import type { TimeLimit } from '../request/time-limit.js';
import type { Prepared, Query } from './prepare-queries.js';
import type { Scheduler } from './scheduler.js';
import type { WorkerMetrics } from './worker-metrics.js';

/**
 * Queries that share a scan of all vectors. More gain nothing, since a scan passes over the rows for groups of this
 * size; fewer are slower. When time runs out, the scanned groups are answered.
 */
const QUERIES_PER_SCAN = 128;

interface RequestWork {
  readonly scheduler: Scheduler;
  readonly metrics: WorkerMetrics;
  readonly version: LoadedVersion;
  readonly request: SearchRequest;
  readonly limit: TimeLimit;
  /** Limited to the time of the request. */
  readonly pool: ScanPool;
  readonly answers: Answers;
}

/** A query whose scans are missing, and the time spent on it. */
interface Unfinished {
  readonly search: PendingSearch;
  readonly seconds: number;
}

/** Fills one answer per query. @throws deadline_exceeded unless the request allows partial answers */
export async function runQueries(work: RequestWork, queries: readonly Prepared[]): Promise<void> {
  let plan: SearchPlan | null = null;
  const unfinished = new Map<number, Unfinished>();
  try {
    plan = await planRequest(work);
    if (plan.exact && queries.length > 1) await scanQueries(work, plan, queries);
    else await searchQueries(work, plan, queries, unfinished);
  } catch (error) {
    if (!work.request.allowPartial || error !== work.limit.reason) throw error;
    answerPartially(work, plan ?? planWithoutFilter(work), queries, unfinished);
  }
}

/** Filters are evaluated in slices between the searches of others. */
function planRequest({ scheduler, version, request: asked, limit }: RequestWork): SearchPlan | Promise<SearchPlan> {
  const { options } = asked;
  if (options.filter === undefined) return namingOptions(() => planSearch(version, options));
  return scheduler.runWork(limit, planSearchInSlices(version, options)).catch((error: unknown) => {
    throw withOptionField(error);
  });
}

function planWithoutFilter({ version, request: asked }: RequestWork): SearchPlan {
  return namingOptions(() => planTimedOut(version, asked.options));
}

function planOneSearch(version: LoadedVersion, plan: SearchPlan, { kind, queries }: Query): SearchTask {
  if (kind === 'seeds') return { plan: namingOptions(() => planSeeds(version, plan, queries)), queries, kind };
  const { self } = queries[0]!;
  return { plan: self === undefined ? plan : planQuery(version, plan, [self]), queries, kind };
}

function namingOptions<T>(plan: () => T): T {
  try {
    return plan();
  } catch (error) {
    throw withOptionField(error);
  }
}

/**
 * Searches graphs on this thread. What a graph cannot answer is then scanned on the pool's threads.
 *
 * The answers of a batch are written in its steps, so that a large batch is held only as text. A single answer is
 * written after its step: requests that arrived together are first all searched and then all answered, since a search
 * evicts the code and data of writing and sending from the processor's caches.
 */
async function searchQueries(
  work: RequestWork,
  plan: SearchPlan,
  queries: readonly Prepared[],
  unfinished: Map<number, Unfinished>,
): Promise<void> {
  const { scheduler, version, limit, pool } = work;
  const single: { readonly answer: Answer; readonly seconds: number }[] = [];
  // A batch that allows partial answers is started even if its time is too short.
  const candidates = work.request.allowPartial ? 0 : Math.max(plan.ef, plan.k);
  const search = (position: number) => {
    const query = queries[position]!;
    if ('error' in query) {
      work.answers.fail(position, query.error);
      return;
    }
    const started = performance.now();
    const begun = startSearch(version, planOneSearch(version, plan, query));
    const seconds = secondsSince(started);
    if (begun.kind === 'open') unfinished.set(position, { search: begun.search, seconds });
    else if (queries.length === 1) single.push({ answer: begun.answer, seconds });
    else addAnswer(work, position, begun.answer, seconds);
  };
  await scheduler.run(queries.length, limit, search, candidates);
  for (const { answer, seconds } of single) addAnswer(work, 0, answer, seconds);
  for (const [position, { search, seconds }] of unfinished) {
    const resumed = performance.now();
    const answer = await search.finish(pool, turnsOf(work));
    addAnswer(work, position, answer, seconds + secondsSince(resumed));
  }
}

/** Groups of queries share each scan of all vectors, on the pool's threads. */
async function scanQueries(work: RequestWork, plan: SearchPlan, queries: readonly Prepared[]): Promise<void> {
  const { scheduler, version, limit, pool } = work;
  const good: { readonly query: Query; readonly position: number }[] = [];
  for (const [position, query] of queries.entries()) {
    if ('error' in query) work.answers.fail(position, query.error);
    else good.push({ query, position });
  }
  for (let from = 0; from < good.length; from += QUERIES_PER_SCAN) {
    limit.check();
    const group = good.slice(from, from + QUERIES_PER_SCAN);
    const begun = performance.now();
    const asked = group.map(({ query }) => planOneSearch(version, plan, query));
    const found = await searchTogether(version, asked, poolScanner(version, pool), turnsOf(work));
    const seconds = secondsSince(begun) / group.length;
    await scheduler.run(group.length, limit, (slot) => {
      addAnswer(work, group[slot]!.position, found[slot]!, seconds);
    });
  }
}

/** Long work runs in slices between the searches of others, until the request's time is over. */
function turnsOf({ scheduler, limit }: RequestWork): WorkOptions {
  return { signal: limit.signal, run: (slices) => scheduler.runWork(limit, slices) };
}

/** Answers every query with what was found by now. */
function answerPartially(
  work: RequestWork,
  plan: SearchPlan,
  queries: readonly Prepared[],
  unfinished: ReadonlyMap<number, Unfinished>,
): void {
  const { answers, version } = work;
  const nothingOf = (query: Query): Search<SearchPlan> => localSearch(version, planOneSearch(version, plan, query));
  for (const [position, query] of queries.entries()) {
    if (answers.has(position)) continue;
    if ('error' in query) answers.fail(position, query.error);
    else answers.add(position, (unfinished.get(position)?.search ?? nothingOf(query)).partialAnswer());
  }
}

function addAnswer(
  { metrics, version, answers }: RequestWork,
  position: number,
  answer: Answer,
  seconds: number,
): void {
  metrics.searchDone(version.manifest.index, answer.quality, answer.ordinals.length, seconds);
  answers.add(position, answer);
}

function secondsSince(begun: number): number {
  return (performance.now() - begun) / 1000;
}
