/** Where the queries of a measurement come from: a file, or rows of the index itself. */
import { sampleDistinct } from '../base/random.js';
import type { EventLoopYielder } from '../base/event-loop-yielder.js';
import { checkQuery } from '../retrieve/search/query.js';
import { sampleDistinctRows } from '../retrieve/load/distinct-rows.js';
import type { LoadedVersion } from '../retrieve/load/loaded-version.js';

/** Checked queries, one after the other. */
export interface QuerySet {
  readonly count: number;
  /** count x dim values, unit length under cosine. */
  readonly vectors: Float32Array;
  /**
   * Ordinal of each query that is a row of the index, which then is left out of its answer; null for queries from
   * outside.
   */
  readonly selves: Uint32Array | null;
}

/** `size` rows of the version, chosen by the seed, each to be searched without finding itself. */
export function sampleQueries(version: LoadedVersion, size: number, seed: number): QuerySet {
  return queriesOf(version, sampleDistinct(version.manifest.count, size, seed));
}

/**
 * As `sampleQueries`, of rows whose vectors differ: each vector is as likely as any other, however many rows have it.
 */
export async function sampleVectors(
  version: LoadedVersion,
  size: number,
  seed: number,
  turns: EventLoopYielder,
): Promise<QuerySet> {
  const places = await sampleDistinctRows(version.shards, size, seed, turns);
  const ordinals = places.map(({ shard, row }) => version.shards[shard]!.ordinals[row]!);
  return queriesOf(version, Uint32Array.from(ordinals).sort());
}

function queriesOf(version: LoadedVersion, selves: Uint32Array): QuerySet {
  const { dim } = version.manifest;
  const vectors = new Float32Array(selves.length * dim);
  for (const [position, ordinal] of selves.entries()) vectors.set(version.vectorOf(ordinal), position * dim);
  return { count: selves.length, vectors, selves };
}

/** Queries from outside. @throws as `checkQuery`, with the position of the bad one */
export function externalQueries(version: LoadedVersion, vectors: Float32Array): QuerySet {
  const { dim } = version.manifest;
  const count = vectors.length / dim;
  const checked = new Float32Array(vectors.length);
  for (let position = 0; position < count; position++) {
    const query = checkQuery(version.manifest, vectors.subarray(position * dim, (position + 1) * dim), position);
    checked.set(query, position * dim);
  }
  return { count, vectors: checked, selves: null };
}

export function queryAt(queries: Pick<QuerySet, 'vectors'>, position: number, dim: number): Float32Array {
  return queries.vectors.subarray(position * dim, (position + 1) * dim);
}

export function selfAt(queries: QuerySet, position: number): number | undefined {
  return queries.selves?.[position];
}
