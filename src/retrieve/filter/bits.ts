/** Sets of ordinals as words of 32 bits (base/bitset.ts), joined word by word. Bits past the last ordinal stay 0. */

export function emptyWords(count: number): Uint32Array {
  return new Uint32Array((count + 31) >>> 5);
}

/** Keeps in `words` what `other` has too. */
export function intersectWords(words: Uint32Array, other: Uint32Array): void {
  for (let i = 0; i < words.length; i++) words[i] = words[i]! & other[i]!;
}

/** Adds to `words` what `other` has. */
export function uniteWords(words: Uint32Array, other: Uint32Array): void {
  for (let i = 0; i < words.length; i++) words[i] = words[i]! | other[i]!;
}

/** What `words` lacks, as a new set. */
export function invertWords(words: Uint32Array, count: number): Uint32Array {
  const inverted = new Uint32Array(words.length);
  for (let i = 0; i < words.length; i++) inverted[i] = ~words[i]!;
  const rest = count & 31;
  if (rest !== 0) inverted[words.length - 1]! &= (1 << rest) - 1;
  return inverted;
}

/** Adds the ordinals at these positions of a list. */
export function addOrdinals(words: Uint32Array, ordinals: Uint32Array, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    const ordinal = ordinals[i]!;
    words[ordinal >>> 5]! |= 1 << (ordinal & 31);
  }
}

/** Takes out what fails the test. For small sets: the test is called for each member. */
export function keepPassing(words: Uint32Array, passes: (ordinal: number) => boolean): void {
  for (let i = 0; i < words.length; i++) {
    let kept = words[i]!;
    if (kept === 0) continue;
    for (let rest = kept; rest !== 0; rest &= rest - 1) {
      const bit = 31 - Math.clz32(rest & -rest);
      if (!passes(i * 32 + bit)) kept &= ~(1 << bit);
    }
    words[i] = kept;
  }
}
