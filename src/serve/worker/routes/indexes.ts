/** GET /v1/indexes, /v1/indexes/{index}, /v1/indexes/{index}/items/{id}: the indexes served, and their items. */
import type { FastifyInstance } from 'fastify';
import type { ErrorCode } from '../../../base/errors.js';
import { JSON_TYPE, type AppContext } from '../context.js';
import { checkAccept } from '../../request/accept.js';
import { fieldError } from '../../request/field-error.js';
import {
  textParameter,
  readParameters,
  booleanParameter,
  namesParameter,
  type Parameters,
} from '../../request/query-string.js';
import { IndexListSchema, IndexSchema, ItemSchema, problemResponses } from '../../../wire/schemas.js';
import { Type } from '../../../wire/schema-type.js';

const COMMON: readonly ErrorCode[] = ['unknown_field', 'not_acceptable', 'overloaded', 'internal'];
const IndexParams = { index: Type.String({ description: 'Name of the index.' }) };

export function addIndexRoutes(app: FastifyInstance, context: AppContext): void {
  const head = { tags: ['indexes'] };
  const list = {
    ...head,
    operationId: 'listIndexes',
    summary: 'All indexes',
    description: 'All indexes of this server by name, with their current versions.',
    response: { 200: IndexListSchema, ...problemResponses(COMMON) },
  };
  app.get('/v1/indexes', { schema: list }, async (request) => {
    checkHeadersAndQuery(request.headers.accept, request.query);
    return { indexes: await Promise.all(context.backend.names().map((index) => describeIndex(context, index, false))) };
  });

  const one = {
    ...head,
    operationId: 'describeIndex',
    summary: 'One index and its current version',
    description: 'Includes the dimension of queries, the attributes for filters, and the versions that can be pinned.',
    params: Type.Object(IndexParams),
    querystring: Type.Object({
      calibration: Type.Optional(
        Type.Boolean({ description: 'Adds the calibration of the current version (tens of kilobytes).' }),
      ),
    }),
  };
  const oneResponse = { 200: IndexSchema, ...problemResponses([...COMMON, 'bad_field', 'unknown_index']) };
  app.get<{ Params: { index: string } }>(
    '/v1/indexes/:index',
    { schema: { ...one, response: oneResponse } },
    async (request) => {
      checkAccept(request.headers.accept, JSON_TYPE);
      const { calibration = false } = readParameters(request.query as Parameters, { calibration: booleanParameter });
      if (typeof calibration !== 'boolean')
        throw fieldError('bad_field', '/calibration', 'calibration is invalid; give true or false');
      return describeIndex(context, request.params.index, calibration);
    },
  );
  addItemRoute(app, context);
}

function checkHeadersAndQuery(accept: string | undefined, query: unknown): void {
  checkAccept(accept, JSON_TYPE);
  readParameters(query as Parameters, {});
}

async function describeIndex(
  context: AppContext,
  index: string,
  withCalibration: boolean,
): Promise<Record<string, unknown>> {
  const names = context.backend.namesOf(index);
  const loaded = context.backend.loaded().filter((entry) => entry.index === index);
  const common = {
    index,
    version: names.current,
    ...(names.fault && { fault: names.fault }),
    aliases: names.aliases,
    loaded: loaded.map((one) => one.version),
  };
  if (names.current === null) return common;
  const manifest = context.backend.manifestOf(index);
  return {
    ...common,
    created_at: manifest.created_at,
    age_seconds: Math.max(0, Math.round((Date.now() - Date.parse(manifest.created_at)) / 1000)),
    vectors: manifest.count,
    dim: manifest.dim,
    metric: manifest.metric,
    shards: manifest.shards.length,
    engine: manifest.engine.name,
    attributes: manifest.attributes.map(({ name, type }) => ({ name, type })),
    ...(withCalibration && { calibration: await context.backend.calibrationOf(index, manifest.version) }),
  };
}

const ITEM_CODES: readonly ErrorCode[] = [
  ...COMMON,
  'bad_field',
  'unknown_attribute',
  'unknown_index',
  'unknown_id',
  'version_not_loaded',
  'not_ready',
  'index_damaged',
  'shards_unavailable',
];

const itemSchema = {
  tags: ['indexes'],
  operationId: 'getItem',
  summary: 'One item: its attributes, and its vector if requested',
  description: 'The item as stored in the version: for cosine, the vector is normalised to length 1.',
  params: Type.Object({ ...IndexParams, id: Type.String({ description: 'Id of the item, percent-encoded.' }) }),
  querystring: Type.Object({
    'include.attributes': Type.Optional(Type.Array(Type.String(), { description: 'May be repeated; default: all.' })),
    'include.vectors': Type.Optional(Type.Boolean({ description: 'Return the vector; default false.' })),
    version: Type.Optional(Type.String({ description: 'A loaded version or alias; default: the current version.' })),
  }),
  response: { 200: ItemSchema, ...problemResponses(ITEM_CODES) },
};

const ITEM_PARAMETERS = {
  'include.attributes': namesParameter,
  'include.vectors': booleanParameter,
  version: textParameter,
};

function addItemRoute(app: FastifyInstance, context: AppContext): void {
  app.get<{ Params: { index: string; id: string } }>(
    '/v1/indexes/:index/items/:id',
    { schema: itemSchema },
    async (request, reply) => {
      checkAccept(request.headers.accept, JSON_TYPE);
      const { index, id } = request.params;
      const parameters = readParameters(request.query as Parameters, ITEM_PARAMETERS);
      const withVector = parameters['include.vectors'] ?? false;
      if (typeof withVector !== 'boolean')
        throw fieldError('bad_field', '/include.vectors', 'include.vectors is invalid; give true or false');
      const names = parameters['include.attributes'] as readonly string[] | true | undefined;
      const include = {
        attributes: names === undefined || names === true ? 'all' : names,
        vectors: withVector,
      } as const;
      const version = parameters['version'] as string | undefined;
      const text = await context.backend.item({ index, id, version, include, state: request.state });
      void reply.type('application/json; charset=utf-8');
      return reply.send(text);
    },
  );
}
