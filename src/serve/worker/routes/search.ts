/** POST /v1/indexes/{index}/search: candidates for a vector, an item, seeds, or a batch. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ExactSearch } from '../../../engine/exact-search.js';
import { ARROW_TYPE, ArrowAnswers } from '../../answer/answer-arrow.js';
import { answerBody, type AnswerStream } from '../../answer/answer-body.js';
import { JsonAnswers } from '../../answer/answer-text.js';
import { checkAnswerSize, type Answers } from '../../answer/answers.js';
import { createRefCounted, type ByteCounter, type RefCounted } from '../../request/byte-account.js';
import type { AppContext } from '../context.js';
import { chooseType } from '../../request/accept.js';
import { readArrowVectors } from '../../request/arrow-vectors.js';
import { parseJson } from '../../request/body.js';
import { LARGE_BODY_BYTES, readLargeJson } from '../../request/large-json.js';
import { fieldError } from '../../request/field-error.js';
import { readParameters, type Parameters } from '../../request/query-string.js';
import { readSearchParameters } from '../../request/search-parameters.js';
import {
  readSearchRequest,
  readSearchTerms,
  createSearchRequest,
  type SearchRequest,
} from '../../request/search-request.js';
import { float32View } from '../../request/vectors.js';
import { prepareQueries } from '../prepare-queries.js';
import { runQueries, type RequestWork } from '../run-queries.js';
import { TimeLimit } from '../../request/time-limit.js';
import { searchRouteSchema } from './search-schema.js';

export const JSON_TYPE = 'application/json';
const BINARY_TYPE = 'application/octet-stream';

export const BODY_TYPES: readonly string[] = [JSON_TYPE, BINARY_TYPE, ARROW_TYPE];

type AnswerType = typeof JSON_TYPE | typeof ARROW_TYPE;

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
): Promise<Buffer | AnswerStream> {
  const started = performance.now();
  const { state } = request;
  state.facts = { index };
  const type = chooseType(request.headers.accept, [JSON_TYPE, ARROW_TYPE]);
  context.live.namesOf(index); // an unknown index is reported before errors of the body
  const asked = await readRequest(context, request);
  const limit = new TimeLimit(
    { destroyed: state.isOver },
    started + Math.min(asked.timeoutMs, context.options.requestTimeoutMs),
  );
  state.limit = limit;
  const lease = context.live.lease(index, asked.version);
  const held = retainAll([state.slot, state.memory], () => lease.release());
  try {
    const pool = limitPool(context.pool, limit, held);
    const work = { context, metrics: state.observer.metrics, version: lease.version, request: asked, limit, pool };
    const { pieces, facts } = await answerSearch(work, type, state.memory.claim(), started);
    state.facts = facts;
    void reply.type(type === JSON_TYPE ? 'application/json; charset=utf-8' : type);
    return answerBody(pieces, reply);
  } finally {
    limit.clear();
    held.release();
  }
}

function readRequest({ options, slicer }: AppContext, request: FastifyRequest): SearchRequest | Promise<SearchRequest> {
  const { body, memory } = request.state;
  const bytes = body?.bytes ?? Buffer.alloc(0);
  const parameters = request.query as Parameters;
  switch (mediaType(request)) {
    case BINARY_TYPE: {
      const { fields, batch } = readSearchParameters(parameters, 'binary');
      const several = batch === true;
      const packed = {
        values: float32View(bytes),
        bytes: bytes.length,
        isBatch: several,
        batchHint: 'set batch=true',
      };
      return createSearchRequest({ kind: 'packed', field: '', ...packed }, several, readSearchTerms(fields));
    }
    case ARROW_TYPE: {
      const { fields, batch, vectorColumn } = readSearchParameters(parameters, 'arrow');
      const terms = readSearchTerms(fields);
      const bounds = { limit: options.bodyLimit, memory: memory.claim(), slicer };
      return readArrowVectors(bytes, vectorColumn, bounds).then((queries) =>
        createSearchRequest(queries, batch, terms),
      );
    }
    default:
      readParameters(parameters, {}); // the JSON form has its options in the body
      if (bytes.length < LARGE_BODY_BYTES) return readSearchRequest(parseJson(bytes));
      return readLargeJson(bytes, memory.claim(), slicer).then((value) => {
        body?.free();
        return readSearchRequest(value);
      });
  }
}

export function mediaType(request: FastifyRequest): string {
  const type = request.headers['content-type'] ?? '';
  return BODY_TYPES.includes(type) ? type : type.split(';')[0]!.trim().toLowerCase();
}

/** Retains all of these. When every holder has released the result, they are released and `free` is called. */
function retainAll(held: readonly (RefCounted | null)[], free: () => void): RefCounted {
  const releases = held.map((resource) => resource?.retain());
  return createRefCounted(() => {
    free();
    for (const release of releases) release?.();
  });
}

/**
 * The scan pool, limited to the time of the request. An abandoned scan still reads the version until it ends, so the
 * request's resources are retained until then.
 */
function limitPool(pool: ExactSearch, limit: TimeLimit, held: RefCounted): Pick<ExactSearch, 'search'> {
  return {
    search: (...call) => {
      const end = held.retain();
      const scan = pool.search(...call);
      scan.then(end, end);
      return limit.within(scan);
    },
  };
}

async function answerSearch(
  given: Omit<RequestWork, 'answers'>,
  type: AnswerType,
  memory: ByteCounter,
  started: number,
): Promise<{ pieces: readonly Buffer[]; facts: Record<string, unknown> }> {
  const { context, version, request: asked } = given;
  const { options, include } = asked;
  const queries = await context.slicer.run(prepareQueries(version, asked));
  const count = queries.length;
  const [first] = queries;
  const single = isSingleAnswer(asked.batch, count);
  if (single && first !== undefined && 'error' in first) throw first.error;
  checkAnswerSize(version, count, options.k, include);
  const answers = openAnswers(given, type, single, memory);
  await runQueries({ ...given, answers }, queries);
  const took = () => Math.round((performance.now() - started) * 1000) / 1000;
  const pieces = await answers.finish(took);
  const { index, version: name } = version.manifest;
  return { pieces, facts: { index, version: name, queries: count, k: options.k, took_ms: took() } };
}

function openAnswers(
  { context, version, request: asked, limit }: Omit<RequestWork, 'answers'>,
  type: AnswerType,
  single: boolean,
  memory: ByteCounter,
): Answers {
  const { include, queries, allowPartial } = asked;
  const given = [memory, context.slicer, allowPartial ? null : limit] as const;
  return type === ARROW_TYPE
    ? new ArrowAnswers(version, include, queries.kind === 'seeds', ...given)
    : new JsonAnswers(version, include, single, ...given);
}

/** @throws bad_request for several queries with batch=false */
function isSingleAnswer(batch: boolean | null, queries: number): boolean {
  if (batch === false && queries !== 1) {
    throw fieldError('bad_request', '/batch', `the body has ${queries} vectors, but batch=false allows only one`);
  }
  return batch === null ? queries === 1 : !batch;
}
