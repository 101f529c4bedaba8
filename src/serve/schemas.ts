/**
 * The HTTP interface as JSON Schema, for /openapi.json. Requests are not validated by these: the readers in request/ do
 * that with better messages, and a type ties each field's reader to its schema here.
 */
import { Type, type Static, type TSchema } from 'typebox';
import { ERRORS, type ErrorCode } from '../base/errors.js';
import { DEFAULT_K, MAX_BATCH, MAX_EF, MAX_EXCLUDE_IDS, MAX_INCLUDE_ATTRIBUTES, MAX_K } from '../base/limits.js';
import { METRICS } from '../base/metric.js';

const Id = Type.Union([Type.String(), Type.Integer()], {
  description: 'An id as text. Whole numbers up to 2^53 - 1 are taken for their digits.',
  examples: ['123'],
});
const Vector = Type.Array(Type.Number(), {
  description: 'As many numbers as the index has dimensions; float32 precision.',
});
const Base64 = Type.String({
  contentEncoding: 'base64',
  description: 'Base64 (standard alphabet, padded) of little-endian float32.',
});

export const SearchBodySchema = Type.Object(
  {
    vector: Type.Optional(Vector),
    vector_b64: Type.Optional(Base64),
    id: Type.Optional(
      Type.Union([Type.String(), Type.Integer()], {
        description: 'Searches by the vector of an item, which is left out of the answer.',
      }),
    ),
    vectors: Type.Optional(Type.Array(Vector, { maxItems: MAX_BATCH, description: 'A batch, answered in `results`.' })),
    vectors_b64: Type.Optional(
      Type.Union([Base64, Type.Array(Base64, { maxItems: MAX_BATCH })], {
        description: 'A batch: base64 of all vectors end to end, or a list with one text each.',
      }),
    ),
    ids: Type.Optional(
      Type.Array(Id, { maxItems: MAX_BATCH, description: 'A batch; an unknown id fails its own result only.' }),
    ),
    k: Type.Optional(
      Type.Integer({ minimum: 1, maximum: MAX_K, default: DEFAULT_K, description: 'Candidates to return.' }),
    ),
    ef: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: MAX_EF,
        description: 'Size of the candidate list: larger finds more and costs more. Raised to k. Default max(200, 2k).',
      }),
    ),
    exact: Type.Optional(
      Type.Boolean({
        default: false,
        description: 'Scan every vector: the true nearest neighbours, slowly. Excludes ef.',
      }),
    ),
    exclude_ids: Type.Optional(
      Type.Array(Id, {
        maxItems: MAX_EXCLUDE_IDS,
        description: 'Ids that must not come back; unknown ones are ignored.',
      }),
    ),
    include: Type.Optional(
      Type.Object(
        {
          attributes: Type.Optional(
            Type.Union([Type.Array(Type.String(), { maxItems: MAX_INCLUDE_ATTRIBUTES }), Type.Boolean()], {
              description: 'Names of attributes to return with each candidate; true for all.',
            }),
          ),
          vectors: Type.Optional(Type.Boolean({ default: false, description: "Return each candidate's vector." })),
        },
        { additionalProperties: false },
      ),
    ),
    min_score: Type.Optional(Type.Number({ description: 'Least score that comes back.' })),
    timeout_ms: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        description:
          "Time for the answer, from the body's last byte on. Afterwards: 504, or with allow_partial what there is.",
      }),
    ),
    allow_partial: Type.Optional(
      Type.Boolean({
        default: false,
        description:
          'When time runs out, answer with what has been found; `quality.short` is `timeout` where it is not all.',
      }),
    ),
    version: Type.Optional(
      Type.String({ description: 'A version or alias that is loaded; default the current version.' }),
    ),
  },
  {
    additionalProperties: false,
    description:
      'A field that is null is as one left out. Exactly one of vector, vector_b64, id, vectors, vectors_b64, ids.',
    examples: [{ id: '123', k: 3, include: { attributes: ['title'] } }],
  },
);
export type SearchBody = Static<typeof SearchBodySchema>;

const QualitySchema = Type.Object({
  path: literals(['graph', 'filtered-graph', 'exact'], 'How the answer was found.'),
  ef: Type.Union([Type.Integer(), Type.Null()], { description: 'The ef that was used; null on the exact path.' }),
  selectivity: Type.Number({ description: 'Share of the rows that may come back; 1 unfiltered.' }),
  shards: Type.Object({ total: Type.Integer(), answered: Type.Integer() }),
  short: Type.Union([literals(['corpus', 'filter', 'min_score', 'crowding', 'timeout'], ''), Type.Null()], {
    description: 'Why fewer than k came back; null when k did.',
  }),
});

