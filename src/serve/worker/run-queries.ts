/**
 * The queries of one request, from what was asked to their answers.
 *
 * Takes a version and a checked request; fills an `Answers`. Filters and graph searches are steps of the scheduler,
 * scans are made on the pool's threads. When time runs out, a request that allows it gets what there is: queries
 * without an answer get an empty one that says `timeout`, all of them where the filter itself took too long.
 */
import { ShortlistError } from '../../base/errors.js';
import type { ExactSearch } from '../../engine/exact-search.js';
import type { Turns } from '../../base/work.js';
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import { checkQuery } from '../../retrieve/search/query.js';
import {
  answerSoFar,
  beginSearch,
  finishSearch,
  openSearch,
  planning,
  planNothing,
  planQuery,
  planSearch,
  runExact,
  type Answer,
  type SearchPlan,
  type UnfinishedSearch,
} from '../../retrieve/search/search.js';
import type { Answers } from '../answer/answers.js';
import type { AppContext } from './context.js';
import { atField, fieldAtOptions } from '../request/field-error.js';
import type { PlainQueries, Readable, SearchRequest } from '../request/search-request.js';
import { unpackVectors } from '../request/vectors.js';
import type { TimeLimit } from '../request/time-limit.js';
import type { WorkerMetrics } from './worker-metrics.js';

/**
 * Queries that share a scan of all vectors. More would gain nothing, since they pass over the rows in groups of this
 * size; fewer lose speed. What has been scanned when time runs out is answered.
 */
const QUERIES_PER_SCAN = 128;

/** One query, ready to be searched with. */
interface Query {
  readonly vector: Float32Array;
  /** Ordinal of the item that the query is. */
  readonly self: number | undefined;
}

/** Or why it fails on its own. */
type Prepared = Query | { readonly error: ShortlistError };

/** The vectors become queries in their own memory: nobody else has it. May pause after each. */
export function* preparingQueries(version: LoadedVersion, queries: PlainQueries): Generator<void, Prepared[], void> {
  switch (queries.kind) {
    case 'ids':
      return yield* preparing(queries.ids, (id) => prepareId(version, id));
    case 'vectors': {
      const { vectors, fields } = queries;
      return refuseOtherLengths(yield* preparingVectors(version, vectors, (position) => fields[position]!));
    }
    case 'packed': {
      const { field } = queries;
      const vectors = atField(field, () => unpackVectors(queries, version.manifest.dim));
      return yield* preparingVectors(version, vectors, () => field);
    }
  }
}

function preparingVectors(
  { manifest }: LoadedVersion,
  vectors: readonly Readable<Float32Array>[],
  fieldOf: (position: number) => string,
): Generator<void, Prepared[], void> {
  return preparing(vectors, (vector, position) => {
    if (vector instanceof ShortlistError) return { error: vector };
    const at = vectors.length === 1 ? undefined : position;
    try {
      return { vector: atField(fieldOf(position), () => checkQuery(manifest, vector, at, vector)), self: undefined };
    } catch (error) {
      if (error instanceof ShortlistError) return { error };
      throw error;
    }
  });
}

function* preparing<T>(
  queries: readonly T[],
  prepare: (query: T, position: number) => Prepared,
): Generator<void, Prepared[], void> {
  const prepared: Prepared[] = [];
  for (const [position, query] of queries.entries()) {
    prepared.push(prepare(query, position));
    if (position + 1 < queries.length) yield;
  }
  return prepared;
}

/**
 * Where no vector has the length of the index's, the batch is for another index: it is refused whole. @throws
 * dimension_mismatch
 */
function refuseOtherLengths(prepared: Prepared[]): Prepared[] {
  const isOther = (query: Prepared) => 'error' in query && query.error.code === 'dimension_mismatch';
  const [first] = prepared;
  if (first !== undefined && 'error' in first && prepared.every(isOther)) throw first.error;
  return prepared;
}

function prepareId(version: LoadedVersion, id: Readable<string>): Prepared {
  if (id instanceof ShortlistError) return { error: id };
  const ordinal = version.ordinalOf(id);
  if (ordinal < 0) return { error: unknownId(version, id) };
  // Read where it is searched with: those of a batch take milliseconds.
  return {
    get vector() {
      return version.vectorOf(ordinal);
    },
    self: ordinal,
  };
}

