/**
 * The HTTP interface as JSON Schema, for /openapi.json. Requests are not validated by these: the readers in request/ do
 * that with better messages, and a type ties each field's reader to its schema here.
 */
import { Type, type TSchema } from 'typebox';
import { ERRORS, type ErrorCode } from '../base/errors.js';
import { METRICS } from '../base/metric.js';

export const IdSchema = Type.Union([Type.String(), Type.Integer()], {
  description: 'An id as text. Whole numbers up to 2^53 - 1 are taken for their digits.',
  examples: ['123'],
});
export const VectorSchema = Type.Array(Type.Number(), {
  description: 'As many numbers as the index has dimensions; float32 precision.',
});
export const Base64Schema = Type.String({
  contentEncoding: 'base64',
  description: 'Base64 (standard alphabet, padded) of little-endian float32.',
});

export const AttributesSchema = Type.Record(Type.String(), Type.Unknown(), {
  description: 'Attributes by name, null where the item has none.',
});
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
      Type.Union([Type.Unknown(), Type.Null()], {
        description: 'Measured recall by ef, where it is asked for; null before calibration.',
      }),
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
    vector: Type.Optional(VectorSchema),
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

export function literals(values: readonly string[], description: string): TSchema {
  return Type.Unsafe<string>({ type: 'string', enum: [...values], ...(description === '' ? {} : { description }) });
}
