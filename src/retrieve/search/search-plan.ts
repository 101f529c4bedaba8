/**
 * Turns the options of a request into a plan: the filter becomes a set of rows, ids become rows, ef becomes a
 * number. Planning needs ids and attributes; running a plan does not, so any thread with the shards can run it. A
 * filter may take long, so planning is work in slices (base/work.ts); `planSearch` runs it at once.
 */
import { Bitset } from '../../base/bitset.js';
import { ShortlistError } from '../../base/errors.js';
import { MAX_EXCLUDE_IDS, MAX_K } from '../../base/limits.js';
import type { ShardPlan } from '../../wire/shard-plans.js';
import type { FilterExplain } from '../../wire/answers.js';
import { chooseEf } from './choose-ef.js';
import { planCrowding, type Crowding, type LocalCrowding } from './crowding.js';
import { hasBit } from '../filter/bits.js';
import { parseFilterInSlices } from '../filter/parse-filter.js';
import type { FilterPlan } from '../filter/filter-plan.js';
import { runSync, type Work } from '../../base/work.js';
import type { LoadedVersion } from '../load/loaded-version.js';
import { mayReturn, type AllowedRows, type PassingRows } from './allowed-rows.js';
import { checkRange, type SearchOptions } from './search-options.js';
import { findExplainedIds, type ExplainedId } from './explained-ids.js';

/** What the search itself reads of a plan, wherever the rows of the shards are. */
export interface QueryPlan extends Pick<AllowedRows, 'selfMatches'> {
  readonly k: number;
  /** Size of the candidate list. Below k if the calibration found that to be enough. */
  readonly ef: number;
  readonly exact: boolean;
  readonly minScore: number;
  /** Number of rows that could be returned if only the query itself were left out. */
  readonly available: number;
  readonly filter: FilterExplain | null;
  readonly crowding: Crowding | null;
  readonly explain: boolean;
  /** Ids to explain; null without `whyNot`. */
  readonly explainedIds: readonly ExplainedId[] | null;
}

/** A plan for the shards of this process. */
export interface SearchPlan extends QueryPlan, AllowedRows {
  /** Contains functions, so it stays on the thread that has the attributes. */
  readonly crowding: LocalCrowding | null;
  /** The plan to use under a filter; undefined: the cheapest. */
  readonly shardPlan: ShardPlan | undefined;
}

/**
 * Plans all queries of a request together: a filter or a list of excluded ids takes longer than many searches.
 * @throws k_out_of_range, bad_filter with the clause's path below `/filter`, filter_too_costly, bad_field,
 * unknown_attribute, and as `chooseEf`
 */
export function planSearch(version: LoadedVersion, options: SearchOptions): SearchPlan {
  return runSync(planSearchInSlices(version, options));
}

/** As `planSearch`, in slices. */
export function* planSearchInSlices(version: LoadedVersion, options: SearchOptions): Work<SearchPlan> {
  const { filter: json, whyNot } = options;
  const filter = json === undefined ? null : yield* parseFilterInSlices(json, version.filters.schema, '/filter');
  const suspects = whyNot === undefined ? null : yield* findExplainedIds(version, options, filter);
  return planWith(version, options, yield* selectRows(version, filter), suspects);
}

/**
 * The plan of a request whose time ran out during planning: no row is known to pass its filter.
 * @throws as `planSearch`, except for errors in the filter
 */
export function planTimedOut(version: LoadedVersion, options: SearchOptions): SearchPlan {
  const suspects = options.whyNot === undefined ? null : runSync(findExplainedIds(version, options, null));
  return planWith(version, options, options.filter === undefined ? ALL_ROWS : emptySelection(version), suspects);
}

function emptySelection({ shards }: LoadedVersion): Selected {
  const passing = shards.map(({ ordinals }) => ({ words: new Bitset(ordinals.length).words, count: 0 }));
  return { passing, account: { selectivity: 0, passed: 0, took_us: 0, cached: false } };
}

function planWith(
  version: LoadedVersion,
  options: SearchOptions,
  { passing, account }: Selected,
  explainedIds: readonly ExplainedId[] | null,
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
    selfMatches: [],
    available: version.count,
    filter: account,
    crowding: options.crowding === undefined ? null : planCrowding(version, options.crowding),
    shardPlan: options.plan,
    explain: options.explain === true || options.whyNot !== undefined,
    explainedIds,
  };
}

/** The plan of one query. @param selfOrdinals ordinals of the items that are queries themselves; they are left out */
export function planQuery(version: LoadedVersion, plan: SearchPlan, selfOrdinals: readonly number[]): SearchPlan {
  if (selfOrdinals.length === 0) return plan;
  const places = selfOrdinals.map((ordinal) => version.locate(ordinal));
  return {
    ...plan,
    selfMatches: places.filter((place) => mayReturn(plan, place)),
    available: plan.available - selfOrdinals.length,
  };
}

interface Selected {
  readonly passing: readonly PassingRows[] | null;
  readonly account: FilterExplain | null;
}

const ALL_ROWS: Selected = { passing: null, account: null };

/** `{}` means no filter. */
function* selectRows({ filters, count: rows }: LoadedVersion, filter: FilterPlan | null): Work<Selected> {
  if (filter === null || filter.root.kind === 'all') return ALL_ROWS;
  const started = performance.now();
  const cached = filters.hasCached(filter);
  const { shards, count } = yield* filters.selectInSlices(filter);
  const account = {
    selectivity: rows === 0 ? 1 : count / rows,
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
    const message = `exclude_ids has ${ids.length} ids; give at most ${MAX_EXCLUDE_IDS}`;
    throw new ShortlistError('bad_field', message, { field: 'exclude_ids', max: MAX_EXCLUDE_IDS });
  }
  const rows: number[][] = version.shards.map(() => []);
  if (ids.length === 0) return rows;
  const ordinals = new Set(ids.map((id) => version.ids.find(id)));
  for (const ordinal of ordinals) {
    if (ordinal < 0) continue;
    const { shard, row } = version.locate(ordinal);
    if (passing === null || hasBit(passing[shard]!.words, row)) rows[shard]!.push(row);
  }
  return rows;
}