export function unknownId(version: LoadedVersion, id: string): ShortlistError {
  const { index } = version.manifest;
  return new ShortlistError('unknown_id', `index ${index} has no item ${JSON.stringify(id.slice(0, 64))}`, {
    id: id.slice(0, 64),
  });
}

/** What the queries of one request work with. */
export interface Work {
  readonly context: AppContext;
  readonly metrics: WorkerMetrics;
  readonly version: LoadedVersion;
  readonly asked: SearchRequest;
  readonly limit: TimeLimit;
  /** Scans that the request waits for no longer than its time allows. */
  readonly pool: Pick<ExactSearch, 'search'>;
  readonly answers: Answers;
}

/** A query up to its scans, and the time that it took. */
interface Unfinished {
  readonly search: UnfinishedSearch;
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
  const { shards } = version;
  const single: { readonly answer: Answer; readonly seconds: number }[] = [];
  // What is found in part is worth something: such a batch is begun, however long it takes.
  const places = work.asked.allowPartial ? 0 : Math.max(plan.ef, plan.k);
  const search = (position: number) => {
    const query = queries[position]!;
    if ('error' in query) {
      work.answers.fail(position, query.error);
      return;
    }
    const begun = performance.now();
    const found = beginSearch(shards, query.vector, planQuery(version, plan, query.self));
    const seconds = secondsSince(begun);
    if ('parts' in found) unfinished.set(position, { search: found, seconds });
    else if (queries.length === 1) single.push({ answer: found, seconds });
    else take(work, position, found, seconds);
  };
  await context.scheduler.run(queries.length, limit, search, places);
  for (const { answer, seconds } of single) take(work, 0, answer, seconds);
  for (const [position, { search, seconds }] of unfinished) {
    const resumed = performance.now();
    const answer = await finishSearch(shards, pool, search, turnsOf(work));
    take(work, position, answer, seconds + secondsSince(resumed));
  }
}

/** Several queries share each scan of all vectors, on the pool's threads. */
async function scanQueries(work: Work, plan: SearchPlan, queries: readonly Prepared[]): Promise<void> {
  const { context, version, limit, pool } = work;
  const { dim } = version.manifest;
  const good: { readonly query: Query; readonly position: number }[] = [];
  for (const [position, query] of queries.entries()) {
    if ('error' in query) work.answers.fail(position, query.error);
    else good.push({ query, position });
  }
  for (let from = 0; from < good.length; from += QUERIES_PER_SCAN) {
    limit.check();
    const group = good.slice(from, from + QUERIES_PER_SCAN);
    const packed = new Float32Array(group.length * dim);
    for (const [slot, { query }] of group.entries()) packed.set(query.vector, slot * dim);
    const selves = group.some(({ query }) => query.self !== undefined) ? group.map(({ query }) => query.self) : [];
    const begun = performance.now();
    const found = await runExact(version, pool, packed, group.length, plan, selves, turnsOf(work));
    const seconds = secondsSince(begun) / group.length;
    await context.scheduler.run(group.length, limit, (slot) => {
      take(work, group[slot]!.position, found[slot]!, seconds);
    });
  }
}

/** What takes long goes in slices between the searches of others, until the request's time is over. */
export function turnsOf({ context, limit }: Work): Turns {
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
  const { shards } = version;
  for (const [position, query] of queries.entries()) {
    if (answers.has(position)) continue;
    if ('error' in query) answers.fail(position, query.error);
    else {
      const search =
        unfinished.get(position)?.search ?? openSearch(shards, query.vector, planQuery(version, plan, query.self));
      answers.take(position, answerSoFar(shards, search));
    }
  }
}

export function take({ metrics, version, answers }: Work, position: number, answer: Answer, seconds: number): void {
  metrics.searchDone(version.manifest.index, answer.quality, answer.ordinals.length, seconds);
  answers.take(position, answer);
}

export function secondsSince(begun: number): number {
  return (performance.now() - begun) / 1000;
}
