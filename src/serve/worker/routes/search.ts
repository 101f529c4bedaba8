/** POST /v1/indexes/{index}/search: candidates for a vector, an item, seeds, or a batch. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ARROW_TYPE } from '../../answer/answer-arrow.js';
import { answerBody, type AnswerStream } from '../../answer/answer-body.js';
import { JSON_TYPE, type AppContext } from '../context.js';
import { chooseType } from '../../request/accept.js';
import { readArrowVectors } from '../../request/arrow-vectors.js';
import { parseJson } from '../../request/body.js';
import { LARGE_BODY_BYTES, readLargeJson } from '../../request/large-json.js';
import { readParameters, type Parameters } from '../../request/query-string.js';
import { readSearchParameters } from '../../request/search-parameters.js';
import {
  readSearchRequest,
  readSearchTerms,
  createSearchRequest,
  type SearchRequest,
} from '../../request/search-request.js';
import { float32View } from '../../request/vectors.js';
import { TimeLimit } from '../../request/time-limit.js';
import { searchRouteSchema } from './search-schema.js';

const BINARY_TYPE = 'application/octet-stream';

export const BODY_TYPES: readonly string[] = [JSON_TYPE, BINARY_TYPE, ARROW_TYPE];

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
  context.backend.namesOf(index); // an unknown index is reported before errors of the body
  const asked = await readRequest(context, request);
  const limit = new TimeLimit(
    { destroyed: state.isOver },
    started + Math.min(asked.timeoutMs, context.options.requestTimeoutMs),
  );
  state.limit = limit;
  try {
    const { pieces, facts } = await context.backend.search({ index, request: asked, type, state, limit, started });
    state.facts = facts;
    void reply.type(type === JSON_TYPE ? 'application/json; charset=utf-8' : type);
    return answerBody(pieces, reply);
  } finally {
    limit.clear();
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
