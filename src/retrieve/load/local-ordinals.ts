/**
 * Ordinals of some shards of a version, numbered anew without gaps. The order stays that of the whole input, so that
 * ties are decided as in the whole version.
 */
import { Bitset } from '../../base/bitset.js';

interface LocalOrdinals {
  /** For each shard, ascending; together 0 to their number, each once. In shared memory. */
  readonly ordinals: readonly Uint32Array[];
  /** The ordinal in the version of each of these. In shared memory. */
  readonly global: Uint32Array;
}

/**
 * @param shards the ordinals of each shard in the version, ascending
 * @param count rows of the version
 * @param onRepeated called with an ordinal that two shards have, and the position of the later one; must throw
 */
export function localOrdinals(
  shards: readonly Uint32Array[],
  count: number,
  onRepeated: (ordinal: number, position: number) => never,
): LocalOrdinals {
  const present = new Bitset(count);
  for (const [position, ordinals] of shards.entries()) {
    for (const ordinal of ordinals) {
      if (present.has(ordinal)) onRepeated(ordinal, position);
      present.add(ordinal);
    }
  }
  const total = shards.reduce((sum, { length }) => sum + length, 0);
  const global = sharedWords(total);
  // How many are present before each word of bits.
  const before = new Uint32Array(present.words.length);
  let found = 0;
  for (let word = 0; word < present.words.length; word++) {
    before[word] = found;
    for (let bits = present.words[word]!; bits !== 0; bits &= bits - 1) {
      global[found++] = 32 * word + 31 - Math.clz32(bits & -bits);
    }
  }
  const ordinals = shards.map((own) => {
    const local = sharedWords(own.length);
    for (let row = 0; row < own.length; row++) local[row] = rankOf(own[row]!, present.words, before);
    return local;
  });
  return { ordinals, global };
}

function rankOf(ordinal: number, words: Uint32Array, before: Uint32Array): number {
  const word = ordinal >>> 5;
  const lower = words[word]! & ((1 << (ordinal & 31)) - 1);
  return before[word]! + countBits(lower);
}

function countBits(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

function sharedWords(length: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(4 * length));
}
