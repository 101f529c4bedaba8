/** What a search asks for. The server's request fields of the same names are read into these. */
import type { ShardPlan } from '../../engine/engine.js';

export interface SearchOptions {
  readonly k: number;
  /** Size of the candidate list; raised to k. Default: what the calibration says, before calibration `defaultEf`. */
  readonly ef?: number | undefined;
  /** Instead of ef: the mean recall@k to reach, above 0, up to 1. The calibration says which ef does. */
  readonly targetRecall?: number | undefined;
  /** Scan every vector instead of searching the graph. */
  readonly exact?: boolean | undefined;
  /** Which rows may come back, as JSON: `{"category": "jewelry", "price": {"$lt": 50}}`. `{}` is no filter. */
  readonly filter?: unknown;
  /** Ids that must not come back. Unknown ones are ignored. */
  readonly excludeIds?: readonly string[] | undefined;
  /** Least score that may come back, compared as float32; of a search with seeds, of the score with the seed. */
  readonly minScore?: number | undefined;
  readonly crowding?: CrowdingOptions | undefined;
  /** Tell with the answer how it was found. */
  readonly explain?: boolean | undefined;
  /** Ids to explain where they are and, where they did not come back, why. Implies `explain`. */
  readonly whyNot?: readonly string[] | undefined;
  /** The way to take under a filter; default: what costs least. For tests and measurements. */
  readonly plan?: ShardPlan | undefined;
}

/** At most `limit` candidates of one value; items without a value are not crowded by each other. */
export interface CrowdingOptions {
  /** Of single values: not a list. */
  readonly attribute: string;
  readonly limit: number;
}

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
