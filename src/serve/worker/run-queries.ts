/**
 * The queries of one request, from their plan to their answers.
 *
 * Takes a version, a checked request and its queries (prepare-queries.ts); fills an `Answers`. Filters and graph
 * searches are steps of the scheduler, scans are made on the pool's threads. When time runs out, a request that allows
 * it gets what there is: queries without an answer get an empty one that says `timeout`, all of them where the filter
 * itself took too long.
 */
import type { WorkOptions } from '../../base/work.js';
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import type { Answer } from '../../retrieve/search/answer.js';
import type { ScanPool } from '../../retrieve/search/local-shards.js';
import { beginSearch, scanAll, searchTogether, type Asked, type OpenSearch } from '../../retrieve/search/run-search.js';
import { Search } from '../../retrieve/search/search.js';
import { planning, planNothing, planQuery, planSearch, type SearchPlan } from '../../retrieve/search/search-plan.js';
import { planSeeds } from '../../retrieve/search/seeds.js';
import type { Answers } from '../answer/answers.js';
import { fieldAtOptions } from '../request/field-error.js';
import type { SearchRequest } from '../request/search-request.js';
import type { TimeLimit } from '../request/time-limit.js';
import type { AppContext } from './context.js';
import type { Prepared, Query } from './prepare-queries.js';
import type { WorkerMetrics } from './worker-metrics.js';

/**
 * Queries that share a scan of all vectors. More would gain nothing, since they pass over the rows in groups of this
 * size; fewer lose speed. What has been scanned when time runs out is answered.
 */
const QUERIES_PER_SCAN = 128;

/** What the queries of one request work with. */
export interface Work {
  readonly context: AppContext;
  readonly metrics: WorkerMetrics;
  readonly version: LoadedVersion;
  readonly asked: SearchRequest;
  readonly limit: TimeLimit;
  /** Scans that the request waits for no longer than its time allows. */
  readonly pool: ScanPool;
  readonly answers: Answers;
}

/** A query up to its scans, and the time that it took. */
interface Unfinished {
  readonly search: OpenSearch;
  readonly seconds: number;
}

/** Fills the answers, one for each query. @throws deadline_exceeded unless the request allows partial answers */
export async function runQueries(work: Work, queries: readonly Prepared[]): Promise<void> {
  let plan: SearchPlan | null = null;
  const unfinished = new Map<number, Unfinished>();
  try {
    plan = await planRequest(work);
    if (plan.exact && queries.length > 1) await scanQueries(work, plan, queries);
    else await searchQueries(work, plan, queries, unfinished);
  } catch (error) {
    if (!work.asked.allowPartial || error !== work.limit.reason) throw error;
    answerPartially(work, plan ?? planLate(work), queries, unfinished);
  }
}

/** A filter goes in slices between the searches of others. */
function planRequest({ context, version, asked, limit }: Work): SearchPlan | Promise<SearchPlan> {
  const { options } = asked;
  if (options.filter === undefined) return atOptions(() => planSearch(version, options));
  return context.scheduler.runWork(limit, planning(version, options)).catch((error: unknown) => {
    throw fieldAtOptions(error);
  });
}

function planLate({ version, asked }: Work): SearchPlan {
  return atOptions(() => planNothing(version, asked.options));
}

function askFor(version: LoadedVersion, plan: SearchPlan, { kind, queries }: Query): Asked {
  if (kind === 'seeds') return { plan: atOptions(() => planSeeds(version, plan, queries)), queries, kind };
  const { self } = queries[0]!;
  return { plan: planQuery(version, plan, self === undefined ? [] : [self]), queries, kind };
}

function atOptions<T>(plan: () => T): T {
  try {
    return plan();
  } catch (error) {
    throw fieldAtOptions(error);
  }
}

/**
 * Searches graphs on this thread, and then has scans made on the pool's where a graph cannot answer.
 *
 * Answers of a batch are written in the steps, so that a large one is held as text alone. A single answer is written
 * after its step: requests that came together are first all searched and then all answered, since a search drives the
 * code and data of writing and sending out of the processor's caches.
 */
async function searchQueries(
  work: Work,
  plan: SearchPlan,
  queries: readonly Prepared[],
  unfinished: Map<number, Unfinished>,
): Promise<void> {
  const { context, version, limit, pool } = work;
  const single: { readonly answer: Answer; readonly seconds: number }[] = [];
  // What is found in part is worth something: such a batch is begun, however long it takes.
  const places = work.asked.allowPartial ? 0 : Math.max(plan.ef, plan.k);
  const search = (position: number) => {
    const query = queries[position]!;
    if ('error' in query) {
      work.answers.fail(position, query.error);
      return;
    }
    const started = performance.now();
    const begun = beginSearch(version, askFor(version, plan, query));
    const seconds = secondsSince(started);
    if (begun.kind === 'open') unfinished.set(position, { search: begun.search, seconds });
    else if (queries.length === 1) single.push({ answer: begun.answer, seconds });
    else take(work, position, begun.answer, seconds);
  };
  await context.scheduler.run(queries.length, limit, search, places);
  for (const { answer, seconds } of single) take(work, 0, answer, seconds);
  for (const [position, { search, seconds }] of unfinished) {
    const resumed = performance.now();
    const answer = await search.finish(pool, turnsOf(work));
    take(work, position, answer, seconds + secondsSince(resumed));
  }
}

/** Several queries share each scan of all vectors, on the pool's threads. */
async function scanQueries(work: Work, plan: SearchPlan, queries: readonly Prepared[]): Promise<void> {
  const { context, version, limit, pool } = work;
  const good: { readonly query: Query; readonly position: number }[] = [];
  for (const [position, query] of queries.entries()) {
    if ('error' in query) work.answers.fail(position, query.error);
    else good.push({ query, position });
  }
  for (let from = 0; from < good.length; from += QUERIES_PER_SCAN) {
    limit.check();
    const group = good.slice(from, from + QUERIES_PER_SCAN);
    const begun = performance.now();
    const asked = group.map(({ query }) => askFor(version, plan, query));
    const found = await searchTogether(version, asked, scanAll(version, pool), turnsOf(work));
    const seconds = secondsSince(begun) / group.length;
    await context.scheduler.run(group.length, limit, (slot) => {
      take(work, group[slot]!.position, found[slot]!, seconds);
    });
  }
}

/** What takes long goes in slices between the searches of others, until the request's time is over. */
function turnsOf({ context, limit }: Work): WorkOptions {
  return { signal: limit.signal, run: (slices) => context.scheduler.runWork(limit, slices) };
}

/** What has been found by now, and for the rest nothing. */
function answerPartially(
  work: Work,
  plan: SearchPlan,
  queries: readonly Prepared[],
  unfinished: ReadonlyMap<number, Unfinished>,
): void {
  const { answers, version } = work;
  const nothingOf = (query: Query): Search => {
    const asked = askFor(version, plan, query);
    return new Search(version, asked.plan, asked.queries, asked.kind);
  };
  for (const [position, query] of queries.entries()) {
    if (answers.has(position)) continue;
    if ('error' in query) answers.fail(position, query.error);
    else answers.take(position, (unfinished.get(position)?.search ?? nothingOf(query)).soFar());
  }
}

function take({ metrics, version, answers }: Work, position: number, answer: Answer, seconds: number): void {
  metrics.searchDone(version.manifest.index, answer.quality, answer.ordinals.length, seconds);
  answers.take(position, answer);
}

function secondsSince(begun: number): number {
  return (performance.now() - begun) / 1000;
}
