/**
 * Ways to search a shard, by the names that answers and options use. Under a filter: `widened` walks the graph with a
 * pool wide enough for what passes; `two_hop` scores only what passes and steps over the rest; `code_scan` scans what
 * passes by codes; `exact_scan` scans it by float32 values. `auto` takes what costs least, counted in distances.
 *
 * The native addon numbers them in this order (filter_plan.h).
 */
export const SHARD_PLANS = ['auto', 'graph', 'widened', 'two_hop', 'code_scan', 'exact_scan'] as const;
export type ShardPlan = (typeof SHARD_PLANS)[number];

/** Those among which a search under a filter chooses. */
export const FILTERED_PLANS = ['widened', 'two_hop', 'code_scan', 'exact_scan'] as const;
export type FilteredPlan = (typeof FILTERED_PLANS)[number];
