/**
 * The HTTP interface as JSON Schema, for /openapi.json. Requests are validated by the readers in serve/request/, whose
 * messages are better. A type ties each field's reader to its schema here.
 */
import type { TSchema } from 'typebox';
import { ERRORS, type ErrorCode } from '../base/errors.js';
import { METRICS } from '../base/metric.js';
import { Type } from './schema-type.js';

/** Marks a schema that gets a name in /openapi.json (openapi.ts) and so one type in generated clients. */
export function named<Schema extends TSchema>(name: string, schema: Schema): Schema {
  return { ...schema, [COMPONENT]: name };
}
export const COMPONENT = 'x-component';

export const IdSchema = Type.Union([Type.String(), Type.Integer()], {
  description: 'An id as text. An integer up to 2^53 - 1 stands for its digits.',
  examples: ['123'],
});
export const VectorSchema = named(
  'Vector',
  Type.Array(Type.Number(), { description: 'One number per dimension of the index, in float32 precision.' }),
);
export const Base64Schema = Type.String({
  contentEncoding: 'base64',
  description: 'Base64 (standard alphabet, padded) of little-endian float32.',
});

export const AttributesSchema = named(
  'Attributes',
  Type.Record(Type.String(), Type.Unknown(), { description: 'Attribute values by name; null if the item has none.' }),
);
const AttributeSchema = named('Attribute', Type.Object({ name: Type.String(), type: Type.String() }));
const FaultSchema = named(
  'Fault',
  Type.Object(
    { version: Type.Union([Type.String(), Type.Null()]), code: Type.String() },
    {
      description:
        'Why the published version does not answer: the error code, and the version or null if even its name cannot be read. ' +
        'Absent if nothing is wrong.',
    },
  ),
);
export const IndexSchema = named(
  'Index',
  Type.Object(
    {
      index: Type.String(),
      version: Type.Union([Type.String(), Type.Null()], {
        description: 'The version that answers; null if none is published and loaded.',
      }),
      fault: Type.Optional(FaultSchema),
      created_at: Type.Optional(Type.String({ format: 'date-time' })),
      age_seconds: Type.Optional(Type.Number({ description: 'Seconds since the current version was built.' })),
      vectors: Type.Optional(Type.Integer()),
      dim: Type.Optional(Type.Integer()),
      metric: Type.Optional(stringEnum(METRICS, '')),
      shards: Type.Optional(Type.Integer()),
      engine: Type.Optional(Type.String()),
      attributes: Type.Optional(Type.Array(AttributeSchema)),
      calibration: Type.Optional(
        Type.Unknown({ description: 'Measured recall by ef, if requested; null before calibration.' }),
      ),
      aliases: Type.Record(Type.String(), Type.String(), { description: 'Version by alias.' }),
      loaded: Type.Array(Type.String(), { description: 'Versions that can be pinned.' }),
    },
    { description: 'An index and its current version.' },
  ),
);
export const IndexListSchema = named('IndexList', Type.Object({ indexes: Type.Array(IndexSchema) }));

export const ItemSchema = named(
  'Item',
  Type.Object(
    {
      index: Type.String(),
      version: Type.String(),
      id: Type.String(),
      attributes: AttributesSchema,
      vector: Type.Optional(VectorSchema),
    },
    { description: 'One item.' },
  ),
);

const LiveIndexSchema = named(
  'LiveIndex',
  Type.Object({
    index: Type.String(),
    version: Type.Union([Type.String(), Type.Null()]),
    fault: Type.Optional(FaultSchema),
  }),
);
export const StatusSchema = named(
  'Status',
  Type.Object({ status: Type.String(), indexes: Type.Optional(Type.Array(LiveIndexSchema)) }),
);

/** Members that a problem and the error of one query of a batch have in common. */
export const PROBLEM_MEMBERS = {
  type: Type.String({ description: '`urn:shortlist:error:` followed by the code.' }),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String({ description: 'What is wrong and what to do.' }),
  // No enum: generated clients would reject the codes of newer servers.
  code: Type.String({
    description: 'The error code, for programs. The responses of each route list its codes.',
    examples: ['bad_field'],
  }),
  field: Type.Optional(Type.String({ description: 'JSON pointer to the invalid field.' })),
};

const ProblemSchema = named(
  'Problem',
  Type.Object(
    { ...PROBLEM_MEMBERS, request_id: Type.String() },
    { description: 'Problem details (RFC 9457).', additionalProperties: true },
  ),
);

const CODES_OF_ALL_ROUTES: readonly ErrorCode[] = ['malformed_http', 'headers_too_large'];

/** The error responses of a route, one per status. Each description lists the codes of that status. */
export function problemResponses(codes: readonly ErrorCode[]): Record<string, unknown> {
  const all = [...new Set([...codes, ...CODES_OF_ALL_ROUTES])];
  const responses: Record<string, unknown> = {};
  for (const status of new Set(all.map((code) => ERRORS[code].status))) {
    const same = all.filter((code) => ERRORS[code].status === status);
    const description = same.map((code) => `\`${code}\`: ${ERRORS[code].title}.`).join(' ');
    responses[status] = { description, content: { 'application/problem+json': { schema: ProblemSchema } } };
  }
  return responses;
}

export function stringEnum(values: readonly string[], description: string): TSchema {
  return Type.Unsafe<string>({ type: 'string', enum: [...values], ...(description === '' ? {} : { description }) });
}
