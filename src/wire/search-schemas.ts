/** What a search asks and answers, as JSON Schema. A type ties each field of the body to its reader in request/. */
import type { Static } from 'typebox';
import {
  DEFAULT_K,
  MAX_BATCH,
  MAX_EF,
  MAX_EXCLUDE_IDS,
  MAX_INCLUDE_ATTRIBUTES,
  MAX_K,
  MAX_SEEDS,
  MAX_WHY_NOT,
} from '../base/limits.js';
import { ExplainSchema } from './explain-schema.js';
import { AttributesSchema, Base64Schema, IdSchema, PROBLEM_MEMBERS, VectorSchema, literals, named } from './schemas.js';
import { Type } from './schema-type.js';

const ANSWER_EXAMPLES = [
  {
    index: 'listings',
    version: '20261123T041500Z-3f9c2a1b',
    took_ms: 0.21,
    candidates: [{ id: '123', score: 0.93, attributes: { title: 'walnut bowl' } }],
    quality: { path: 'graph', ef: 200, selectivity: 1, shards: { total: 1, answered: 1 }, short: null },
  },
];

/** One of these, which a schema of members alone cannot say. */
const exactlyOne = (names: readonly string[]) => ({ oneOf: names.map((name) => ({ required: [name] })) });

const SeedSchema = named(
  'Seed',
  Type.Object(
    {
      id: Type.Optional(IdSchema),
      vector: Type.Optional(VectorSchema),
      vector_b64: Type.Optional(Base64Schema),
      weight: Type.Optional(
        Type.Number({
          exclusiveMinimum: 0,
          description: 'Default 1. A score s of the seed counts as s x weight, and as s / weight where s is below 0.',
        }),
      ),
      quota: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: MAX_K,
          description: 'Most candidates that the seed may bring; default as many as there are.',
        }),
      ),
    },
    {
      additionalProperties: false,
      description: 'One of id, vector, vector_b64. Items that are seeds do not come back.',
      ...exactlyOne(['id', 'vector', 'vector_b64']),
    },
  ),
);

const CrowdingSchema = named(
  'Crowding',
  Type.Object(
    {
      attribute: Type.String(),
      limit: Type.Integer({ minimum: 1, maximum: MAX_K, description: 'Most candidates of one value.' }),
    },
    {
      additionalProperties: false,
      description: 'Keeps the best few of each value of an attribute. Items without a value are not limited.',
    },
  ),
);

const IncludeSchema = named(
  'Include',
  Type.Object(
    {
      attributes: Type.Optional(
        Type.Union([Type.Array(Type.String(), { maxItems: MAX_INCLUDE_ATTRIBUTES }), Type.Boolean()], {
          description: 'Names of attributes to return with each candidate; true for all.',
        }),
      ),
      vectors: Type.Optional(Type.Boolean({ description: "Return each candidate's vector; default false." })),
    },
    { additionalProperties: false, description: 'What each candidate carries beside id and score.' },
  ),
);

