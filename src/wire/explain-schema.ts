/** `explain` in an answer, as JSON Schema. A test compares it with real answers. */
import { WHY_NOT_REASONS } from './answers.js';
import { stringEnum, named } from './schemas.js';
import { Type } from './schema-type.js';
import { FILTERED_PLANS, SHARD_PLANS } from './shard-plans.js';

const Microseconds = Type.Number({ description: 'In microseconds.' });

const ShardSchema = named(
  'ExplainedShard',
  Type.Object({
    shard: Type.Integer(),
    seed: Type.Optional(Type.Integer({ description: 'Position of the seed searched for.' })),
    plan: stringEnum(SHARD_PLANS, 'How the shard was searched.'),
    k: Type.Integer({ description: 'Candidates requested from the shard.' }),
    ef: Type.Integer(),
    visited: Type.Integer({ description: 'Graph nodes expanded.' }),
    computed: Type.Integer({ description: 'Distances computed.' }),
    near_share: Type.Number({ description: 'Share of the rows near the query that may be returned.' }),
    costs: Type.Object(Object.fromEntries(FILTERED_PLANS.map((plan) => [plan, Type.Number()])), {
      description: 'Estimated cost of each plan, in distances; zeros if there was no choice.',
    }),
    rows_passed: Type.Integer({ description: 'Rows that may be returned: they pass the filter and are not excluded.' }),
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
    cached: Type.Boolean({ description: 'The passing rows were known from an earlier search.' }),
  }),
);

const RejectionSchema = named(
  'Rejection',
  Type.Object({
    path: Type.String({ description: 'JSON pointer to the part of the filter.' }),
    operator: Type.String(),
    attribute: Type.Union([Type.String(), Type.Null()]),
    value: Type.Optional(Type.Unknown({ description: "The item's value." })),
  }),
);

const WhyNotSchema = named(
  'WhyNot',
  Type.Object({
    id: Type.String(),
    found: Type.Boolean({ description: 'It is among the candidates.' }),
    reason: Type.Union([
      stringEnum(
        WHY_NOT_REASONS,
        'Null if it was found. `graph`: the exact answer has it, but the graph search missed it. `timeout`: time ran out before the reason was known.',
      ),
      Type.Null(),
    ]),
    score: Type.Optional(Type.Number()),
    rank: Type.Optional(
      Type.Integer({ description: 'Exact position among all rows, from 1; absent if time ran out.' }),
    ),
    rank_allowed: Type.Optional(Type.Integer({ description: 'Exact position among the rows that may be returned.' })),
    removed_by: Type.Optional(
      Type.Union([Type.Array(RejectionSchema), Type.Null()], {
        description: 'Parts of the filter that it fails; null if it passes.',
      }),
    ),
    excluded: Type.Optional(Type.Boolean()),
    shard: Type.Optional(Type.Integer()),
    reached: Type.Optional(Type.Boolean({ description: 'A graph search for the item itself finds it.' })),
    crowded_by: Type.Optional(Type.Unknown({ description: 'Its value of the crowding attribute.' })),
  }),
);

export const ExplainSchema = named(
  'Explain',
  Type.Object(
    {
      shards: Type.Array(ShardSchema, { description: 'One per search of a shard, in order.' }),
      filter: Type.Union([FilterSchema, Type.Null()], { description: 'Null without a filter.' }),
      ef: Type.Union([Type.Integer(), Type.Null()]),
      stages: Type.Object({ filter_us: Microseconds, search_us: Microseconds, merge_us: Microseconds }),
      why_not: Type.Optional(Type.Array(WhyNotSchema, { description: 'In the order of the request.' })),
    },
    { description: 'How the answer was found.' },
  ),
);
