import { Bitset } from '../../base/bitset.js';
import type { ShardQuery } from '../engine.js';

/**
 * The rows that a search may return, as one set; undefined if that is every row. It is a copy if rows are left out,
 * since `allow` belongs to the caller.
 * @param size rows of the shard
 */
export function allowedRows({ allow, leftOut = [] }: ShardQuery, size: number): Bitset | undefined {
  if (leftOut.length === 0) return allow;
  const rows = allow === undefined ? Bitset.full(size) : new Bitset(size, allow.words.slice());
  for (const row of leftOut) rows.delete(row);
  return rows;
}
