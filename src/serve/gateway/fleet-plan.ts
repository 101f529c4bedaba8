/** The plan of a search over a fleet: numbers of rows instead of rows. */
import type { JsonValue } from '../../arrow/column-value.js';
import { ShortlistError } from '../../base/errors.js';
import { MAX_EXCLUDE_IDS, MAX_K, MAX_WHY_NOT } from '../../base/limits.js';
import { chooseEf } from '../../retrieve/search/choose-ef.js';
import { checkCrowding } from '../../retrieve/search/crowding.js';
import type { ExplainedId } from '../../retrieve/search/explained-ids.js';
import { checkRange, type SearchOptions } from '../../retrieve/search/search-options.js';
import type { QueryPlan } from '../../retrieve/search/search-plan.js';
import type { AttributeEntry } from '../../version/sealed/manifest.js';
import type { FilterExplain } from '../../wire/answers.js';
import type { ShardPlan } from '../../wire/shard-plans.js';
import type { OwnSelection } from '../fleet/selection.js';
import type { FleetVersion } from './fleet-version.js';

export interface FleetPlan extends QueryPlan {
  /** For each shard the rows that may be returned. */
  readonly allowed: readonly number[];
  readonly own: OwnSelection;
  readonly shardPlan: ShardPlan | undefined;
}

/** What the servers said about a request before its search. */
export interface Prepared {
  readonly allowed: readonly number[];
  readonly filter: FilterExplain | null;
  readonly explainedIds: readonly ExplainedId[] | null;
}

/** An item that a query or seed names. */
export interface FleetItem {
  readonly ordinal: number;
  readonly shard: number;
  /** In its server. */
  readonly row: number;
  readonly mayReturn: boolean;
  readonly vector: Float32Array;
}

/** Values of the crowding attribute by ordinal, of the candidates that were found. */
type CrowdValues = ReadonlyMap<number, JsonValue>;

const NOTHING: OwnSelection = { selfs: [], values: [] };

/** Refuses what a single process refuses, before any server is asked. @throws as planSearch */
export function checkOptions(version: FleetVersion, options: SearchOptions): void {
  const { excludeIds = [], whyNot = [], crowding } = options;
  const tooMany = (field: string, count: number, max: number) =>
    new ShortlistError('bad_field', `${field} has ${count} ids; give at most ${max}`, { field, max });
  if (whyNot.length > MAX_WHY_NOT) throw tooMany('why_not', whyNot.length, MAX_WHY_NOT);
  checkRange('k_out_of_range', 'k', options.k, MAX_K);
  if (excludeIds.length > MAX_EXCLUDE_IDS) throw tooMany('exclude_ids', excludeIds.length, MAX_EXCLUDE_IDS);
  if (crowding !== undefined) checkCrowding(version.manifest.attributes.map(toCrowdable), crowding);
}

function toCrowdable({ name, type }: AttributeEntry) {
  return { name, isList: /^(?:fixed_size_)?list</.test(type) };
}

/** @throws as chooseEf */
export function planFleet(
  version: FleetVersion,
  options: SearchOptions,
  { allowed, filter, explainedIds }: Prepared,
  values: CrowdValues,
): FleetPlan {
  const { k, crowding } = options;
  return {
    k,
    ef: chooseEf(version, options, k, filter?.selectivity ?? 1),
    exact: options.exact ?? false,
    minScore: Math.fround(options.minScore ?? -Infinity),
    selfMatches: [],
    available: version.manifest.count,
    filter,
    crowding:
      crowding === undefined ? null : { limit: crowding.limit, valueOf: (ordinal) => values.get(ordinal) ?? null },
    shardPlan: options.plan,
    explain: options.explain === true || options.whyNot !== undefined,
    explainedIds,
    allowed,
    own: NOTHING,
  };
}

/** The plan of one query. @param selfs the items that are queries themselves; they are left out */
export function planFleetQuery(plan: FleetPlan, selfs: readonly FleetItem[]): FleetPlan {
  if (selfs.length === 0) return plan;
  const matches = selfs.filter(({ mayReturn }) => mayReturn);
  const allowed = [...plan.allowed];
  for (const { shard } of matches) allowed[shard]!--;
  return {
    ...plan,
    allowed,
    selfMatches: matches.map(({ shard, row }) => ({ shard, row })),
    available: plan.available - selfs.length,
    own: { selfs: selfs.map(({ ordinal }) => ordinal), values: [] },
  };
}
