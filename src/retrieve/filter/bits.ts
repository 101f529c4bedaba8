/**
 * Sets as words of 32 bits (base/bitset.ts), combined in slices. Bits beyond the last member stay 0. Only parameters
 * named `into` are changed.
 */
import { Bitset } from '../../base/bitset.js';
import type { Meter, Work } from '../../base/work.js';

export function emptyWords(count: number): Uint32Array {
  return new Uint32Array((count + 31) >>> 5);
}

/** Allocates several empty sets, in slices since large ones take long. */
export function* emptySets(sets: number, count: number, meter: Meter): Work<Uint32Array[]> {
  const made: Uint32Array[] = [];
  for (let i = 0; i < sets; i++) {
    const words = emptyWords(count);
    made.push(words);
    if (meter.spend(2 * words.length)) yield;
  }
  return made;
}

export function hasBit(words: Uint32Array, position: number): boolean {
  return (words[position >>> 5]! & (1 << (position & 31))) !== 0;
}

export function addBit(into: Uint32Array, position: number): void {
  into[position >>> 5]! |= 1 << (position & 31);
}

/** Words or ordinals visited between two checks of the meter: at most a fifth of a slice. */
const CHUNK = 1_024;

/** Meter units of a word that is combined as a whole, and of one whose members (up to 32) are visited. */
const WORD_UNITS = 1;
const MEMBERS_UNITS = 100;

/** Calls `visit` for chunks of words from 0 to `length`. */
function* visitChunks(
  length: number,
  units: number,
  meter: Meter,
  visit: (from: number, to: number) => void,
): Work<void> {
  for (let from = 0; from < length; from += CHUNK) {
    const to = Math.min(from + CHUNK, length);
    visit(from, to);
    if (meter.spend(units * (to - from))) yield;
  }
}

export function intersectWords(into: Uint32Array, other: Uint32Array, meter: Meter): Work<void> {
  return visitChunks(into.length, WORD_UNITS, meter, (from, to) => {
    for (let i = from; i < to; i++) into[i] = into[i]! & other[i]!;
  });
}

export function uniteWords(into: Uint32Array, other: Uint32Array, meter: Meter): Work<void> {
  return visitChunks(into.length, WORD_UNITS, meter, (from, to) => {
    for (let i = from; i < to; i++) into[i] = into[i]! | other[i]!;
  });
}

/** The complement of `words`, as a new set. */
export function* invertWords(words: Uint32Array, count: number, meter: Meter): Work<Uint32Array> {
  const inverted = new Uint32Array(words.length);
  yield* visitChunks(words.length, WORD_UNITS, meter, (from, to) => {
    for (let i = from; i < to; i++) inverted[i] = ~words[i]!;
  });
  const rest = count & 31;
  if (rest !== 0) inverted[words.length - 1]! &= (1 << rest) - 1;
  return inverted;
}

export function* countWords(words: Uint32Array, meter: Meter): Work<number> {
  let total = 0;
  yield* visitChunks(words.length, WORD_UNITS, meter, (from, to) => {
    total += new Bitset(32 * (to - from), words.subarray(from, to)).count();
  });
  return total;
}

/** Lists the members, ascending. @param list has room for exactly all of them */
export function* listMembers(words: Uint32Array, list: Uint32Array, meter: Meter): Work<Uint32Array> {
  let at = 0;
  yield* visitChunks(words.length, MEMBERS_UNITS, meter, (from, to) => {
    for (let word = from; word < to; word++) {
      for (let bits = words[word]!; bits !== 0; bits &= bits - 1)
        list[at++] = 32 * word + 31 - Math.clz32(bits & -bits);
    }
  });
  return list;
}

/** The `count` bits from bit `start` on. */
export function* sliceBits(words: Uint32Array, start: number, count: number, meter: Meter): Work<Uint32Array> {
  const slice = emptyWords(count);
  const [first, shift] = [start >>> 5, start & 31];
  yield* visitChunks(slice.length, WORD_UNITS, meter, (from, to) => {
    for (let word = from; word < to; word++) {
      const low = words[first + word]! >>> shift;
      slice[word] = shift === 0 ? low : low | ((words[first + word + 1] ?? 0) << (32 - shift));
    }
  });
  const rest = count & 31;
  if (rest !== 0) slice[slice.length - 1]! &= (1 << rest) - 1;
  return slice;
}

/** Gathers the bits of the listed rows: bit p of the result is bit list[p] of the words. */
export function* gatherBits(words: Uint32Array, list: Uint32Array, meter: Meter): Work<Uint32Array> {
  const gathered = emptyWords(list.length);
  yield* visitChunks(gathered.length, MEMBERS_UNITS, meter, (from, to) => {
    for (let word = from; word < to; word++) {
      const end = Math.min(32 * word + 32, list.length);
      let bits = 0;
      for (let p = 32 * word, bit = 0; p < end; p++, bit++) {
        const ordinal = list[p]!;
        bits |= ((words[ordinal >>> 5]! >>> (ordinal & 31)) & 1) << bit;
      }
      gathered[word] = bits;
    }
  });
  return gathered;
}

/** The inverse: rows at the given positions of a list, as ordinals among `count` rows. */
export function* scatterBits(
  positions: Uint32Array,
  list: Uint32Array,
  count: number,
  meter: Meter,
): Work<Uint32Array> {
  const words = emptyWords(count);
  yield* visitChunks(positions.length, MEMBERS_UNITS, meter, (from, to) => {
    for (let word = from; word < to; word++) {
      for (let bits = positions[word]!; bits !== 0; bits &= bits - 1) {
        addBit(words, list[32 * word + 31 - Math.clz32(bits & -bits)]!);
      }
    }
  });
  return words;
}

/** Adds the ordinals at places `from` to `to` of a list. */
export function* addOrdinals(
  into: Uint32Array,
  ordinals: Uint32Array,
  from: number,
  to: number,
  meter: Meter,
): Work<void> {
  while (from < to) {
    const end = Math.min(from + CHUNK, to);
    for (let i = from; i < end; i++) addBit(into, ordinals[i]!);
    if (meter.spend(4 * (end - from))) yield;
    from = end;
  }
}
