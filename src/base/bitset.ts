/** A set of rows as bits: one 32-bit word per 32 rows, row r in bit r & 31 of word r >> 5. Bits past `size` stay 0. */
export class Bitset {
  constructor(
    readonly size: number,
    readonly words: Uint32Array = new Uint32Array((size + 31) >>> 5),
  ) {}

  /** A set that holds every row below `size`. */
  static full(size: number): Bitset {
    const set = new Bitset(size);
    set.words.fill(0xffffffff);
    const rest = size & 31;
    if (rest !== 0) set.words[set.words.length - 1] = (1 << rest) - 1;
    return set;
  }

  has(row: number): boolean {
    return (this.words[row >>> 5]! & (1 << (row & 31))) !== 0;
  }

  add(row: number): void {
    this.words[row >>> 5]! |= 1 << (row & 31);
  }

  delete(row: number): void {
    this.words[row >>> 5]! &= ~(1 << (row & 31));
  }

  /** Number of rows in the set, counted at each call. */
  count(): number {
    let total = 0;
    for (let word of this.words) {
      word -= (word >>> 1) & 0x55555555;
      word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
      total += Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
    }
    return total;
  }
}
