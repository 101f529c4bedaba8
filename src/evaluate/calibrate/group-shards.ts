/** The shards of a version without the hidden rows of a query group. Opened when first needed; closed by `close`. */
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import { engineSettings, openShard, type LoadedShard } from '../../retrieve/load/shards.js';
import type { CalibrationQueries, QueryGroup } from './calibration-queries.js';

export class GroupShards {
  private readonly opened = new Map<QueryGroup, Promise<readonly LoadedShard[]>>();

  constructor(
    readonly version: LoadedVersion,
    readonly queries: CalibrationQueries,
  ) {}

  groupAt(position: number): QueryGroup {
    return this.queries.groups.find(({ from, to }) => position >= from && position < to)!;
  }

  shards(group: QueryGroup): Promise<readonly LoadedShard[]> {
    let shards = this.opened.get(group);
    if (shards === undefined) this.opened.set(group, (shards = this.open(group)));
    return shards;
  }

  async close(): Promise<void> {
    for (const opening of this.opened.values()) {
      const shards = await opening.catch(() => []);
      for (const shard of shards) if (!this.version.shards.includes(shard)) shard.graph.close();
    }
    this.opened.clear();
  }

  private async open({ hidden }: QueryGroup): Promise<readonly LoadedShard[]> {
    const { manifest, shards, graphPaths } = this.version;
    const opened: LoadedShard[] = [];
    for (const [position, { graph, ordinals }] of shards.entries()) {
      const without = hidden[position]!;
      const path = graphPaths[position] ?? null;
      opened.push(
        without.length === 0 || path === null
          ? shards[position]!
          : await openShard(path, engineSettings(manifest), { vectors: graph.vectors, ordinals }, without),
      );
    }
    return opened;
  }
}
