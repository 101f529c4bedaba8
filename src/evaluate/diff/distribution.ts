/** Means and quantiles of many numbers, in bounded memory. */
import { seededRandom } from '../../base/random.js';
import { percentile } from '../grid.js';

/** Names are those of the JSON output. */
export interface Distribution {
  readonly mean: number;
  readonly p5: number;
  readonly p50: number;
  readonly p95: number;
}

/** Numbers kept for quantiles: 8 MiB. With more, quantiles are those of a uniform sample of them. */
const MAX_KEPT = 2 ** 20;
const SEED = 42;

/** Collects numbers. The mean is that of all; quantiles are exact up to MAX_KEPT numbers. */
export class NumberSample {
  private readonly kept: number[] = [];
  private readonly random = seededRandom(SEED);
  private count = 0;
  private sum = 0;

  add(value: number): void {
    this.count++;
    this.sum += value;
    if (this.kept.length < MAX_KEPT) {
      this.kept.push(value);
      return;
    }
    // Algorithm R (Vitter 1985): each number is kept with the same probability.
    const place = Math.floor(this.random() * this.count);
    if (place < MAX_KEPT) this.kept[place] = value;
  }

  get mean(): number {
    return this.sum / Math.max(1, this.count);
  }

  /** The values at these shares of the sorted numbers, nearest rank; null if there are none. */
  quantiles(shares: readonly number[]): number[] | null {
    if (this.count === 0) return null;
    const sorted = Float64Array.from(this.kept).sort();
    return shares.map((share) => round(percentile(sorted, share)));
  }

  /** Null if there are no numbers. */
  distribution(): Distribution | null {
    const quantiles = this.quantiles([0.05, 0.5, 0.95]);
    if (quantiles === null) return null;
    const [p5, p50, p95] = quantiles as [number, number, number];
    return { mean: round(this.mean), p5, p50, p95 };
  }
}

/** Six significant digits: more would be false precision, and sums of decimals would print as 0.9998800000000001. */
export function round(value: number): number {
  return Number(value.toPrecision(6)) + 0; // + 0 turns -0 into 0
}
