/**
 * The searches of one request over a fleet: from its fields to one answer per query, as worker/run-queries.ts does it
 * over a version in this process. If time runs out and partial answers are allowed, what was found by then is answered.
 */
import { ShortlistError } from '../../base/errors.js';
import type { Answer } from '../../retrieve/search/answer.js';
import { Search } from '../../retrieve/search/search.js';
import { checkSeeds } from '../../retrieve/search/seeds.js';
import { checkAnswerSize } from '../answer/answers.js';
import { withOptionField } from '../request/field-error.js';
import type { Queries, SearchRequest } from '../request/search-request.js';
import {
  isSingleAnswer,
  prepareQueries,
  type Prepared,
  type Query,
  type QuerySource,
} from '../worker/prepare-queries.js';
import { checkOptions, planFleet, planFleetQuery, type FleetItem, type FleetPlan } from './fleet-plan.js';
import { shardsUnavailable, type FleetRequest } from './fleet-request.js';
import { FleetSpace } from './fleet-space.js';
import { prepareRequest, type PreparedRequest } from './prepare-request.js';
import { searchFleet, type FleetRun } from './search-fleet.js';

interface Searched {
  readonly queries: readonly Prepared[];
  /** One per query; null for a query that failed. */
  readonly answers: readonly (Answer | null)[];
  /** Answer in `candidates` instead of `results`. */
  readonly single: boolean;
}

/** @throws codes of searches; deadline_exceeded unless the request allows partial answers */
export async function searchRequest(
  request: FleetRequest,
  asked: SearchRequest,
  run: Omit<FleetRun, 'request'>,
): Promise<Searched> {
  const { version } = request;
  const { options, include, allowPartial } = asked;
  namingOptions(() => checkOptions(version, options));
  request.requireShards();
  const isVector = asked.queries.kind === 'vectors' || asked.queries.kind === 'packed';
  const early = isVector ? await run.slicer.run(prepareQueries(querySource(request, new Map()), asked)) : null;
  const { prepared, isLate } = await prepareInTime(request, asked);
  const queries = early ?? (isLate ? unknownQueries(asked.queries) : await run.slicer.run(prepareQueries(querySource(request, prepared.items), asked))); // prettier-ignore
  const single = isSingleAnswer(asked.batch, queries.length);
  const [first] = queries;
  if (single && first !== undefined && 'error' in first) throw first.error;
  checkAnswerSize(version.manifest, queries.length, options.k, include);
  const plan = namingOptions(() => planFleet(version, options, prepared, run.found.values));
  const byOrdinal = new Map([...prepared.items.values()].map((item) => [item.ordinal, item]));
  const searches = queries.map((query) => ('error' in query ? null : openSearch(request, plan, query, byOrdinal)));
  const good = searches.filter((search) => search !== null);
  const found = isLate ? partialAnswers(good) : await answerInTime(request, allowPartial, good, run);
  let next = 0;
  return { queries, single, answers: searches.map((search) => (search === null ? null : found[next++]!)) };
}

/** `isLate`: time ran out before anything was known, and what is known of the rest is an answer. */
async function prepareInTime(
  request: FleetRequest,
  { queries, options, allowPartial }: SearchRequest,
): Promise<{ readonly prepared: PreparedRequest; readonly isLate: boolean }> {
  try {
    return { prepared: await prepareRequest(request, queries, options), isLate: false };
  } catch (error) {
    if (!allowPartial || error !== request.limit.reason) throw error;
    return { prepared: nothingKnown(request, options), isLate: true };
  }
}

/** No row is known to pass the filter. */
function nothingKnown({ version }: FleetRequest, { filter, whyNot }: SearchRequest['options']): PreparedRequest {
  const { shards } = version.manifest;
  return {
    allowed: shards.map(({ count }) => (filter === undefined ? count : 0)),
    filter: filter === undefined ? null : { selectivity: 0, passed: 0, took_us: 0, cached: false },
    explainedIds: whyNot === undefined ? null : whyNot.map((id) => ({ id, item: null })),
    items: new Map(),
  };
}

const NO_VECTOR = new Float32Array(0);

/** Queries whose items are not known. They are never searched. */
function unknownQueries(queries: Queries): Prepared[] {
  const query = { query: NO_VECTOR, weight: 1 };
  if (queries.kind === 'seeds') return [{ kind: 'seeds', queries: queries.seeds.map(() => query) }];
  if (queries.kind !== 'ids') return [];
  return queries.ids.map((id) => (id instanceof ShortlistError ? { error: id } : { kind: 'single', queries: [query] }));
}

async function answerInTime(
  request: FleetRequest,
  allowPartial: boolean,
  searches: readonly Search<FleetPlan>[],
  run: Omit<FleetRun, 'request'>,
): Promise<readonly Answer[]> {
  try {
    return await searchFleet({ request, ...run }, searches);
  } catch (error) {
    if (!allowPartial || error !== request.limit.reason) throw error;
    return partialAnswers(searches);
  }
}

function partialAnswers(searches: readonly Search<FleetPlan>[]): Answer[] {
  return searches.map((search) => search.partialAnswer());
}

function openSearch(
  request: FleetRequest,
  plan: FleetPlan,
  { kind, queries }: Query,
  items: ReadonlyMap<number, FleetItem>,
): Search<FleetPlan> {
  if (kind === 'seeds') namingOptions(() => checkSeeds(queries));
  const selfs = [...new Set(queries.flatMap(({ self }) => self ?? []))].map((self) => items.get(self)!);
  return new Search(new FleetSpace(request), planFleetQuery(plan, selfs), queries, kind);
}

function querySource(request: FleetRequest, items: ReadonlyMap<string, FleetItem>): QuerySource {
  const { version } = request;
  const byOrdinal = new Map([...items.values()].map((item) => [item.ordinal, item]));
  return {
    manifest: version.manifest,
    ordinalOf: (id) => {
      const shard = version.shardOfId(id);
      if (request.isLost(shard)) throw shardsUnavailable(version.manifest, [shard]);
      return items.get(id)?.ordinal ?? -1;
    },
    vectorOf: (ordinal) => byOrdinal.get(ordinal)!.vector,
  };
}

function namingOptions<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw withOptionField(error);
  }
}
