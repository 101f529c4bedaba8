/**
 * Ranges of texts by code points, which is the order of their UTF-8 bytes. The bounds of all tests are sorted once; one
 * binary search finds the ranges of a text.
 */
import type { TextBound } from './filter-plan.js';
import type { Meter, Work } from '../../base/work.js';

export interface TextRange {
  /** Null means no bound. */
  readonly low: TextBound | null;
  readonly high: TextBound | null;
}

export class TextBounds {
  private constructor(
    /** Ascending, distinct. */
    private readonly bounds: readonly Buffer[],
    /** The ranges that pass at each place: even places lie between two bounds, odd ones on a bound. */
    private readonly passing: readonly (readonly number[])[],
    /** Meter units of one search for a text of `bytes` bytes. */
    readonly cost: (bytes: number) => number,
  ) {}

  static *build(ranges: readonly TextRange[], meter: Meter): Work<TextBounds> {
    const texts = ranges.flatMap(({ low, high }) => [low, high]).flatMap((bound) => bound?.text ?? []);
    const bounds = [...new Set(texts)].map((text) => Buffer.from(text)).sort((a, b) => a.compare(b));
    const places = new Map(bounds.map((bound, i) => [bound.toString(), 2 * i + 1]));
    const passing: number[][] = Array.from({ length: 2 * bounds.length + 1 }, () => []);
    for (const [range, { low, high }] of ranges.entries()) {
      const first = low === null ? 0 : places.get(low.text)! + (low.inclusive ? 0 : 1);
      const last = high === null ? 2 * bounds.length : places.get(high.text)! - (high.inclusive ? 0 : 1);
      for (let place = first; place <= last; place++) passing[place]!.push(range);
      if (meter.spend(10 * (last - first + 2))) yield;
    }
    const steps = Math.ceil(Math.log2(bounds.length + 1));
    const longest = Math.max(...bounds.map(({ length }) => length));
    return new TextBounds(bounds, passing, (bytes) => steps * (20 + Math.min(bytes, longest)));
  }

  rangesOf(bytes: Uint8Array, start: number, end: number): readonly number[] {
    let low = 0;
    let high = this.bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = compareBytes(this.bounds[middle]!, bytes, start, end);
      if (order === 0) return this.passing[2 * middle + 1]!;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return this.passing[2 * low]!;
  }
}

/** Negative if `a` comes before the text. */
function compareBytes(a: Uint8Array, bytes: Uint8Array, start: number, end: number): number {
  const length = Math.min(a.length, end - start);
  for (let i = 0; i < length; i++) {
    const difference = a[i]! - bytes[start + i]!;
    if (difference !== 0) return difference;
  }
  return a.length - (end - start);
}
