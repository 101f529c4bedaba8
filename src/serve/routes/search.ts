/** POST /v1/indexes/{index}/search: candidates for a vector, an item, or a batch of either. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ShortlistError } from '../../base/errors.js';
import type { LoadedVersion } from '../../retrieve/loaded-version.js';
import { checkQuery } from '../../retrieve/query.js';
import {
  beginSearch,
  finishSearch,
  planQuery,
  planSearch,
  searchExact,
  type Answer,
  type SearchOptions,
} from '../../retrieve/search.js';
import type { HeldBytes } from '../admission.js';
import { AnswerWriter, checkAnswerSize } from '../answer-text.js';
import type { AppContext } from '../context.js';
import { problemHead } from '../problem.js';
import { checkAccept } from '../request/accept.js';
import { parseJson } from '../request/body.js';
import { atField, fieldError } from '../request/field-error.js';
import { readParameters, readSearchParameters, type Parameters } from '../request/query-string.js';
import { readSearchRequest, readSearchTerms, type Queries, type SearchRequest } from '../request/search-request.js';
import { float32View, splitVectors } from '../request/vectors.js';
import { checkTime, limitTime, withinTime, type TimeLimit } from '../time-limit.js';
import { searchRouteSchema } from './search-schema.js';

export const JSON_TYPE = 'application/json';
export const BINARY_TYPE = 'application/octet-stream';

export function addSearchRoute(app: FastifyInstance, context: AppContext): void {
  app.post<{ Params: { index: string } }>(
    '/v1/indexes/:index/search',
    { schema: searchRouteSchema },
    (request, reply) => handleSearch(context, request.params.index, request, reply),
  );
}

async function handleSearch(
  context: AppContext,
  index: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Buffer> {
  const started = performance.now();
  request.state.facts = { index };
  checkAccept(request.headers.accept, JSON_TYPE);
  context.live.namesOf(index); // an unknown index is said before anything about the body
  const asked = readRequest(request);
  const lease = context.live.lease(index, asked.version);
  const { slot, memory } = request.state;
  slot?.retain();
  memory.retain();
  const limit = limitTime(reply.raw, started + context.options.requestTimeoutMs);
  const work = answerSearch(context, lease.version, asked, limit, memory, started);
  // Work that is given up takes a moment to end, and reads the version and costs until then.
  const end = () => {
    limit.clear();
    lease.release();
    slot?.release();
    memory.release();
  };
  work.then(end, end);
  const { bytes, facts } = await withinTime(work, limit);
  request.state.facts = facts;
  void reply.type('application/json; charset=utf-8');
  return bytes;
}

function readRequest(request: FastifyRequest): SearchRequest {
  const bytes = request.state.body ?? Buffer.alloc(0);
  const parameters = request.query as Parameters;
  if (mediaType(request) !== BINARY_TYPE) {
    readParameters(parameters, {}); // options of the JSON form stand in its body
    return readSearchRequest(parseJson(bytes));
  }
  const { fields, batch } = readSearchParameters(parameters);
  const queries: Queries = { kind: 'packed', values: float32View(bytes), bytes: bytes.length, field: '' };
  return { ...readSearchTerms(fields), queries, batch };
}

export function mediaType(request: FastifyRequest): string {
  return (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
}

/** One query, ready to be searched with. */
interface Query {
  readonly vector: Float32Array;
  /** Ordinal of the item that the query is. */
  readonly self: number | undefined;
}

/** Or why it fails on its own. */
type Prepared = Query | { readonly error: ShortlistError };

/** What a query found, and what the search alone took. */
interface Found {
  readonly answer: Answer;
  readonly seconds: number;
}

/** Answers one query of a request, by its position; or gives what is left to be done, on other threads. */
type Finder = (query: Query, position: number) => Found | (() => Promise<Found>);

async function answerSearch(
  context: AppContext,
  version: LoadedVersion,
  asked: SearchRequest,
  limit: TimeLimit,
  memory: HeldBytes,
  started: number,
) {
  const queries = prepareQueries(version, asked.queries);
  const single = isSingle(asked.batch, queries.length);
  const only = queries[0];
  if (single && only !== undefined && 'error' in only) throw only.error;
  checkAnswerSize(version, queries.length, asked.options.k, asked.include);
  const writer = new AnswerWriter(version, asked.include, memory);
  const results = await runQueries(context, version, asked, queries, limit, writer);
  const { index, version: name } = version.manifest;
  const tookMs = Math.round((performance.now() - started) * 1000) / 1000;
  const head = `{"index":${JSON.stringify(index)},"version":${JSON.stringify(name)},"took_ms":${tookMs}`;
  const parts = single
    ? [Buffer.from(`${head},`), results[0]!, Buffer.from('}')]
    : [
        Buffer.from(`${head},"results":[`),
        ...results.flatMap((result, position) => [Buffer.from(position === 0 ? '{' : ',{'), result, Buffer.from('}')]),
        Buffer.from(']}'),
      ];
  return {
    bytes: Buffer.concat(parts),
    facts: { index, version: name, queries: queries.length, k: asked.options.k, took_ms: tookMs },
  };
}

