/** A version as a gateway knows it: its facts, and which servers hold which of its shards. It has no rows. */
import type { IdType } from '../../base/id-table.js';
import { murmur3, shardOf } from '../../base/hash.js';
import type { CalibrationState } from '../../retrieve/load/calibration.js';
import type { Manifest } from '../../version/sealed/manifest.js';
import { idTypeOf } from '../../version/sealed/type-name.js';
import type { Operation } from '../fleet/message-head.js';
import type { VersionFacts } from '../fleet/state.js';

/** Servers that hold the same shards. */
export interface ShardGroup {
  /** Ascending. */
  readonly shards: readonly number[];
  /**
   * One message to one of the servers; another server may get it too, if the first is slow or fails.
   * @throws the error of a server that understood the message; shards_unavailable, overloaded, deadline_exceeded
   */
  call(version: Manifest, operation: Operation, body: Buffer, call: CallOptions): Promise<Buffer>;
}

export interface CallOptions {
  readonly signal: AbortSignal;
  readonly timeLeftMs: number;
  readonly headers: Readonly<Record<string, string>>;
}

export class FleetVersion {
  readonly attributes: { readonly names: readonly string[] };
  readonly idType: IdType;
  /** Position of the group of each shard; -1 if no server holds it. */
  private readonly groupOfShard: Int16Array;

  /** @param groups hold disjoint shards */
  constructor(
    readonly facts: VersionFacts,
    readonly groups: readonly ShardGroup[],
  ) {
    this.attributes = { names: facts.manifest.attributes.map(({ name }) => name) };
    this.idType = idTypeOf(facts.manifest.id.type);
    this.groupOfShard = new Int16Array(facts.manifest.shards.length).fill(-1);
    for (const [position, { shards }] of groups.entries())
      for (const shard of shards) this.groupOfShard[shard] = position;
  }

  get manifest(): Manifest {
    return this.facts.manifest;
  }

  /** Shards that no server holds. */
  get missing(): number[] {
    return [...this.groupOfShard.keys()].filter((shard) => this.groupOfShard[shard]! < 0);
  }

  calibration(): CalibrationState {
    const { calibration, uncalibrated } = this.facts;
    return calibration === null ? { calibration, reason: uncalibrated } : { calibration };
  }

  /** Position of the group that holds the shard; -1 if none does. */
  groupOf(shard: number): number {
    return this.groupOfShard[shard]!;
  }

  /** The shard to which an id belongs, whether or not there is such an item. */
  shardOfId(id: string): number {
    const bytes = Buffer.from(id);
    return shardOf(murmur3(bytes, 0, bytes.length), this.manifest.shards.length);
  }
}
