/**
 * Sets as words of 32 bits (base/bitset.ts), joined word by word in slices. Bits past the last member stay 0. A set
 * that is given is never changed unless its parameter is called `into`.
 */
import { Bitset } from '../../base/bitset.js';
import type { Meter, Work } from '../../base/work.js';

export function emptyWords(count: number): Uint32Array {
  return new Uint32Array((count + 31) >>> 5);
}

/** An empty set for each of so many: together they may take longer to get than a slice. */
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

/**
 * Words, or ordinals, that are visited between two looks at the meter: at most a fifth of a slice, whatever is done
 * with them.
 */
const CHUNK = 1_024;

/** Units of a word that is read or joined as a whole, and of one whose members are visited, of which it may have 32. */
const WORD_UNITS = 1;
const MEMBERS_UNITS = 100;

/** Calls `visit` for stretches of words from 0 to `length`. */
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

/** Keeps what `other` has too. */
export function intersectWords(into: Uint32Array, other: Uint32Array, meter: Meter): Work<void> {
  return visitChunks(into.length, WORD_UNITS, meter, (from, to) => {
    for (let i = from; i < to; i++) into[i] = into[i]! & other[i]!;
  });
}

/** Adds what `other` has. */
export function uniteWords(into: Uint32Array, other: Uint32Array, meter: Meter): Work<void> {
  return visitChunks(into.length, WORD_UNITS, meter, (from, to) => {
    for (let i = from; i < to; i++) into[i] = into[i]! | other[i]!;
  });
}

/** What `words` lacks, as a new set. */
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

/** The members one by one, ascending. @param list has room for exactly all of them */
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

/** The bits of these rows, in their order: bit p of the result is bit list[p] of the words. */
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

/** The rows at these positions of a list, as ordinals among `count` rows. */
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

/** Adds the ordinals at these places of a list. */
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
