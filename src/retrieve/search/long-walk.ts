/**
 * Whether a walk of a graph takes too long for a thread on which others wait. Estimated, since what is measured is
 * known too late: in nanoseconds of one core of 2020, where memory is not in a cache. A slower machine makes short
 * walks longer, and long ones are long there too.
 */
import type { ShardVectors } from '../../engine/engine.js';
import type { Depth } from './shard-share.js';

/** A place of the candidate list: an expanded node with the codes of its neighbours. And each of their components. */
const CANDIDATE_NS = 1_200;
const CODE_COMPONENT_NS = 3;

/** A row that is scored by its float32 values, and each of its components. */
const ROW_NS = 200;
const COMPONENT_NS = 1;

/** What a walk under a filter takes more than one without, as a rule at most. */
const FILTER_FACTOR = 3;

/** A step of the event loop is to take 10 ms at most; estimates may be half of what a walk takes. */
const LONG_WALK_NS = 5e6;

/** @param allowed rows that may be returned @param shards that the same step asks, one after the other */
export function isLongWalk({ k, ef }: Depth, { dim, count }: ShardVectors, allowed: number, shards: number): boolean {
  const walk = Math.min(Math.max(k, ef), count) * (CANDIDATE_NS + CODE_COMPONENT_NS * dim);
  const rows = Math.min(k, allowed) * (ROW_NS + COMPONENT_NS * dim);
  return (allowed < count ? FILTER_FACTOR : 1) * (walk + rows) * shards > LONG_WALK_NS;
}
