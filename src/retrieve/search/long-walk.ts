/**
 * Estimates whether a graph walk is too long for a thread that others wait for. A measurement would come too late. The
 * unit is nanoseconds on one core of 2020 with memory outside the cache. On a slower machine a long walk is longer
 * still.
 */
import type { ShardVectors } from '../../engine/engine.js';
import type { Depth } from './shard-share.js';

/** An expanded node with the codes of its neighbours, and each component of those codes. */
const CANDIDATE_NS = 1_200;
const CODE_COMPONENT_NS = 3;

/** A row scored by its float32 values, and each of its components. */
const ROW_NS = 200;
const COMPONENT_NS = 1;

/** How many times longer a filtered walk takes, in most cases at most. */
const FILTER_FACTOR = 3;

/** A step of the event loop should take 10 ms at most, and an estimate may be half of the true time. */
const LONG_WALK_NS = 5e6;

/** @param allowed rows that may be returned @param shards how many shards the same step searches one after the other */
export function isLongWalk({ k, ef }: Depth, { dim, count }: ShardVectors, allowed: number, shards: number): boolean {
  const walk = Math.min(Math.max(k, ef), count) * (CANDIDATE_NS + CODE_COMPONENT_NS * dim);
  const rows = Math.min(k, allowed) * (ROW_NS + COMPONENT_NS * dim);
  return (allowed < count ? FILTER_FACTOR : 1) * (walk + rows) * shards > LONG_WALK_NS;
}
