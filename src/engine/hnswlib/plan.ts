/** How far to search the graph for one query, or not at all. */

/** What hnswlib is asked for. */
export interface GraphPlan {
  /** Rows to return, at most the rows that there are. */
  readonly fetch: number;
  readonly ef: number;
}

/**
 * Rows asked for beyond k, where ef has them: hnswlib's float32 distances order rows of nearly equal score otherwise
 * than canonical scores do, so a row of the k best may stand a little behind the k-th. Measured over pcparts (64
 * dimensions, many near ties) at ef 200: without a margin 4 % of the answers differ from those with all ef rows
 * scored again, with 8 rows none. 16 rows cost 0 to 10 % of a search; all 200 instead of 100 cost 28 % at 128
 * dimensions and 7 % at 768.
 */
const MARGIN = 16;

/**
 * Distances that one search computes: a descent and about 18 for each place in the candidate list, on graphs of m 16.
 */
const DESCENT_DISTANCES = 300;
const DISTANCES_PER_EF = 18;

/** A row scanned costs about as much as this many distances in the graph, which are computed by native code. */
const DISTANCES_PER_SCANNED_ROW = 3;

/**
 * Share of allowed rows from which on the graph is not weighed against a scan: it is at most twice the work of a
 * search.
 */
const MAX_WEIGHED_SHARE = 0.5;

/**
 * The plan for a search of `count` rows of which `allowed` may be returned, or null where a scan of those costs less.
 *
 * The graph itself knows no filter. So the candidate list grows by as much as rows drop out of it, which keeps the
 * ratio of ef to k, and enough rows are fetched that k allowed ones are among them: for certain where few rows are
 * left out, with three standard deviations to spare otherwise, supposing that the filter has nothing to do with
 * nearness. Where it does and fewer come back, the caller scans.
 */
export function planGraphSearch(query: { k: number; ef: number }, count: number, allowed: number): GraphPlan | null {
  const ef = Math.max(query.ef, query.k);
  const k = Math.min(query.k, allowed);
  if (allowed === count) return { fetch: Math.min(ef, k + MARGIN, count), ef };
  if (allowed === 0) return null;
  const share = allowed / count;
  const needed = Math.min(k + count - allowed, Math.ceil((k + 3 * Math.sqrt(k * (1 - share)) + 3) / share));
  const wide = Math.min(count, Math.max(Math.ceil(ef / share), needed));
  const distances = DESCENT_DISTANCES + DISTANCES_PER_EF * wide;
  if (share < MAX_WEIGHED_SHARE && distances >= DISTANCES_PER_SCANNED_ROW * allowed) return null;
  return { fetch: Math.min(wide, needed + MARGIN), ef: wide };
}
