/** The rows of a shard that a filter lets pass, as every thread can have them. */

/**
 * Words of a bitset over the rows of a shard, and how many they hold: plain, so that threads can have them. Not to be
 * changed.
 */
export interface PassingRows {
  readonly words: Uint32Array;
  readonly count: number;
  /** The rows one by one, where few pass; some may have been taken out of the words since. */
  readonly list?: Uint32Array | undefined;
}
