/**
 * Splits the rows of a batch by shard: murmur3 of the id's canonical text, modulo the number of shards. It is part of
 * the format: a row is looked for only where this puts it.
 */
import { shardOf } from '../../base/hash.js';

/** Rows of one batch that belong to one shard, in order. */
interface ShardPart {
  /** Rows of the batch; null if all of them. */
  readonly rows: Uint32Array | null;
  readonly ordinals: Uint32Array;
  /** One after the other. */
  readonly vectors: Float32Array;
}

/** Validated rows in input order, as ingest returns them. */
export interface RowBatch {
  readonly rows: number;
  /** Ordinal of the first row; the others are consecutive. */
  readonly firstOrdinal: number;
  readonly dim: number;
  /** rows x dim values, of unit length under cosine. */
  readonly vectors: Float32Array;
  /** murmur3 of each row's id. */
  readonly hashes: Uint32Array;
}

/** One part for each shard. With one shard the vectors are a view of the batch, not a copy. */
export function splitByShard(batch: RowBatch, shards: number): ShardPart[] {
  const { rows, firstOrdinal, dim, vectors, hashes } = batch;
  if (shards === 1) {
    const ordinals = Uint32Array.from({ length: rows }, (_, row) => firstOrdinal + row);
    return [{ rows: null, ordinals, vectors: vectors.subarray(0, rows * dim) }];
  }
  const counts = new Uint32Array(shards);
  for (let row = 0; row < rows; row++) counts[shardOf(hashes[row]!, shards)]!++;
  const parts = Array.from(counts, (count) => ({
    rows: new Uint32Array(count),
    ordinals: new Uint32Array(count),
    vectors: new Float32Array(count * dim),
  }));
  counts.fill(0);
  for (let row = 0; row < rows; row++) {
    const shard = shardOf(hashes[row]!, shards);
    const position = counts[shard]!++;
    parts[shard]!.rows[position] = row;
    parts[shard]!.ordinals[position] = firstOrdinal + row;
    parts[shard]!.vectors.set(vectors.subarray(row * dim, (row + 1) * dim), position * dim);
  }
  return parts;
}