/** @throws bad_request for several queries where one answer was asked for */
function isSingle(batch: boolean | null, queries: number): boolean {
  if (batch === false && queries > 1) {
    throw fieldError('bad_request', '/batch', `the body holds ${queries} vectors and batch=false allows one`);
  }
  return batch === null ? queries === 1 : !batch;
}

function prepareQueries(version: LoadedVersion, queries: Queries): Prepared[] {
  const { manifest } = version;
  switch (queries.kind) {
    case 'ids':
      return queries.ids.map((id) => prepareId(version, id));
    case 'vectors': {
      const { vectors, fields } = queries;
      const at = (position: number) => (vectors.length === 1 ? undefined : position);
      return vectors.map((vector, position) => ({
        vector: atField(fields[position]!, () => checkQuery(manifest, vector, at(position))),
        self: undefined,
      }));
    }
    case 'packed': {
      const { values, bytes, field } = queries;
      const vectors = atField(field, () => splitVectors(values, manifest.dim, bytes));
      return vectors.map((vector, position) => ({
        vector: atField(field, () => checkQuery(manifest, vector, position)),
        self: undefined,
      }));
    }
  }
}

function prepareId(version: LoadedVersion, id: string): Prepared {
  const ordinal = version.ordinalOf(id);
  if (ordinal < 0) return { error: unknownId(version, id) };
  return { vector: version.vectorOf(ordinal), self: ordinal };
}

export function unknownId(version: LoadedVersion, id: string): ShortlistError {
  const { index } = version.manifest;
  return new ShortlistError('unknown_id', `index ${index} has no item ${JSON.stringify(id.slice(0, 64))}`, {
    id: id.slice(0, 64),
  });
}

/** Each query's result as JSON text, without its braces. */
async function runQueries(
  context: AppContext,
  version: LoadedVersion,
  asked: SearchRequest,
  queries: readonly Prepared[],
  limit: TimeLimit,
  writer: AnswerWriter,
): Promise<Buffer[]> {
  const { index } = version.manifest;
  const isExact = asked.options.exact === true;
  const find = isExact
    ? await scanQueries(context, version, asked, queries, limit)
    : graphFinder(context, version, asked.options, limit);
  const results: Buffer[] = [];
  const unfinished = new Map<number, () => Promise<Found>>();
  const take = (position: number, { answer, seconds }: Found) => {
    context.metrics.searchDone(index, answer.quality, answer.ordinals.length, seconds);
    results[position] = writer.write(answer);
  };
  await context.scheduler.run(queries.length, limit, (position) => {
    const query = queries[position]!;
    if ('error' in query) {
      results[position] = Buffer.from(`"error":${JSON.stringify(problemHead(query.error.code, query.error.message))}`);
      return;
    }
    const found = find(query, position);
    if (typeof found === 'function') unfinished.set(position, found);
    else take(position, found);
  });
  for (const [position, finish] of unfinished) take(position, await finish());
  return results;
}

/** Searches graphs on this thread, and has scans made on the pool's where a graph cannot answer. */
function graphFinder(
  { pool }: AppContext,
  version: LoadedVersion,
  options: SearchOptions,
  { signal }: TimeLimit,
): Finder {
  const { shards } = version;
  const plan = planSearch(version, options);
  return ({ vector, self }) => {
    const begun = performance.now();
    const found = beginSearch(shards, vector, planQuery(version, plan, self));
    const seconds = secondsSince(begun);
    if (!('parts' in found)) return { answer: found, seconds };
    return async () => {
      const resumed = performance.now();
      const answer = await finishSearch(shards, pool, found, signal);
      return { answer, seconds: seconds + secondsSince(resumed) };
    };
  };
}

/** All queries in one scan on the pool's threads. */
async function scanQueries(
  context: AppContext,
  version: LoadedVersion,
  asked: SearchRequest,
  queries: readonly Prepared[],
  limit: TimeLimit,
): Promise<Finder> {
  const { dim } = version.manifest;
  const good = queries.flatMap((query, position) => ('error' in query ? [] : [{ ...query, position }]));
  const packed = new Float32Array(good.length * dim);
  for (const [slot, query] of good.entries()) packed.set(query.vector, slot * dim);
  const selves = good.some((query) => query.self !== undefined) ? good.map((query) => query.self) : [];
  checkTime(limit);
  const begun = performance.now();
  const found =
    good.length === 0
      ? []
      : await searchExact(version, context.pool, packed, good.length, asked.options, selves, limit.signal);
  const seconds = secondsSince(begun) / Math.max(1, good.length);
  const answers = new Map(good.map(({ position }, slot) => [position, found[slot]!]));
  return (_query, position) => ({ answer: answers.get(position)!, seconds });
}

function secondsSince(begun: number): number {
  return (performance.now() - begun) / 1000;
}
