/**
 * The probe: searches rows of a version by their own vectors, which must be found. At the end of a build and in
 * `verify` it uses distinct vectors, so that equal rows do not hide rows that cannot be reached. Before a version goes
 * live it uses any rows: it warms the caches and must not read every vector first.
 */
import { ShortlistError } from '../../base/errors.js';
import { rawKernel, toScore } from '../../base/metric.js';
import { sampleDistinct } from '../../base/random.js';
import type { EventLoopYielder } from '../../base/event-loop-yielder.js';
import { sampleDistinctRows } from './distinct-rows.js';
import { runSync, type Work } from '../../base/work.js';
import type { LoadedShard } from './shards.js';
import type { LoadedVersion } from './loaded-version.js';

const PROBES_PER_SHARD = 64;
const PROBE_SEED = 1;
const PROBE_EF = 200;

/**
 * A graph may miss some rows, which recall measures. One that misses more of its own rows than this share is broken.
 */
const MAX_MISSED_SHARE = 0.1;

/** Probes arbitrary rows, one per slice. @throws probe_failed naming the shard */
export function* probeInSlices({ shards, manifest }: LoadedVersion): Work<void> {
  for (const [position, shard] of shards.entries()) {
    const rows = sampleDistinct(shard.graph.vectors.count, PROBES_PER_SHARD, PROBE_SEED);
    yield* probeRows(shard, [...rows], nameShard(manifest, position));
  }
}

/** Probes distinct vectors of every shard. @throws as `probeShard` */
export async function probeVectors({ shards, manifest }: LoadedVersion, turns: EventLoopYielder): Promise<void> {
  for (const [position, shard] of shards.entries()) await probeShard(shard, nameShard(manifest, position), turns);
}

/**
 * Probes distinct vectors of the shard.
 * @param name for the message
 * @throws probe_failed; the signal's reason when it is aborted
 */
export async function probeShard(shard: LoadedShard, name: string, turns: EventLoopYielder): Promise<void> {
  const places = await sampleDistinctRows([shard], PROBES_PER_SHARD, PROBE_SEED, turns);
  const rows = places.map(({ row }) => row);
  runSync(probeRows(shard, rows, name));
}

function nameShard({ index, version }: LoadedVersion['manifest'], position: number): string {
  return `shard ${position} of ${index}@${version}`;
}

function* probeRows(shard: LoadedShard, rows: readonly number[], name: string): Work<void> {
  let missed = 0;
  for (const row of rows) {
    if (!findsItself(shard, row)) missed++;
    yield;
  }
  if (missed <= MAX_MISSED_SHARE * rows.length) return;
  const message = `${name} does not find ${missed} of ${rows.length} of its own rows: the graph is too sparse for the data; build it with a larger --m or --ef-construction`;
  throw new ShortlistError('probe_failed', message, { missed, probes: rows.length });
}

/** Returns true if the best result is at least as near as the row itself: an equal row may come first. */
function findsItself(shard: LoadedShard, row: number): boolean {
  const { vectors } = shard.graph;
  const query = vectors.values.slice(row * vectors.dim, (row + 1) * vectors.dim);
  if (!query.every(Number.isFinite)) return false;
  const own = toScore(vectors.metric, rawKernel(vectors.metric)(query, 0, query, 0, vectors.dim));
  const best = shard.graph.search(query, { k: 1, ef: PROBE_EF }).scores[0];
  return best !== undefined && best >= own;
}
