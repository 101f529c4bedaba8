/**
 * Where the rows of a version are. A row has an ordinal, its place in the build's input, which decides ties; and a
 * position, its place when the rows of all shards are laid end to end. Files per shard give positions; queries and
 * answers have ordinals. With one shard both are equal, and nothing is stored; else 4 bytes a row.
 */

/** A shard, by its position among those that are loaded, and a row of it. */
export interface RowPlace {
  readonly shard: number;
  readonly row: number;
}

export class RowPlaces {
  private constructor(
    readonly count: number,
    /** The first position of each shard, then the number of rows. */
    private readonly starts: Uint32Array,
    /** Position of each ordinal; null if both are equal. */
    private readonly positions: Uint32Array | null,
  ) {}

  /**
   * @param ordinals of each shard's rows, ascending, below their number
   * @param onRepeated called with an ordinal that two shards have, and the later shard; must throw
   */
  static of(ordinals: readonly Uint32Array[], onRepeated: (ordinal: number, shard: number) => never): RowPlaces {
    const starts = new Uint32Array(ordinals.length + 1);
    for (const [shard, { length }] of ordinals.entries()) starts[shard + 1] = starts[shard]! + length;
    const count = starts[ordinals.length]!;
    if (ordinals.some(({ length }) => length === count)) return new RowPlaces(count, starts, null);
    const positions = new Uint32Array(count).fill(NOWHERE);
    for (const [shard, own] of ordinals.entries()) {
      for (let row = 0, position = starts[shard]!; row < own.length; row++, position++) {
        if (positions[own[row]!] !== NOWHERE) onRepeated(own[row]!, shard);
        positions[own[row]!] = position;
      }
    }
    return new RowPlaces(count, starts, positions);
  }

  get residentBytes(): number {
    return this.positions?.byteLength ?? 0;
  }

  /** Whether ordinals are positions. */
  get isIdentity(): boolean {
    return this.positions === null;
  }

  /** @param ordinal below `count` */
  positionOf(ordinal: number): number {
    return this.positions === null ? ordinal : this.positions[ordinal]!;
  }

  /** The first position of a shard's rows. */
  startOf(shard: number): number {
    return this.starts[shard]!;
  }

  /** @param ordinal below `count` */
  locate(ordinal: number): RowPlace {
    const position = this.positionOf(ordinal);
    const { starts } = this;
    let low = 0;
    let high = starts.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (starts[middle]! <= position) low = middle;
      else high = middle;
    }
    return { shard: low, row: position - starts[low]! };
  }
}

/** Above every position: shards have fewer rows together. */
const NOWHERE = 0xffffffff;
