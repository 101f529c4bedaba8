/** The search request and its answer as JSON Schema. */
import { MAX_BATCH, MAX_K, MAX_SEEDS } from '../base/limits.js';
import { SEARCH_PATHS, SHORT_REASONS } from './answers.js';
import { ExplainSchema } from './explain-schema.js';
import {
  AttributesSchema,
  Base64Schema,
  IdSchema,
  PROBLEM_MEMBERS,
  VectorSchema,
  stringEnum,
  named,
} from './schemas.js';
import { Type } from './schema-type.js';
import { QUERY_FIELDS, SEARCH_TERM_NAMES, SEARCH_TERMS } from './search-terms.js';
import { termSchema } from './term-schema.js';

const ANSWER_EXAMPLES = [
  {
    index: 'listings',
    version: '20261123T041500Z-3f9c2a1b',
    took_ms: 0.21,
    candidates: [{ id: '123', score: 0.93, attributes: { title: 'walnut bowl' } }],
    quality: { path: 'graph', ef: 200, selectivity: 1, shards: { total: 1, answered: 1 }, short: null },
  },
];

/** Exactly one of these members is required, which their own schemas cannot express. */
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
          description: 'Default 1. A score s of the seed counts as s x weight, or as s / weight if s is below 0.',
        }),
      ),
      quota: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: MAX_K,
          description: 'Maximum number of candidates from this seed; default: no limit.',
        }),
      ),
    },
    {
      additionalProperties: false,
      description: 'Exactly one of id, vector, vector_b64. Items used as seeds are not returned.',
      ...exactlyOne(['id', 'vector', 'vector_b64']),
    },
  ),
);

const TERM_SCHEMAS = Object.fromEntries(
  SEARCH_TERM_NAMES.map((name) => [name, Type.Optional(termSchema(name, SEARCH_TERMS[name]))]),
);

export const SearchBodySchema = named(
  'SearchRequest',
  Type.Object(
    {
      vector: Type.Optional(VectorSchema),
      vector_b64: Type.Optional(Base64Schema),
      id: Type.Optional(
        Type.Union([Type.String(), Type.Integer()], {
          description: 'Searches with the vector of this item. The item itself is not returned.',
        }),
      ),
      vectors: Type.Optional(
        Type.Array(VectorSchema, {
          maxItems: MAX_BATCH,
          description: 'A batch, answered in `results`. If one query is invalid, only its own result is an error.',
        }),
      ),
      vectors_b64: Type.Optional(
        Type.Union([Base64Schema, Type.Array(Base64Schema, { maxItems: MAX_BATCH })], {
          description: 'A batch: one base64 text of all vectors end to end, or a list with one text per vector.',
        }),
      ),
      ids: Type.Optional(Type.Array(IdSchema, { maxItems: MAX_BATCH, description: 'A batch.' })),
      seeds: Type.Optional(
        Type.Array(SeedSchema, {
          minItems: 1,
          maxItems: MAX_SEEDS,
          description:
            'Several queries with one joint answer in `candidates`. The score of a candidate is its best score over all seeds; `seed` says which seed that is.',
        }),
      ),
      ...TERM_SCHEMAS,
    },
    {
      additionalProperties: false,
      description:
        'Exactly one of vector, vector_b64, id, vectors, vectors_b64, ids, seeds is required. null means that the field was left out.',
      ...exactlyOne(QUERY_FIELDS),
    },
  ),
);
const QualitySchema = named(
  'Quality',
  Type.Object({
    path: stringEnum(SEARCH_PATHS, 'How the answer was found.'),
    ef: Type.Union([Type.Integer(), Type.Null()], { description: 'The ef used; null on the exact path.' }),
    selectivity: Type.Number({
      description:
        'Share of the rows that pass the filter. 1 without a filter; 0 if time ran out before it was applied.',
    }),
    shards: Type.Object({ total: Type.Integer(), answered: Type.Integer() }),
    short: Type.Union([stringEnum(SHORT_REASONS, ''), Type.Null()], {
      description:
        'Why fewer than k candidates were found; null if k were. `filter` includes exclusions, `crowding` the quotas of seeds.',
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
    seed: Type.Optional(
      Type.Integer({ description: 'Position of the seed that found it; only in searches with seeds.' }),
    ),
    seed_score: Type.Optional(Type.Number({ description: 'The score by that seed, before weighting.' })),
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
  took_ms: Type.Number({ description: 'Milliseconds from the last byte of the body to the answer.' }),
};
const FailedQuery = named(
  'FailedQuery',
  Type.Object(
    { error: named('QueryError', Type.Object(PROBLEM_MEMBERS)) },
    { description: 'The error of one query of a batch.' },
  ),
);
const QueryAnswer = named(
  'QueryAnswer',
  Type.Object(AnswerFields, { description: 'The answer to one query of a batch.' }),
);

export const SearchAnswerSchema = Type.Union(
  [
    named('SearchAnswer', Type.Object({ ...AnswerHead, ...AnswerFields }, { description: 'The answer to one query.' })),
    named(
      'BatchAnswer',
      Type.Object(
        {
          ...AnswerHead,
          results: Type.Array(Type.Union([QueryAnswer, FailedQuery]), { description: 'In query order.' }),
        },
        { description: 'The answers to a batch.' },
      ),
    ),
  ],
  {
    description: 'The candidates, and the quality of the answer.',
    examples: ANSWER_EXAMPLES,
  },
);
