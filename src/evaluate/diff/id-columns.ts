/**
 * Counts of many ids in typed arrays: 40 bytes for each id that is counted, and 4 for each row of both versions. As
 * objects, the ids of 1,000 queries at k = 10,000 would fill the heap.
 */

/** One number for each id of the old version and of the new one. */
export interface Sides {
  from: number;
  to: number;
}

type Counter = Float64Array | Int32Array | Uint32Array;

const FIRST_SIZE = 1_024;

export class IdColumns {
  /** Number of ids. Each has a slot below it. */
  size = 0;
  /** Its ordinal in each version; -1 if that does not have it. */
  ordinals = { from: new Int32Array(FIRST_SIZE), to: new Int32Array(FIRST_SIZE) };
  /** Number of answers that have it. */
  answers = { from: new Uint32Array(FIRST_SIZE), to: new Uint32Array(FIRST_SIZE) };
  /** Sum of 1 / rank over these answers. */
  reciprocalRanks = { from: new Float64Array(FIRST_SIZE), to: new Float64Array(FIRST_SIZE) };
  /** Number of queries whose answer it entered, and left. */
  changes = { entered: new Uint32Array(FIRST_SIZE), left: new Uint32Array(FIRST_SIZE) };
  /** By key: slot + 1, or 0. */
  private readonly slots: Uint32Array;

  /** @param keys keys are below it */
  constructor(keys: number) {
    this.slots = new Uint32Array(keys);
  }

  /** The slot of an id that was added. */
  slotOf(key: number): number {
    return this.slots[key]! - 1;
  }

  /** The slot of an id, which is added if it is new. */
  add(key: number, from: number, to: number): number {
    if (this.slots[key] !== 0) return this.slots[key]! - 1;
    if (this.size === this.ordinals.from.length) this.grow();
    const slot = this.size++;
    this.slots[key] = slot + 1;
    this.ordinals.from[slot] = from;
    this.ordinals.to[slot] = to;
    return slot;
  }

  private grow(): void {
    const { ordinals, answers, reciprocalRanks: ranks, changes } = this;
    this.ordinals = { from: doubled(ordinals.from), to: doubled(ordinals.to) };
    this.answers = { from: doubled(answers.from), to: doubled(answers.to) };
    this.reciprocalRanks = { from: doubled(ranks.from), to: doubled(ranks.to) };
    this.changes = { entered: doubled(changes.entered), left: doubled(changes.left) };
  }
}

function doubled<T extends Counter>(values: T): T {
  const larger = new (values.constructor as new (length: number) => T)(2 * values.length);
  larger.set(values);
  return larger;
}
