/**
 * Limits how many candidates have the same value of an attribute. Items without a value are not limited: two unknown
 * values need not be the same.
 */
import { ShortlistError } from '../../base/errors.js';
import { MAX_K } from '../../base/limits.js';
import { didYouMean } from '../../base/nearest-name.js';
import type { JsonValue } from '../../arrow/column-value.js';
import { parseFilterInSlices } from '../filter/parse-filter.js';
import type { Work } from '../../base/work.js';
import type { LoadedVersion } from '../load/loaded-version.js';
import type { PassingRows } from './allowed-rows.js';
import { checkRange, type CrowdingOptions } from './search-options.js';

export interface Crowding {
  readonly limit: number;
  valueOf(ordinal: number): JsonValue;
}

/** Crowding by the attributes of this process. */
export interface LocalCrowding extends Crowding {
  /** By shard, the rows that have one of these values; must not be changed. Null if no filter can express them. */
  rowsOf(values: readonly JsonValue[]): Work<readonly PassingRows[] | null>;
}

/** @throws unknown_attribute; bad_field for a list attribute or a limit that is not a whole number */
export function planCrowding(version: LoadedVersion, { attribute, limit }: CrowdingOptions): LocalCrowding {
  const fields = version.attributes?.fields ?? [];
  checkCrowding(
    fields.map(({ name, type }) => ({ name, isList: type.kind === 'list' })),
    { attribute, limit },
  );
  const column = version.attributes!.column(attribute);
  return {
    limit,
    valueOf: (ordinal) => column.value(ordinal),
    rowsOf: (values) => rowsOf(version, attribute, values),
  };
}

interface Crowdable {
  readonly name: string;
  readonly isList: boolean;
}

/** @param attributes of the version @throws as `planCrowding` */
export function checkCrowding(attributes: readonly Crowdable[], { attribute, limit }: CrowdingOptions): void {
  checkRange('bad_field', 'crowding.limit', limit, MAX_K);
  const field = 'crowding.attribute';
  const found = attributes.find(({ name }) => name === attribute);
  if (found === undefined) {
    const message = `crowding: the index has no attribute ${JSON.stringify(attribute.slice(0, 64))}${didYouMean(
      attribute,
      attributes.map(({ name }) => name),
    )}`;
    throw new ShortlistError('unknown_attribute', message, { field, attribute: attribute.slice(0, 64) });
  }
  if (found.isList) {
    const message = `crowding: ${attribute} is a list; name an attribute that has one value per item`;
    throw new ShortlistError('bad_field', message, { field, attribute });
  }
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
    // Too many values, or a value that is too long for a filter.
    if (error instanceof ShortlistError && error.code === 'bad_filter') return null;
    throw error;
  }
}

/** Counts the items added for each value. */
export class CrowdCount {
  private readonly counts = new Map<JsonValue, number>();

  constructor(private readonly crowding: Crowding) {}

  /** Counts the item and returns true, unless its value's limit is used up. */
  tryAdd(ordinal: number): boolean {
    const value = this.crowding.valueOf(ordinal);
    if (value === null) return true;
    const before = this.counts.get(value) ?? 0;
    if (before >= this.crowding.limit) return false;
    this.counts.set(value, before + 1);
    return true;
  }

  /** Values whose limit is used up. */
  get full(): JsonValue[] {
    return [...this.counts].flatMap(([value, count]) => (count >= this.crowding.limit ? [value] : []));
  }
}
