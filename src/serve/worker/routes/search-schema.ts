/** The search route in /openapi.json. */
import type { ErrorCode } from '../../../base/errors.js';
import { problemResponses } from '../../../wire/schemas.js';
import { SearchAnswerSchema, SearchBodySchema } from '../../../wire/search-schemas.js';
import { Type } from '../../../wire/schema-type.js';
import { SEARCH_TERM_NAMES, SEARCH_TERMS } from '../../../wire/search-terms.js';
import { parameterSchemas } from '../../../wire/term-schema.js';

const CODES: readonly ErrorCode[] = [
  'bad_json', 'bad_request', 'bad_field', 'unknown_field', 'bad_base64', 'bad_vector', 'dimension_mismatch',
  'bad_arrow', 'bad_encoding', 'vector_not_finite', 'vector_zero', 'vector_out_of_range', 'k_out_of_range', 'ef_out_of_range', 'target_recall_out_of_range',
  'recall_unreachable', 'not_calibrated', 'bad_filter', 'filter_too_costly', 'batch_too_large',
  'answer_too_large', 'unknown_attribute', 'unknown_index', 'unknown_id', 'not_acceptable', 'request_timeout', 'version_not_loaded', 'body_too_large',
  'unsupported_media_type', 'headers_too_large', 'malformed_http', 'overloaded', 'not_ready', 'index_damaged', 'shards_unavailable', 'deadline_exceeded', 'internal',
]; // prettier-ignore

const Bytes = Type.Unsafe<Buffer>({ type: 'string', format: 'binary' });

/** Not for JSON. No schema has a `default`, which pages and generated clients would send with JSON too. */
const PARAMETERS = Object.fromEntries(
  SEARCH_TERM_NAMES.flatMap((name) => parameterSchemas(name, SEARCH_TERMS[name])).map(([name, schema]) => [
    name,
    Type.Optional(schema),
  ]),
);

const answers = {
  description: 'The candidates, and the quality of the answer.',
  content: {
    'application/json': { schema: SearchAnswerSchema },
    'application/vnd.apache.arrow.stream': { schema: Bytes },
  },
};

export const searchRouteSchema = {
  operationId: 'search',
  tags: ['search'],
  summary: 'Candidates for a vector, an item, several seeds, or a batch',
  description:
    'The body has one of three forms. JSON: all fields are in the body. `application/octet-stream`: one vector as ' +
    'little-endian float32, or several end to end with `batch=true`. `application/vnd.apache.arrow.stream`: a column of ' +
    'vectors; one vector is answered in `candidates`, several, or any number with `batch=true`, in `results`. The last two ' +
    'forms take the options as query parameters, which JSON does not allow. Every body may be gzip. ' +
    'With `Accept: application/vnd.apache.arrow.stream` the answer is a table with one row per candidate: query (int32), ' +
    'id (its type in the index), score (float32), with seeds `seed` (int32) and `seed_score` (float32), the included ' +
    'attributes, and vector. If the name of an attribute is already in use, the column is called `attributes.` followed by ' +
    "the name. The schema's metadata has index, version, took_ms, `quality` (a JSON list with one entry per query), " +
    '`explain` (a similar list, if requested) and, if queries failed, `errors` (a JSON object by position).',
  params: Type.Object({ index: Type.String({ description: 'Name of the index.' }) }),
  querystring: Type.Object({
    ...PARAMETERS,
    vector_column: Type.Optional(
      Type.String({
        description: 'Arrow form: the column of vectors; default: the only vector column, else embedding, else vector.',
      }),
    ),
    batch: Type.Optional(
      Type.Boolean({
        description:
          'true: the body is a batch, answered in `results`. false: the body must have one vector. Default: false in the binary form; in the Arrow form it depends on the number of vectors.',
      }),
    ),
  }),
  body: {
    content: {
      'application/json': { schema: SearchBodySchema },
      'application/octet-stream': { schema: Bytes },
      'application/vnd.apache.arrow.stream': { schema: Bytes },
    },
  },
  response: { 200: answers, ...problemResponses(CODES) },
};
