/**
 * Examples for /openapi.json, made from the data of an index: its ids, attributes and values, and a vector of its
 * dimension. Every example can be tried; a test does so.
 */
import type { ColumnType } from '../../../arrow/column.js';
import type { JsonValue } from '../../../arrow/column-value.js';
import type { LoadedVersion } from '../../../retrieve/load/loaded-version.js';

interface Example {
  readonly summary: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/** Bodies of searches that one index answers. */
export interface IndexExamples {
  readonly index: string;
  /** A description of the index. */
  readonly summary: string;
  /** Id of an item. */
  readonly id: string;
  readonly bodies: Readonly<Record<string, Example>>;
}

/** Indexes with examples: more would make the document unreadable. */
export const MAX_EXAMPLE_INDEXES = 10;

/** @returns null for an index without rows */
export function exampleSearches(version: LoadedVersion): IndexExamples | null {
  const { index, dim, metric } = version.manifest;
  const { count } = version;
  if (count === 0) return null;
  const id = version.ids.text(0);
  const other = version.ids.text(Math.min(1, count - 1));
  const vector = Array.from({ length: dim }, (_, i) => ((i % 7) - 3) / 10);
  const bodies: Record<string, Example> = {
    item: {
      summary: 'Items similar to a given item, excluding items already seen',
      value: { id, k: 3, exclude_ids: [other] },
    },
    vector: { summary: 'Items nearest to a vector', value: { vector, k: 3 } },
    base64: {
      summary: 'The same vector as base64 of little-endian float32, at a third of the cost',
      value: { vector_b64: Buffer.from(Float32Array.from(vector).buffer).toString('base64'), k: 3 },
    },
    ...attributeExamples(version, id, other),
    seeds: {
      summary: 'Recent purchases of a user as seeds, the newest first',
      value: { seeds: [{ id, weight: 1, quota: 4 }, { id: other, weight: 0.8 }], k: 5 },
    },
    batch: {
      summary: 'A batch of items; an unknown id fails alone',
      value: { ids: [id, other, 'no-such-id'], k: 2 },
    },
    exact: { summary: 'Exact search: a scan of every vector', value: { id, k: 3, exact: true } },
    deadline: {
      summary: 'What can be found within 50 ms',
      value: { id, k: 3, timeout_ms: 50, allow_partial: true },
    },
    explain: {
      summary: 'How the answer was found, and why an item is not part of it',
      value: { id, k: 3, min_score: -1e9, explain: true, why_not: [other] },
    },
  }; // prettier-ignore
  if (version.calibration().calibration !== null) {
    bodies['recall'] = {
      summary: 'The smallest ef that reaches a recall of 0.5',
      value: { id, k: 10, target_recall: 0.5 },
    };
  }
  return { index, summary: `${count.toLocaleString('en')} vectors of ${dim}, ${metric}`, id, bodies };
}

/** Examples of filter, crowding and `include`; none for an index without attributes. */
function attributeExamples(version: LoadedVersion, id: string, other: string): Record<string, Example> {
  const columns = version.manifest.attributes.map(({ name }) => version.attributes!.column(name));
  if (columns.length === 0) return {};
  // The filter matches the values of the second item, so at least that one passes.
  const ordinal = Math.min(1, version.count - 1);
  const named = columns.slice(0, 2);
  const filter = Object.fromEntries(
    named.map((column) => [column.field.name, conditionOn(column.field.type, column.value(ordinal))]),
  );
  const single = columns.find(({ field }) => field.type.kind !== 'list');
  const include = { attributes: named.map(({ field }) => field.name) };
  return {
    filter: {
      summary: 'Only items that meet the conditions, with their attributes',
      value: { id, k: 3, filter, include },
    },
    ...(single === undefined
      ? {}
      : {
          crowding: {
            summary: `At most one item per ${single.field.name}`,
            value: { id: other, k: 3, crowding: { attribute: single.field.name, limit: 1 } },
          },
        }),
  };
}

/** A condition that the value meets. */
function conditionOn(type: ColumnType, value: JsonValue): unknown {
  if (value === null) return null;
  if (Array.isArray(value)) return typeof value[0] === 'string' ? { $contains: value[0] } : { $exists: true };
  if (typeof value === 'string') return { $in: [value] };
  return typeof value === 'number' && (type.kind === 'int' || type.kind === 'float') ? { $gte: value } : value;
}

/** All examples of the first index, and one search of each other index, by name. */
export function publicExamples(indexes: readonly IndexExamples[]): Record<string, Example> {
  const [first, ...others] = indexes;
  const more = others.map(({ index, bodies }): [string, Example] => [
    `item-of-${index}`,
    { summary: `Index ${index}: items similar to a given item`, value: bodies['item']!.value },
  ]);
  return { ...first?.bodies, ...Object.fromEntries(more) };
}