const AttributesSchema = Type.Record(Type.String(), Type.Unknown(), {
  description: 'Attributes by name, null where the item has none.',
});
const CandidateSchema = Type.Object({
  id: Type.String(),
  score: Type.Number({
    description: 'Higher is better: cosine similarity, inner product, or minus the Euclidean distance.',
  }),
  attributes: Type.Optional(AttributesSchema),
  vector: Type.Optional(Vector),
});

const AnswerFields = {
  candidates: Type.Array(CandidateSchema, { description: 'Best first.' }),
  quality: QualitySchema,
};
const AnswerHead = {
  index: Type.String(),
  version: Type.String(),
  took_ms: Type.Number({ description: "From the body's last byte to the answer, in milliseconds." }),
};
const FailedResult = Type.Object({
  error: Type.Object({
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.String(),
  }),
});

export const SearchAnswerSchema = Type.Union(
  [
    Type.Object({ ...AnswerHead, ...AnswerFields }, { title: 'Answer of one query' }),
    Type.Object(
      {
        ...AnswerHead,
        results: Type.Array(Type.Union([Type.Object(AnswerFields), FailedResult]), { description: 'In query order.' }),
      },
      { title: 'Answer of a batch' },
    ),
  ],
  {
    description: 'The candidates, with an account of how good the answer is.',
    examples: [
      {
        index: 'listings',
        version: '20261123T041500Z-3f9c2a1b',
        took_ms: 0.21,
        candidates: [{ id: '123', score: 0.93, attributes: { title: 'walnut bowl' } }],
        quality: { path: 'graph', ef: 200, selectivity: 1, shards: { total: 1, answered: 1 }, short: null },
      },
    ],
  },
);

export const IndexSchema = Type.Object(
  {
    index: Type.String(),
    version: Type.Union([Type.String(), Type.Null()], {
      description: 'The current version; null where none is published and loaded.',
    }),
    created_at: Type.Optional(Type.String({ format: 'date-time' })),
    age_seconds: Type.Optional(Type.Number({ description: 'Since the current version was built.' })),
    vectors: Type.Optional(Type.Integer()),
    dim: Type.Optional(Type.Integer()),
    metric: Type.Optional(literals(METRICS, '')),
    shards: Type.Optional(Type.Integer()),
    engine: Type.Optional(Type.String()),
    attributes: Type.Optional(Type.Array(Type.Object({ name: Type.String(), type: Type.String() }))),
    calibration: Type.Optional(
      Type.Union([Type.Unknown(), Type.Null()], { description: 'Measured recall by ef; null before calibration.' }),
    ),
    aliases: Type.Record(Type.String(), Type.String(), { description: 'Version by alias.' }),
    loaded: Type.Array(Type.String(), { description: 'Versions that can be pinned.' }),
  },
  { description: 'An index and its current version.' },
);
export const IndexListSchema = Type.Object({ indexes: Type.Array(IndexSchema) });

export const ItemSchema = Type.Object(
  {
    index: Type.String(),
    version: Type.String(),
    id: Type.String(),
    attributes: AttributesSchema,
    vector: Type.Optional(Vector),
  },
  { description: 'One item.' },
);

export const StatusSchema = Type.Object({
  status: Type.String(),
  indexes: Type.Optional(
    Type.Array(Type.Object({ index: Type.String(), version: Type.Union([Type.String(), Type.Null()]) })),
  ),
});

const ProblemSchema = (codes: readonly ErrorCode[], description: string) =>
  Type.Object(
    {
      type: Type.String({ description: 'urn:shortlist:error: and the code.' }),
      title: Type.String(),
      status: Type.Integer(),
      detail: Type.String({ description: 'What is wrong here and what to do.' }),
      code: literals(codes, ''),
      request_id: Type.String(),
      field: Type.Optional(Type.String({ description: 'JSON pointer to the field at fault.' })),
    },
    { description, additionalProperties: true },
  );

/** The error responses of a route: one for each status that the codes have. */
export function problemResponses(codes: readonly ErrorCode[]): Record<string, unknown> {
  const responses: Record<string, unknown> = {};
  for (const status of new Set(codes.map((code) => ERRORS[code].status))) {
    const own = codes.filter((code) => ERRORS[code].status === status);
    const description = own.map((code) => `\`${code}\`: ${ERRORS[code].title}.`).join(' ');
    responses[status] = {
      description,
      content: { 'application/problem+json': { schema: ProblemSchema(own, description) } },
    };
  }
  return responses;
}

function literals(values: readonly string[], description: string): TSchema {
  return Type.Unsafe<string>({ type: 'string', enum: [...values], ...(description === '' ? {} : { description }) });
}
