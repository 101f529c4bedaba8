/**
 * Plans for searching a shard, by the names in answers and options. With a filter, `widened` searches the graph with a
 * pool large enough to find sufficient passing rows; `two_hop` scores only passing rows and steps over the others;
 * `code_scan` scans the passing rows by their codes; `exact_scan` scans them by their float32 values. `auto` chooses
 * the plan with the lowest estimated cost, in distances.
 *
 * The native addon uses the positions in this list (filter_plan.h).
 */
export const SHARD_PLANS = ['auto', 'graph', 'widened', 'two_hop', 'code_scan', 'exact_scan'] as const;
export type ShardPlan = (typeof SHARD_PLANS)[number];

/** The plans that `auto` chooses from when there is a filter. */
export const FILTERED_PLANS = ['widened', 'two_hop', 'code_scan', 'exact_scan'] as const;
export type FilteredPlan = (typeof FILTERED_PLANS)[number];
