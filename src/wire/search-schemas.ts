/** What a search asks and answers, as JSON Schema. */
import { MAX_BATCH, MAX_K, MAX_SEEDS } from '../base/limits.js';
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
      ...TERM_SCHEMAS,
    },
    {
      additionalProperties: false,
      description:
        'Exactly one of vector, vector_b64, id, vectors, vectors_b64, ids, seeds. null means that the field was left out.',
      ...exactlyOne(QUERY_FIELDS),
    },
  ),
);
const QualitySchema = named(
  'Quality',
  Type.Object({
    path: stringEnum(['graph', 'filtered-graph', 'exact'], 'How the answer was found.'),
    ef: Type.Union([Type.Integer(), Type.Null()], { description: 'The ef that was used; null on the exact path.' }),
    selectivity: Type.Number({
      description: 'Share of the rows that pass the filter; 1 without one, 0 where time ran out before it was applied.',
    }),
    shards: Type.Object({ total: Type.Integer(), answered: Type.Integer() }),
    short: Type.Union([stringEnum(['corpus', 'filter', 'min_score', 'crowding', 'timeout'], ''), Type.Null()], {
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
