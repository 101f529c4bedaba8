/**
 * At most so many candidates of one value of an attribute. Items without a value are not crowded: what is not known
 * of two items does not make them alike.
 */
import { ShortlistError } from '../../base/errors.js';
import { MAX_K } from '../../base/limits.js';
import { didYouMean } from '../../base/nearest-name.js';
import type { JsonValue } from '../../arrow/column-value.js';
import { checkRange } from './check-range.js';
import { parseFilterInSlices } from '../filter/parse-filter.js';
import type { Work } from '../../base/work.js';
import type { LoadedVersion } from '../load/loaded-version.js';
import type { PassingRows } from './allowed-rows.js';
import type { CrowdingOptions } from './search-options.js';

export interface Crowding {
  readonly limit: number;
  valueOf(ordinal: number): JsonValue;
  /** The rows of each shard that have one of these values, not to be changed; null where no filter can say so. */
  rowsOf(values: readonly JsonValue[]): Work<readonly PassingRows[] | null>;
}

/** @throws unknown_attribute; bad_field for a list or another limit than a whole number */
export function planCrowding(version: LoadedVersion, { attribute, limit }: CrowdingOptions): Crowding {
  checkRange('bad_field', 'crowding.limit', limit, MAX_K);
  const field = 'crowding.attribute';
  const type = version.attributes?.fields.find(({ name }) => name === attribute)?.type;
  if (type === undefined) {
    const message = `crowding: the index has no attribute ${JSON.stringify(attribute.slice(0, 64))}${didYouMean(attribute, version.attributes?.names ?? [])}`;
    throw new ShortlistError('unknown_attribute', message, { field, attribute: attribute.slice(0, 64) });
  }
  if (type.kind === 'list') {
    const message = `crowding: ${attribute} is a list; take an attribute that has one value an item`;
    throw new ShortlistError('bad_field', message, { field, attribute });
  }
  const column = version.attributes!.column(attribute);
  return {
    limit,
    valueOf: (ordinal) => column.value(ordinal),
    rowsOf: (values) => rowsOf(version, attribute, values),
  };
}

function* rowsOf(
  { filters }: LoadedVersion,
  attribute: string,
  values: readonly JsonValue[],
): Work<PassingRows[] | null> {
  try {
    const filter = yield* parseFilterInSlices({ [attribute]: { $in: values } }, filters.schema);
    const { shards } = yield* filters.selectInSlices(filter);
    return shards.map(({ rows, count }) => ({ words: rows.words, count }));
  } catch (error) {
    // Too many values, or one too long for a literal.
    if (error instanceof ShortlistError && error.code === 'bad_filter') return null;
    throw error;
  }
}

/** Counts what has been taken of each value. */
export class CrowdCount {
  private readonly taken = new Map<JsonValue, number>();

  constructor(private readonly crowding: Crowding) {}

  /** Takes the item if there is room for one more of its value. */
  tryAdd(ordinal: number): boolean {
    const value = this.crowding.valueOf(ordinal);
    if (value === null) return true;
    const before = this.taken.get(value) ?? 0;
    if (before >= this.crowding.limit) return false;
    this.taken.set(value, before + 1);
    return true;
  }

  /** The values that have no room left. */
  get full(): JsonValue[] {
    return [...this.taken].flatMap(([value, count]) => (count >= this.crowding.limit ? [value] : []));
  }
}
