/**
 * Reproducible randomness: equal seeds give equal sequences on every machine. Written by hand: a seed promises equal
 * bytes, and a new release of a package could change the sequence.
 */

/** A generator of uniform numbers in [0, 1): mulberry32 (Tommy Ettinger, public domain), with 32 bits of state. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `size` distinct numbers below `population`, ascending; all of them if `size` is no smaller. */
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

/** Shuffles in place (Fisher-Yates). */
export function shuffle(values: Uint32Array, seed: number): Uint32Array {
  const random = seededRandom(seed);
  for (let last = values.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [values[last], values[other]] = [values[other]!, values[last]!];
  }
  return values;
}
