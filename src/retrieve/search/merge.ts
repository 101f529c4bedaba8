/** The best of several shards in the contract's order, whatever the order in which they answered. */
import { TopK } from '../../base/top-k.js';
import type { ShardAnswer } from '../../engine/engine.js';
import type { Answer } from './answer.js';
import type { LoadedShard } from '../load/shards.js';

export interface ShardPart extends ShardAnswer {
  /** All rows of the shard that may come back are in it. */
  readonly hasAll: boolean;
}

/** Candidates, best first. */
export type Best = Pick<Answer, 'ordinals' | 'scores'>;

/** @param parts by shard; null where one has not answered @param self ordinal to be dropped */
export function mergeParts(
  shards: readonly LoadedShard[],
  parts: readonly (ShardAnswer | null)[],
  k: number,
  self = -1,
): Best {
  const [only] = parts;
  return parts.length === 1 && only ? takeBest(shards[0]!, only, k, self) : mergeBest(shards, parts, k, self);
}

/** Of one shard: its rows are in the order that is wanted, since its ordinals ascend with them. */
function takeBest({ ordinals }: LoadedShard, part: ShardAnswer, k: number, self: number): Best {
  if (self === -1 && isIdentity(ordinals)) {
    if (part.rows.length <= k) return { ordinals: part.rows, scores: part.scores };
    return { ordinals: part.rows.subarray(0, k), scores: part.scores.subarray(0, k) };
  }
  const own = self === -1 ? -1 : part.rows.findIndex((row) => ordinals[row] === self);
  const count = Math.min(k, part.rows.length - (own === -1 ? 0 : 1));
  const best = { ordinals: new Uint32Array(count), scores: new Float32Array(count) };
  for (let i = 0; i < count; i++) {
    const from = own !== -1 && i >= own ? i + 1 : i;
    best.ordinals[i] = ordinals[part.rows[from]!]!;
    best.scores[i] = part.scores[from]!;
  }
  return best;
}

/** Ordinals ascend, so that the last one says whether each row is its own. */
function isIdentity(ordinals: Uint32Array): boolean {
  return ordinals.length === 0 || ordinals[ordinals.length - 1] === ordinals.length - 1;
}

function mergeBest(
  shards: readonly LoadedShard[],
  parts: readonly (ShardAnswer | null)[],
  k: number,
  self: number,
): Best {
  const held = parts.reduce((sum, part) => sum + (part?.rows.length ?? 0), 0);
  const best = new TopK(Math.min(k, held));
  for (const [position, part] of parts.entries()) {
    const { ordinals } = shards[position]!;
    for (let i = 0; part !== null && i < part.rows.length; i++) {
      const ordinal = ordinals[part.rows[i]!]!;
      if (ordinal !== self) best.push(part.scores[i]!, ordinal);
    }
  }
  const { rows, scores } = best.drain();
  return { ordinals: rows, scores };
}
