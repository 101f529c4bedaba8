/** Statistics of pairs of numbers that tell whether one row's numbers belong together. */

/** Spearman's rank correlation; equal numbers share their mean rank. Null if all numbers of a side are equal. */
export function rankCorrelation(a: Float64Array, b: Float64Array): number | null {
  const [ranksA, ranksB] = [ranksOf(a), ranksOf(b)];
  const mean = (a.length - 1) / 2;
  let [aa, bb, ab] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [ranksA[i]! - mean, ranksB[i]! - mean];
    aa += x * x;
    bb += y * y;
    ab += x * y;
  }
  return aa === 0 || bb === 0 ? null : ab / Math.sqrt(aa * bb);
}

function ranksOf(values: Float64Array): Float64Array {
  const order = Uint32Array.from(values, (_, i) => i).sort((i, j) => values[i]! - values[j]!);
  const ranks = new Float64Array(values.length);
  for (let start = 0; start < order.length;) {
    let end = start + 1;
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    for (let at = start; at < end; at++) ranks[order[at]!] = (start + end - 1) / 2;
    start = end;
  }
  return ranks;
}

/** Share of the pairs that differ if one side is shuffled. */
export function expectedChange(a: Float64Array, b: Float64Array): number {
  const counts = new Map<number, number>();
  for (const value of a) counts.set(value, (counts.get(value) ?? 0) + 1);
  let equal = 0;
  for (const value of b) equal += counts.get(value) ?? 0;
  return 1 - equal / (a.length * b.length);
}
