/** The exact neighbours among the rows that pass, found without the library's filters. */
import { Bitset } from '../../src/base/bitset.js';
import type { NativePool } from '../../src/engine/native/native-pool.js';
import type { SearchAnswer } from '../../src/retrieve/library/open-index.js';
import type { Attributed } from './attributed.js';

/** Of unit vectors: float32 scores carry no more. As in src/evaluate/recall.ts. */
const TOLERANCE = 1e-6;

export interface Truth {
  readonly k: number;
  /** Null where every row passes. */
  readonly passing: Bitset | null;
  /** By query: how many neighbours there are, and the score of the last. */
  readonly lasts: readonly { readonly count: number; readonly score: number }[];
}

export async function findTruth(
  pool: NativePool,
  { data, base }: Attributed,
  queries: Float32Array,
  passing: Bitset | null,
  k: number,
): Promise<Truth> {
  const { metric, dim, rows } = data;
  const shard = { metric, dim, count: rows, values: base };
  const allow = passing === null ? undefined : [passing];
  const found = await pool.search([shard], queries, queries.length / dim, { k, allow });
  const lasts = found.map(([part]) => ({ count: part!.rows.length, score: part!.scores.at(-1) ?? 0 }));
  return { k, passing, lasts };
}

export function rowsBelow(ranks: Uint32Array, limit: number): Bitset {
  const passing = new Bitset(ranks.length);
  for (const [row, rank] of ranks.entries()) if (rank < limit) passing.add(row);
  return passing;
}

/** By distance. @throws Error where an answer has a row that does not pass, twice the same row, or too many */
export function recallOf(truth: Truth, query: number, { ordinals, scores }: SearchAnswer): number {
  const { count, score } = truth.lasts[query]!;
  const isWrong = ordinals.some((row) => truth.passing !== null && !truth.passing.has(row));
  if (isWrong || new Set(ordinals).size !== ordinals.length || ordinals.length > truth.k)
    throw new Error(`query ${query} has an answer with rows that must not be there`);
  return count === 0 ? 1 : scores.filter((found) => found >= score - TOLERANCE).length / count;
}
