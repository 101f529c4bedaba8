/**
 * The probe: rows of a version are searched by their own vectors and must come back. It runs at the end of a build
 * and in `verify`, over different vectors, so that rows which are equal do not hide those that cannot be reached; and
 * before a version goes live, over any rows, where it warms the caches and must not read every vector first.
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

/** A graph may miss a row, which recall measures; one that misses more than this share of its own rows is broken. */
const MAX_MISSED_SHARE = 0.1;

/** Over any rows, a slice each. @throws probe_failed naming the shard */
export function* probing({ shards, manifest }: LoadedVersion): Work<void> {
  for (const [position, shard] of shards.entries()) {
    const rows = sampleDistinct(shard.graph.vectors.count, PROBES_PER_SHARD, PROBE_SEED);
    yield* probingRows(shard, [...rows], nameShard(manifest, position));
  }
}

/** Over different vectors of every shard. @throws as `probeShard` */
export async function probeVectors({ shards, manifest }: LoadedVersion, turns: EventLoopYielder): Promise<void> {
  for (const [position, shard] of shards.entries()) await probeShard(shard, nameShard(manifest, position), turns);
}

/**
 * Over different vectors of the shard. @param name for the message @throws probe_failed; what the turns' signal is
 * aborted with
 */
export async function probeShard(shard: LoadedShard, name: string, turns: EventLoopYielder): Promise<void> {
  const places = await sampleDistinctRows([shard], PROBES_PER_SHARD, PROBE_SEED, turns);
  const rows = places.map(({ row }) => row);
  runSync(probingRows(shard, rows, name));
}

function nameShard({ index, version }: LoadedVersion['manifest'], position: number): string {
  return `shard ${position} of ${index}@${version}`;
}

function* probingRows(shard: LoadedShard, rows: readonly number[], name: string): Work<void> {
  let missed = 0;
  for (const row of rows) {
    if (!findsItself(shard, row)) missed++;
    yield;
  }
  if (missed <= MAX_MISSED_SHARE * rows.length) return;
  const message = `${name} does not find ${missed} of ${rows.length} of its own rows: the graph is too thin for the data; build it with a larger --m or --ef-construction`;
  throw new ShortlistError('probe_failed', message, { missed, probes: rows.length });
}

/** True when the best answer is at least as near as the row itself: an equal row may stand before it. */
function findsItself(shard: LoadedShard, row: number): boolean {
  const { vectors } = shard.graph;
  const query = vectors.values.slice(row * vectors.dim, (row + 1) * vectors.dim);
  if (!query.every(Number.isFinite)) return false;
  const own = toScore(vectors.metric, rawKernel(vectors.metric)(query, 0, query, 0, vectors.dim));
  const best = shard.graph.search(query, { k: 1, ef: PROBE_EF }).scores[0];
  return best !== undefined && best >= own;
}
