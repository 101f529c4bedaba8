/** The queries of a measurement: from a file, or rows of the index itself. */
import { sampleDistinct } from '../base/random.js';
import type { EventLoopYielder } from '../base/event-loop-yielder.js';
import { checkQueries } from '../retrieve/search/query.js';
import { sampleDistinctRows } from '../retrieve/load/distinct-rows.js';
import type { LoadedVersion } from '../retrieve/load/loaded-version.js';

export interface QuerySet {
  readonly count: number;
  /** count x dim values, unit length under cosine. */
  readonly vectors: Float32Array;
  /** For queries that are rows of the index: their ordinals, left out of their answers. Null for given queries. */
  readonly selfOrdinals: Uint32Array | null;
}

/** Samples `size` rows of the version; each is left out of its own answer. */
export function sampleQueries(version: LoadedVersion, size: number, seed: number): QuerySet {
  return queriesOf(version, sampleDistinct(version.manifest.count, size, seed));
}

/** As `sampleQueries`, with distinct vectors: each vector is equally likely, however many rows have it. */
export async function sampleVectors(
  version: LoadedVersion,
  size: number,
  seed: number,
  turns: EventLoopYielder,
): Promise<QuerySet> {
  return queriesOf(version, await sampleOrdinals(version, size, seed, turns));
}

/** The ordinals of `size` rows with distinct vectors, ascending. */
export async function sampleOrdinals(
  version: LoadedVersion,
  size: number,
  seed: number,
  turns: EventLoopYielder,
): Promise<Uint32Array> {
  const places = await sampleDistinctRows(version.shards, size, seed, turns);
  const ordinals = places.map(({ shard, row }) => version.shards[shard]!.ordinals[row]!);
  return Uint32Array.from(ordinals).sort();
}

function queriesOf(version: LoadedVersion, selfOrdinals: Uint32Array): QuerySet {
  const { dim } = version.manifest;
  const vectors = new Float32Array(selfOrdinals.length * dim);
  for (const [position, ordinal] of selfOrdinals.entries()) vectors.set(version.vectorOf(ordinal), position * dim);
  return { count: selfOrdinals.length, vectors, selfOrdinals };
}

/** Checks given queries. @throws as `checkQuery`, with the position of the wrong one */
export function externalQueries(version: LoadedVersion, vectors: Float32Array): QuerySet {
  const checked = checkQueries(version.manifest, vectors);
  return { count: vectors.length / version.manifest.dim, vectors: checked, selfOrdinals: null };
}

export function queryAt(queries: Pick<QuerySet, 'vectors'>, position: number, dim: number): Float32Array {
  return queries.vectors.subarray(position * dim, (position + 1) * dim);
}

export function selfOrdinalAt(queries: QuerySet, position: number): number | undefined {
  return queries.selfOrdinals?.[position];
}
