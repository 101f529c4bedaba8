/**
 * A version of which this process holds some shards, in the numbers that a gateway uses: ordinals in the whole version,
 * and shards by their numbers in it. Inside the process rows and shards have numbers of their own.
 */
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import type { LoadedShard, RowPlace } from '../../retrieve/load/shards.js';
import { FrameError } from '../fleet/frame.js';

export class LeafVersion {
  private readonly positions: ReadonlyMap<number, number>;

  /** @param shards the numbers of the shards to answer for; empty: all that are loaded */
  constructor(
    readonly version: LoadedVersion,
    shards: readonly number[],
  ) {
    const total = version.manifest.shards.length;
    this.shards = shards.length === 0 ? Array.from({ length: total }, (_, shard) => shard) : shards.filter((shard) => shard < total); // prettier-ignore
    this.positions = new Map(this.shards.map((shard) => [shard, shard]));
  }

  /** Numbers of the shards, ascending. */
  readonly shards: readonly number[];

  /** Position of a shard among the loaded ones. @throws FrameError if it is not one of them */
  positionOf(shard: number): number {
    const position = this.positions.get(shard);
    if (position === undefined) throw new FrameError(`shard ${shard} is not one of ${this.shards.join(', ')}`);
    return position;
  }

  /** Number of the shard at a position. */
  numberOf(position: number): number {
    return position;
  }

  /** The loaded shards that are answered for. */
  loaded(): readonly LoadedShard[] {
    return this.shards.map((shard) => this.version.shards[this.positionOf(shard)]!);
  }

  /** The ordinal in this process of an id; -1 if its shard is not one of these. */
  find(id: string): number {
    const ordinal = this.version.ordinalOf(id);
    return ordinal >= 0 && this.holds(this.version.locate(ordinal)) ? ordinal : -1;
  }

  holds({ shard }: RowPlace): boolean {
    return this.positions.has(this.numberOf(shard));
  }

  /** The ordinal in the whole version. @param ordinal in this process */
  toInput(ordinal: number): number {
    return ordinal;
  }

  toInputs(ordinals: Uint32Array): Uint32Array {
    return ordinals;
  }

  /** How many rows of this process come before an ordinal of the whole version. */
  rankOf(ordinal: number): number {
    return ordinal;
  }

  /** The ordinal in this process; -1 if another process has the row. */
  toLocal(ordinal: number): number {
    if (ordinal >= this.version.manifest.count) return -1;
    return this.holds(this.version.locate(ordinal)) ? ordinal : -1;
  }

  /** @throws FrameError if another process has one of the rows */
  toLocals(ordinals: Uint32Array): Uint32Array {
    return ordinals.map((ordinal) => {
      const local = this.toLocal(ordinal);
      if (local < 0) throw new FrameError(`ordinal ${ordinal} is in a shard of another server`);
      return local;
    });
  }
}
