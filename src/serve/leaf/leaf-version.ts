/**
 * A version of which this process holds some shards, in the numbers that a gateway uses: ordinals in the whole version,
 * and shards by their numbers in it. In the process, rows and shards are numbered without gaps.
 */
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import { FrameError } from '../fleet/frame.js';

export class LeafVersion {
  constructor(readonly version: LoadedVersion) {}

  /** Numbers of the shards, in the order of the loaded ones. */
  get shards(): readonly number[] {
    return this.version.shardNumbers;
  }

  /** Position of a shard among the loaded ones. @throws FrameError if it is not one of them */
  positionOf(shard: number): number {
    const position = this.shards.indexOf(shard);
    if (position < 0) throw new FrameError(`names shard ${shard}, and the server holds ${this.shards.join(', ')}`);
    return position;
  }

  /** The ordinal in the whole version. @param ordinal in this process */
  toInput(ordinal: number): number {
    return this.version.inputOrdinals?.[ordinal] ?? ordinal;
  }

  toInputs(ordinals: Uint32Array): Uint32Array {
    const { inputOrdinals } = this.version;
    return inputOrdinals === null ? ordinals : ordinals.map((ordinal) => inputOrdinals[ordinal]!);
  }

  /** How many rows of this process come before an ordinal of the whole version. */
  rankOf(ordinal: number): number {
    const { inputOrdinals, count } = this.version;
    if (inputOrdinals === null) return Math.min(ordinal, count);
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (inputOrdinals[middle]! < ordinal) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The ordinal in this process; -1 if another process has the row. */
  toLocal(ordinal: number): number {
    const local = this.rankOf(ordinal);
    return local < this.version.count && this.toInput(local) === ordinal ? local : -1;
  }

  /** @throws FrameError if another process has one of the rows */
  toLocals(ordinals: Uint32Array): Uint32Array {
    return ordinals.map((ordinal) => {
      const local = this.toLocal(ordinal);
      if (local < 0) throw new FrameError(`names the ordinal ${ordinal}, which is in a shard of another server`);
      return local;
    });
  }
}
