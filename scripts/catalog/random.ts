import { seededRandom } from '../../src/base/random.js';

/** Seeded choices: the same seed makes the same ones on every machine. */
export interface Random {
  /** A number from 0 to below 1, with 32 random bits. */
  next(): number;
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number;
  /** True in this share of the calls. */
  chance(share: number): boolean;
  pick<T>(values: readonly T[]): T;
}

export function seededChoices(seed: number): Random {
  const next = seededRandom(seed);
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    next,
    below,
    chance: (share) => next() < share,
    pick: (values) => {
      const value = values[below(values.length)];
      if (value === undefined) throw new RangeError('there is nothing to pick from');
      return value;
    },
  };
}
