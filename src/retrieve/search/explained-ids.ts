/**
 * The ids to explain (`why_not`), with what is known before the search. The filter checks all of them together, in
 * slices.
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
  readonly item: ExplainedItem | null;
}

export interface ExplainedItem {
  readonly ordinal: number;
  readonly shard: number;
  readonly row: number;
  readonly excluded: boolean;
  /** The parts of the filter that remove it; null if it passes. */
  readonly removedBy: readonly Rejection[] | null;
  /** Its value of the crowding attribute; undefined without crowding. */
  readonly value: JsonValue | undefined;
}

/** @param filter null if there is none, or no time to evaluate it @throws bad_field for too many ids */
export function* findExplainedIds(
  version: LoadedVersion,
  options: SearchOptions,
  filter: FilterPlan | null,
): Work<ExplainedId[]> {
  const ids = options.whyNot ?? [];
  if (ids.length > MAX_WHY_NOT) {
    const message = `why_not has ${ids.length} ids; give at most ${MAX_WHY_NOT}`;
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
