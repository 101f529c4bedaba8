/**
 * The ids that a `why_not` asks about, with what the version knows of them before anything is searched. The filter is
 * asked for all of them together, in slices.
 */
import { ShortlistError } from '../../base/errors.js';
import { MAX_WHY_NOT } from '../../base/limits.js';
import type { JsonValue } from '../../arrow/column-value.js';
import type { FilterPlan } from '../filter/filter-plan.js';
import type { Rejection } from '../../wire/answers.js';
import type { Work } from '../../base/work.js';
import type { LoadedVersion } from '../load/loaded-version.js';
import type { SearchOptions } from './search-options.js';

export interface ExplainedId {
  readonly id: string;
  /** Null where there is no such id. */
  readonly item: ExplainedItem | null;
}

export interface ExplainedItem {
  readonly ordinal: number;
  readonly shard: number;
  readonly row: number;
  /** By `excludeIds`. */
  readonly excluded: boolean;
  /** Null where it passes. */
  readonly removedBy: readonly Rejection[] | null;
  /** Of the crowding's attribute; undefined without crowding. */
  readonly value: JsonValue | undefined;
}

/**
 * @param filter null where there is none, or where there is no time to ask it
 * @throws bad_field for too many
 */
export function* findExplainedIds(
  version: LoadedVersion,
  options: SearchOptions,
  filter: FilterPlan | null,
): Work<ExplainedId[]> {
  const ids = options.whyNot ?? [];
  if (ids.length > MAX_WHY_NOT) {
    const message = `why_not has ${ids.length} ids; at most ${MAX_WHY_NOT} are taken`;
    throw new ShortlistError('bad_field', message, { field: 'why_not', max: MAX_WHY_NOT });
  }
  const excluded = new Set(options.excludeIds?.map((id) => version.ids.find(id)));
  const ordinals = ids.map((id) => version.ordinalOf(id));
  const known = ordinals.filter((ordinal) => ordinal >= 0);
  const rejections = filter === null ? [] : yield* version.filters.explainInSlices(filter, known);
  return ids.map((id, i) => {
    const ordinal = ordinals[i]!;
    if (ordinal < 0) return { id, item: null };
    const removedBy = rejections[known.indexOf(ordinal)] ?? [];
    const { crowding } = options;
    const item = {
      ordinal,
      ...version.locate(ordinal),
      excluded: excluded.has(ordinal),
      removedBy: removedBy.length === 0 ? null : removedBy,
      value: crowding && version.attributes!.value(crowding.attribute, ordinal),
    };
    return { id, item };
  });
}
