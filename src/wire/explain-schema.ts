/** What `explain` says of an answer, as JSON Schema. A test holds it to what answers have. */
import { stringEnum, named } from './schemas.js';
import { Type } from './schema-type.js';
import { FILTERED_PLANS, SHARD_PLANS } from './shard-plans.js';

const Microseconds = Type.Number({ description: 'In microseconds.' });

const ShardSchema = named(
  'ExplainedShard',
  Type.Object({
    shard: Type.Integer(),
    seed: Type.Optional(Type.Integer({ description: 'Position of the seed that was searched for.' })),
    plan: stringEnum(SHARD_PLANS, 'How the shard was searched.'),
    k: Type.Integer({ description: 'What was asked of the shard.' }),
    ef: Type.Integer(),
    visited: Type.Integer({ description: 'Nodes of the graph that were expanded.' }),
    computed: Type.Integer({ description: 'Distances that were computed.' }),
    near_share: Type.Number({ description: 'Share of the rows near the query that may come back.' }),
    costs: Type.Object(Object.fromEntries(FILTERED_PLANS.map((plan) => [plan, Type.Number()])), {
      description: 'What each way was estimated to cost, in distances; zeros where there was nothing to choose.',
    }),
    rows_passed: Type.Integer({ description: 'Rows that may come back: they pass the filter and are not excluded.' }),
    returned: Type.Integer(),
    took_us: Microseconds,
  }),
);

const FilterSchema = named(
  'ExplainedFilter',
  Type.Object({
    selectivity: Type.Number(),
    passed: Type.Integer({ description: 'Rows of the version that pass.' }),
    took_us: Microseconds,
    cached: Type.Boolean({ description: 'Its rows were known from an earlier search.' }),
  }),
);

const RejectionSchema = named(
  'Rejection',
  Type.Object({
    path: Type.String({ description: 'JSON pointer to the part of the filter.' }),
    operator: Type.String(),
    attribute: Type.Union([Type.String(), Type.Null()]),
    value: Type.Optional(Type.Unknown({ description: 'What the item has.' })),
  }),
);

const REASONS = ['unknown_id', 'excluded', 'filter', 'min_score', 'crowding', 'rank', 'timeout', 'graph'];

const WhyNotSchema = named(
  'WhyNot',
  Type.Object({
    id: Type.String(),
    found: Type.Boolean({ description: 'It is among the candidates.' }),
    reason: Type.Union([
      stringEnum(
        REASONS,
        '`graph`: the exact answer has it, the walk missed it. `timeout`: time ran out before that was known.',
      ),
      Type.Null(),
    ]),
    score: Type.Optional(Type.Number()),
    rank: Type.Optional(
      Type.Integer({ description: 'Exact position, from 1, among all rows; absent where time ran out.' }),
    ),
    rank_allowed: Type.Optional(Type.Integer({ description: 'The same among the rows that may come back.' })),
    removed_by: Type.Optional(
      Type.Union([Type.Array(RejectionSchema), Type.Null()], {
        description: 'The parts of the filter that it does not pass.',
      }),
    ),
    excluded: Type.Optional(Type.Boolean()),
    shard: Type.Optional(Type.Integer()),
    reached: Type.Optional(Type.Boolean({ description: 'A walk of the graph towards the item itself finds it.' })),
    crowded_by: Type.Optional(Type.Unknown({ description: 'What it has of the attribute of the crowding.' })),
  }),
);

export const ExplainSchema = named(
  'Explain',
  Type.Object(
    {
      shards: Type.Array(ShardSchema, { description: 'One for each search of a shard, in their order.' }),
      filter: Type.Union([FilterSchema, Type.Null()], { description: 'Null without a filter.' }),
      ef: Type.Union([Type.Integer(), Type.Null()]),
      stages: Type.Object({ filter_us: Microseconds, search_us: Microseconds, merge_us: Microseconds }),
      why_not: Type.Optional(Type.Array(WhyNotSchema, { description: 'In the order of the request.' })),
    },
    { description: 'How the answer was found.' },
  ),
);
