/**
 * The options of a search. Names are those of the request's fields in camel case; wire/search-terms.ts has their limits
 * and descriptions.
 */
import { ShortlistError, type ErrorCode } from '../../base/errors.js';
import type { OptionName, SearchTerms } from '../../wire/search-terms.js';
import type { ShardPlan } from '../../wire/shard-plans.js';

/** Request fields that do not concern the search itself. */
type RequestTerm = 'include' | 'timeout_ms' | 'allow_partial' | 'version';

/** Fields with a type of their own here: ids are strings, and a filter is any JSON until it is parsed. */
type ReadTerm = 'k' | 'filter' | 'exclude_ids' | 'why_not';

type PlainOptions = {
  readonly [Name in Exclude<keyof SearchTerms, RequestTerm | ReadTerm> as OptionName<Name>]?: SearchTerms[Name];
};

export interface SearchOptions extends PlainOptions {
  readonly k: number;
  /** Conditions on attributes, as JSON: `{"category": "jewelry", "price": {"$lt": 50}}`. `{}` means no filter. */
  readonly filter?: unknown;
  /** Ids that must not be returned. Unknown ids are ignored. */
  readonly excludeIds?: readonly string[] | undefined;
  /** Ids to explain: for each, why it is not among the candidates. Implies explain. */
  readonly whyNot?: readonly string[] | undefined;
  /** The plan to use under a filter; default: the cheapest. For tests and measurements. */
  readonly plan?: ShardPlan | undefined;
}

export type CrowdingOptions = NonNullable<SearchOptions['crowding']>;

export interface SeedQuery {
  /** Checked, `dim` values. */
  readonly query: Float32Array;
  /** Above 0. Scores with this seed are multiplied by it; negative scores are divided. */
  readonly weight: number;
  /** Maximum number of candidates from this seed; default k. */
  readonly quota?: number | undefined;
  /** Ordinal of the item, if the seed is one; it is not returned for any seed. */
  readonly self?: number | undefined;
}

/** Returns the value if it is a whole number from 1 to `max`. @throws `code`, naming the field */
export function checkRange(code: ErrorCode, field: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new ShortlistError(code, `${field} is ${value}; give a whole number from 1 to ${max}`, { field, max });
}