export const SearchBodySchema = named(
  'SearchRequest',
  Type.Object(
    {
      vector: Type.Optional(VectorSchema),
      vector_b64: Type.Optional(Base64Schema),
      id: Type.Optional(
        Type.Union([Type.String(), Type.Integer()], {
          description: 'Searches by the vector of an item, which is left out of the answer.',
        }),
      ),
      vectors: Type.Optional(
        Type.Array(VectorSchema, {
          maxItems: MAX_BATCH,
          description:
            'A batch, answered in `results`: what is wrong with one of its queries is the result of that query alone.',
        }),
      ),
      vectors_b64: Type.Optional(
        Type.Union([Base64Schema, Type.Array(Base64Schema, { maxItems: MAX_BATCH })], {
          description: 'A batch: base64 of all vectors end to end, or a list with one text each.',
        }),
      ),
      ids: Type.Optional(Type.Array(IdSchema, { maxItems: MAX_BATCH, description: 'A batch.' })),
      seeds: Type.Optional(
        Type.Array(SeedSchema, {
          minItems: 1,
          maxItems: MAX_SEEDS,
          description:
            'Several queries with one answer, in `candidates`: each has the best of its scores over the seeds, and says which seed brought it.',
        }),
      ),
      k: Type.Optional(
        Type.Integer({ minimum: 1, maximum: MAX_K, description: `Candidates to return; default ${DEFAULT_K}.` }),
      ),
      ef: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: MAX_EF,
          description:
            'Size of the candidate list: larger finds more and costs more. Raised to k. Default: as calibrated, else max(200, 2k).',
        }),
      ),
      target_recall: Type.Optional(
        Type.Number({
          exclusiveMinimum: 0,
          maximum: 1,
          description:
            'Instead of ef: the mean recall to reach, by the calibration of the version. `quality.ef` says what that became.',
        }),
      ),
      exact: Type.Optional(
        Type.Boolean({
          description: 'Scan every vector: the true nearest neighbours, slowly. Excludes ef.',
        }),
      ),
      filter: Type.Optional(
        named(
          'Filter',
          Type.Record(Type.String(), Type.Unknown(), {
            description:
              'What candidates must be, by attribute: `{"category": "jewelry", "price": {"$gte": 10, "$lt": 50}}`. Operators: ' +
              '`$eq $ne $in $nin $gt $gte $lt $lte $exists $contains $containsAny $containsAll`, joined by `$and $or $not`; a bare ' +
              'value means `$eq`, members are joined by and. `id` filters ids by `$eq $ne $in $nin`. Dates are ISO texts, infinite ' +
              'floats the texts `"Infinity"` and `"-Infinity"`; `$contains` is an item of a list or a part of a text. A null passes ' +
              'only `$eq: null`, `$exists: false` and `$not` of what does not pass it.',
          }),
        ),
      ),
      exclude_ids: Type.Optional(
        Type.Array(IdSchema, {
          maxItems: MAX_EXCLUDE_IDS,
          description: 'Ids that must not come back; unknown ones are ignored.',
        }),
      ),
      crowding: Type.Optional(CrowdingSchema),
      include: Type.Optional(IncludeSchema),
      min_score: Type.Optional(
        Type.Number({ description: "Least score that comes back; with seeds, least score by the seed's own measure." }),
      ),
      timeout_ms: Type.Optional(
        Type.Number({
          exclusiveMinimum: 0,
          description:
            "Time for the answer, from the body's last byte on. Afterwards: 504, or with allow_partial what there is.",
        }),
      ),
      allow_partial: Type.Optional(
        Type.Boolean({
          description:
            'When time runs out, answer with what has been found, default false; `quality.short` is `timeout` where it is not all.',
        }),
      ),
      version: Type.Optional(
        Type.String({ description: 'A version or alias that is loaded; default the current version.' }),
      ),
      explain: Type.Optional(
        Type.Boolean({ description: 'Say how each answer was found, and what that took; default false.' }),
      ),
      why_not: Type.Optional(
        Type.Array(IdSchema, {
          maxItems: MAX_WHY_NOT,
          description: 'Ids to say of why they did not come back; it is said in `explain`.',
        }),
      ),
    },
    {
      additionalProperties: false,
      description:
        'A field that is null is as one left out. Exactly one of vector, vector_b64, id, vectors, vectors_b64, ids, seeds.',
      ...exactlyOne(['vector', 'vector_b64', 'id', 'vectors', 'vectors_b64', 'ids', 'seeds']),
    },
  ),
);
export type SearchBody = Static<typeof SearchBodySchema>;

const QualitySchema = named(
  'Quality',
  Type.Object({
    path: literals(['graph', 'filtered-graph', 'exact'], 'How the answer was found.'),
    ef: Type.Union([Type.Integer(), Type.Null()], { description: 'The ef that was used; null on the exact path.' }),
    selectivity: Type.Number({
      description: 'Share of the rows that pass the filter; 1 without one, 0 where time ran out before it was applied.',
    }),
    shards: Type.Object({ total: Type.Integer(), answered: Type.Integer() }),
    short: Type.Union([literals(['corpus', 'filter', 'min_score', 'crowding', 'timeout'], ''), Type.Null()], {
      description:
        'Why fewer than k came back; null when k did. `filter` stands for exclusions, `crowding` for quotas of seeds as well.',
    }),
  }),
);

const CandidateSchema = named(
  'Candidate',
  Type.Object({
    id: Type.String(),
    score: Type.Number({
      description: 'Higher is better: cosine similarity, inner product, or minus the Euclidean distance.',
    }),
    seed: Type.Optional(Type.Integer({ description: 'Position of the seed that brought it; of a search with seeds.' })),
    seed_score: Type.Optional(Type.Number({ description: 'The score by that seed, before its weight.' })),
    attributes: Type.Optional(AttributesSchema),
    vector: Type.Optional(VectorSchema),
  }),
);

const AnswerFields = {
  candidates: Type.Array(CandidateSchema, { description: 'Best first.' }),
  quality: QualitySchema,
  explain: Type.Optional(ExplainSchema),
};
const AnswerHead = {
  index: Type.String(),
  version: Type.String(),
  took_ms: Type.Number({ description: "From the body's last byte to the answer, in milliseconds." }),
};
const FailedQuery = named(
  'FailedQuery',
  Type.Object(
    { error: named('QueryError', Type.Object(PROBLEM_MEMBERS)) },
    { description: 'What is wrong with one query of a batch.' },
  ),
);
const QueryAnswer = named(
  'QueryAnswer',
  Type.Object(AnswerFields, { description: 'The answer of one query of a batch.' }),
);

export const SearchAnswerSchema = Type.Union(
  [
    named('SearchAnswer', Type.Object({ ...AnswerHead, ...AnswerFields }, { description: 'The answer of one query.' })),
    named(
      'BatchAnswer',
      Type.Object(
        {
          ...AnswerHead,
          results: Type.Array(Type.Union([QueryAnswer, FailedQuery]), { description: 'In query order.' }),
        },
        { description: 'The answers of a batch.' },
      ),
    ),
  ],
  {
    description: 'The candidates, with an account of how good the answer is.',
    examples: ANSWER_EXAMPLES,
  },
);
