/** Merges the parts of several shards: best first, whatever the order in which the shards answered. */
import { TopK } from '../../base/top-k.js';
import type { Candidates } from './answer.js';

/** @param parts by shard, each best first; null if a shard has not answered */
export function mergeParts(parts: readonly (Candidates | null)[], k: number): Candidates {
  const [only] = parts;
  if (parts.length === 1 && only) return truncate(only, k);
  const total = parts.reduce((sum, part) => sum + (part?.ordinals.length ?? 0), 0);
  const best = new TopK(Math.min(k, total));
  for (const part of parts) {
    for (let i = 0; part !== null && i < part.ordinals.length; i++) best.push(part.scores[i]!, part.ordinals[i]!);
  }
  const { rows, scores } = best.drain();
  return { ordinals: rows, scores };
}

function truncate({ ordinals, scores }: Candidates, k: number): Candidates {
  if (ordinals.length <= k) return { ordinals, scores };
  return { ordinals: ordinals.subarray(0, k), scores: scores.subarray(0, k) };
}
