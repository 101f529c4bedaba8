/** How far to search the graph for one query, or whether to scan instead. */

/** The arguments for hnswlib. */
export interface GraphPlan {
  /** Rows to fetch, at most all rows. */
  readonly fetch: number;
  readonly ef: number;
}

/**
 * Rows fetched beyond k, if ef has them. hnswlib's float32 distances order rows of nearly equal score differently
 * from canonical scores, so one of the k best rows may be slightly behind the k-th. On pcparts (64 dimensions, many
 * near ties) at ef 200, 4 % of the answers differ from those with all ef rows scored again; with 8 more rows none
 * do. 16 rows cost 0 to 10 % of a search; all 200 instead of 100 cost 28 % at 128 dimensions and 7 % at 768.
 */
const MARGIN = 16;

/** Distances of one search: a descent, and about 18 for each candidate, on graphs of m 16. */
const DESCENT_DISTANCES = 300;
const DISTANCES_PER_EF = 18;

/** The cost of scanning a row in distances of the graph, which native code computes. */
const DISTANCES_PER_SCANNED_ROW = 3;

/**
 * From this share of allowed rows on the graph is not compared with a scan: it costs at most twice an unfiltered
 * search.
 */
const MAX_WEIGHED_SHARE = 0.5;

/**
 * The plan for a search of `count` rows of which `allowed` may be returned, or null if a scan of those costs less.
 *
 * The graph is searched without the filter. So the candidate list grows by the share of rows that the filter
 * removes, which keeps the ratio of ef to k. Enough rows are fetched to have k allowed ones: with certainty if few
 * rows are left out, otherwise with a margin of three standard deviations if the filter does not depend on nearness.
 * If it does and fewer come back, the caller scans.
 */
export function planGraphSearch(query: { k: number; ef: number }, count: number, allowed: number): GraphPlan | null {
  const ef = Math.max(query.ef, query.k);
  const k = Math.min(query.k, allowed);
  if (allowed === count) return { fetch: Math.min(ef, k + MARGIN, count), ef };
  if (allowed === 0) return null;
  const share = allowed / count;
  const needed = Math.min(k + count - allowed, Math.ceil((k + 3 * Math.sqrt(k * (1 - share)) + 3) / share));
  const width = Math.min(count, Math.max(Math.ceil(ef / share), needed));
  const distances = DESCENT_DISTANCES + DISTANCES_PER_EF * width;
  if (share < MAX_WEIGHED_SHARE && distances >= DISTANCES_PER_SCANNED_ROW * allowed) return null;
  return { fetch: Math.min(width, needed + MARGIN), ef: width };
}
