/**
 * Reproducible randomness: equal seeds give equal sequences on every machine. By hand, for a seed is a promise of equal
 * bytes: another release of a package must not be able to change the sequence.
 */

/**
 * Uniform in [0, 1). The generator is mulberry32 (Tommy Ettinger, public domain): 32 bits of state, one multiply-xor
 * chain a number.
 */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `size` distinct numbers below `population`, ascending; all of them when there are no more. */
export function sampleDistinct(population: number, size: number, seed: number): Uint32Array {
  if (size >= population) return Uint32Array.from({ length: population }, (_, i) => i);
  const random = seededRandom(seed);
  const chosen = new Set<number>();
  // Floyd's algorithm: each of the `size` steps adds exactly one number, and every subset is equally likely.
  for (let top = population - size; top < population; top++) {
    const pick = Math.floor(random() * (top + 1));
    chosen.add(chosen.has(pick) ? top : pick);
  }
  return Uint32Array.from(chosen).sort();
}

/** In place, by Fisher and Yates. */
export function shuffle(values: Uint32Array, seed: number): Uint32Array {
  const random = seededRandom(seed);
  for (let last = values.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [values[last], values[other]] = [values[other]!, values[last]!];
  }
  return values;
}
