/**
 * From what a request asks for to what is done. Takes a version and options; gives a plan, in which the filter is a
 * set of rows, ids are rows, and ef is a number. Planning needs ids and attributes; running a plan does not, so that
 * any thread with the shards can. A filter may take long, so planning is work in slices (base/work.ts);
 * `planSearch` does it at once.
 */
import { Bitset } from '../../base/bitset.js';
import { ShortlistError } from '../../base/errors.js';
import { MAX_EXCLUDE_IDS, MAX_K } from '../../base/limits.js';
import type { ShardPlan } from '../../wire/shard-plans.js';
import type { FilterExplain } from '../../wire/answers.js';
import { checkRange } from './check-range.js';
import { chooseEf } from './choose-ef.js';
import { planCrowding, type Crowding } from './crowding.js';
import { parsingFilter } from '../filter/parse-filter.js';
import type { FilterPlan } from '../filter/filter-plan.js';
import { runSync, type Work } from '../../base/work.js';
import type { LoadedVersion } from '../load/loaded-version.js';
import { hasRow, mayReturn, type AllowedRows, type PassingRows } from './allowed-rows.js';
import type { SearchOptions } from './search-options.js';
import { findingSuspects, type Suspect } from './suspects.js';

export interface SearchPlan extends AllowedRows {
  readonly k: number;
  /** How far a walk goes; below k where the calibration found that to be enough. */
  readonly ef: number;
  readonly exact: boolean;
  readonly minScore: number;
  /** Rows that could come back if nothing but the query itself were left out. */
  readonly available: number;
  readonly filter: FilterExplain | null;
  /** What holds a function: it stays on the thread that has the attributes. */
  readonly crowding: Crowding | null;
  /** The way to take under a filter. */
  readonly way: ShardPlan | undefined;
  readonly explain: boolean;
  /** Null where nobody asks. */
  readonly suspects: readonly Suspect[] | null;
}

/**
 * The plan of all queries of a request: filters and lists of excluded ids take longer than many searches.
 * @throws k_out_of_range, bad_filter with the clause's path below `/filter`, filter_too_costly, bad_field,
 * unknown_attribute, and as `chooseEf`
 */
export function planSearch(version: LoadedVersion, options: SearchOptions): SearchPlan {
  return runSync(planning(version, options));
}

/** As `planSearch`, in slices. */
export function* planning(version: LoadedVersion, options: SearchOptions): Work<SearchPlan> {
  const { filter: json, whyNot } = options;
  const filter = json === undefined ? null : yield* parsingFilter(json, version.filters.schema, '/filter');
  const suspects = whyNot === undefined ? null : yield* findingSuspects(version, options, filter);
  return planWith(version, options, yield* selectRows(version, filter), suspects);
}

/**
 * The plan of a request whose time ran out while it was planned: nothing is known to pass its filter.
 * @throws as `planSearch`, but for what is wrong with the filter
 */
export function planNothing(version: LoadedVersion, options: SearchOptions): SearchPlan {
  const suspects = options.whyNot === undefined ? null : runSync(findingSuspects(version, options, null));
  return planWith(version, options, options.filter === undefined ? EVERYTHING : selectNothing(version), suspects);
}

function selectNothing({ shards }: LoadedVersion): Selected {
  const passing = shards.map(({ ordinals }) => ({ words: new Bitset(ordinals.length).words, count: 0 }));
  return { passing, account: { selectivity: 0, passed: 0, took_us: 0, cached: false } };
}

function planWith(
  version: LoadedVersion,
  options: SearchOptions,
  { passing, account }: Selected,
  suspects: readonly Suspect[] | null,
): SearchPlan {
  const k = checkRange('k_out_of_range', 'k', options.k, MAX_K);
  const ef = chooseEf(version, options, k, account?.selectivity ?? 1);
  const excluded = findExcluded(version, options.excludeIds ?? [], passing);
  return {
    k,
    ef,
    exact: options.exact ?? false,
    minScore: Math.fround(options.minScore ?? -Infinity),
    passing,
    excluded,
    selves: [],
    available: version.manifest.count,
    filter: account,
    crowding: options.crowding === undefined ? null : planCrowding(version, options.crowding),
    way: options.plan,
    explain: options.explain === true || options.whyNot !== undefined,
    suspects,
  };
}

/**
 * The plan of one of its queries. @param selves ordinals of the items that are queries themselves: they are left out
 */
export function planQuery(version: LoadedVersion, plan: SearchPlan, selves: readonly number[]): SearchPlan {
  if (selves.length === 0) return plan;
  const places = selves.map((ordinal) => version.locate(ordinal));
  return {
    ...plan,
    selves: places.filter((place) => mayReturn(plan, place)),
    available: plan.available - selves.length,
  };
}

interface Selected {
  readonly passing: readonly PassingRows[] | null;
  readonly account: FilterExplain | null;
}

const EVERYTHING: Selected = { passing: null, account: null };

/** `{}` is no filter. */
function* selectRows({ filters, manifest }: LoadedVersion, filter: FilterPlan | null): Work<Selected> {
  if (filter === null || filter.root.kind === 'all') return EVERYTHING;
  const started = performance.now();
  const cached = filters.keeps(filter);
  const { shards, count } = yield* filters.selecting(filter);
  const account = {
    selectivity: manifest.count === 0 ? 1 : count / manifest.count,
    passed: count,
    took_us: Math.round((performance.now() - started) * 1000),
    cached,
  };
  return {
    passing: shards.map(({ rows, count: passed, list }) => ({ words: rows.words, count: passed, list })),
    account,
  };
}

function findExcluded(version: LoadedVersion, ids: readonly string[], passing: readonly PassingRows[] | null) {
  if (ids.length > MAX_EXCLUDE_IDS) {
    const message = `exclude_ids has ${ids.length} ids; at most ${MAX_EXCLUDE_IDS} are taken`;
    throw new ShortlistError('bad_field', message, { field: 'exclude_ids', max: MAX_EXCLUDE_IDS });
  }
  const rows: number[][] = version.shards.map(() => []);
  if (ids.length === 0) return rows;
  const ordinals = new Set(ids.map((id) => version.ids.find(id)));
  for (const ordinal of ordinals) {
    if (ordinal < 0) continue;
    const { shard, row } = version.locate(ordinal);
    if (passing === null || hasRow(passing[shard]!.words, row)) rows[shard]!.push(row);
  }
  return rows;
}
