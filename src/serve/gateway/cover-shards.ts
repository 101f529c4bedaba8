/**
 * Chooses the groups of servers that together answer for a version. Each shard must be searched once, so the groups
 * must not overlap; servers may, for instance while shards move between them.
 */

/** @param keys of all servers: their shards as `0,1,2` @returns keys that do not overlap, by their first shard */
export function coverShards(keys: readonly string[]): string[] {
  const servers = new Map<string, number>();
  for (const key of keys) servers.set(key, (servers.get(key) ?? 0) + 1);
  const sets = [...servers].map(([key, count]) => ({ key, count, shards: key.split(',').map(Number) }));
  // Where groups begin at the same shard, the one with more servers goes first, then the one with more shards.
  sets.sort((a, b) => a.shards[0]! - b.shards[0]! || b.count - a.count || b.shards.length - a.shards.length);
  const taken = new Set<number>();
  return sets.flatMap(({ key, shards }) => {
    if (shards.some((shard) => taken.has(shard))) return [];
    for (const shard of shards) taken.add(shard);
    return [key];
  });
}
