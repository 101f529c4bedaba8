/**
 * What a search asks for. The names are those of the request's fields in camel case; wire/search-terms.ts has their
 * limits and texts.
 */
import type { OptionName, SearchTerms } from '../../wire/search-terms.js';
import type { ShardPlan } from '../../wire/shard-plans.js';

/** Terms of a request that are none of the search itself. */
type RequestTerm = 'include' | 'timeout_ms' | 'allow_partial' | 'version';

/** Terms whose values are read before a search has them: ids are text, a filter is any JSON until it is parsed. */
type ReadTerm = 'k' | 'filter' | 'exclude_ids' | 'why_not';

type PlainOptions = {
  readonly [Name in Exclude<keyof SearchTerms, RequestTerm | ReadTerm> as OptionName<Name>]?: SearchTerms[Name];
};

export interface SearchOptions extends PlainOptions {
  readonly k: number;
  /**
   * What candidates must be, by attribute, as JSON: `{"category": "jewelry", "price": {"$lt": 50}}`. `{}` is no
   * filter.
   */
  readonly filter?: unknown;
  /** Ids that must not come back. Unknown ones are ignored. */
  readonly excludeIds?: readonly string[] | undefined;
  /** Ids to explain: for each, why it is not among the candidates. Implies explain. */
  readonly whyNot?: readonly string[] | undefined;
  /** The way to take under a filter; default: what costs least. For tests and measurements. */
  readonly plan?: ShardPlan | undefined;
}

export type CrowdingOptions = NonNullable<SearchOptions['crowding']>;

/** One of several queries that are answered together. */
export interface SeedQuery {
  /** Checked, `dim` values. */
  readonly query: Float32Array;
  /** Above 0: scores with this seed are multiplied by it, those below 0 divided. */
  readonly weight: number;
  /** Candidates that this seed may bring at most; default k. */
  readonly quota?: number | undefined;
  /** Ordinal of the item that the seed is; it does not come back for any seed. */
  readonly self?: number | undefined;
}
