/** The fields of a search as JSON Schema: in the body and in the query string. */
import type { TSchema } from 'typebox';
import { IdSchema, named } from './schemas.js';
import { Type } from './schema-type.js';
import type { Term } from './search-terms.js';

const FILTER_TEXT =
  'Conditions on the attributes of candidates: `{"category": "jewelry", "price": {"$gte": 10, "$lt": 50}}`. Operators: ' +
  '`$eq $ne $in $nin $gt $gte $lt $lte $exists $contains $containsAny $containsAll`, combined by `$and $or $not`. A ' +
  'plain value means `$eq`. Members of an object are joined by and. `id` filters ids with `$eq $ne $in $nin`. Dates are ' +
  'ISO texts. Infinite floats are the texts `"Infinity"` and `"-Infinity"`. `$contains` finds an item of a list or a ' +
  'substring of a text. A null passes only `$eq: null`, `$exists: false`, and `$not` of a condition that it fails.';

/** An object is named in /openapi.json after its field. */
export function termSchema(name: string, term: Term): TSchema {
  const description = term.text;
  switch (term.kind) {
    case 'whole':
      return Type.Integer({ minimum: 1, maximum: term.max, description });
    case 'number':
      return Type.Number({ ...boundsOf(term), description });
    case 'boolean':
      return Type.Boolean({ description });
    case 'text':
      return Type.String({ description });
    case 'ids':
      return Type.Array(IdSchema, { maxItems: term.max, description });
    case 'names':
      return Type.Union([Type.Array(Type.String(), { maxItems: term.max }), Type.Boolean()], { description });
    case 'filter':
      return named('Filter', Type.Record(Type.String(), Type.Unknown(), { description: FILTER_TEXT }));
    case 'members': {
      const members = Object.entries(term.members).map(([member, inner]): [string, TSchema] => {
        const schema = termSchema(member, inner);
        return [member, term.required ? schema : Type.Optional(schema)];
      });
      const capital = name[0]!.toUpperCase() + name.slice(1);
      return named(capital, Type.Object(Object.fromEntries(members), { additionalProperties: false, description }));
    }
  }
}

/** The query parameters of a field; each member of an object has its own, such as `include.vectors`. */
export function parameterSchemas(name: string, term: Term): [string, TSchema][] {
  const repeated = { description: `May be repeated. ${term.text}` };
  switch (term.kind) {
    case 'members':
      return Object.entries(term.members).flatMap(([member, inner]) => parameterSchemas(`${name}.${member}`, inner));
    case 'filter':
      return [[name, Type.String({ description: 'The filter as JSON text, percent-encoded.' })]];
    case 'ids':
    case 'names':
      return [[name, Type.Array(Type.String(), { maxItems: term.max, ...repeated })]];
    default:
      return [[name, termSchema(name, term)]];
  }
}

function boundsOf({ above, max }: Extract<Term, { kind: 'number' }>) {
  return {
    ...(above !== undefined && { exclusiveMinimum: above }),
    ...(max !== undefined && { maximum: max }),
  };
}
