import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dot, normalizeRow, squaredL2, toScore } from '../../src/base/metric.js';

const component = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1000, max: 1000 });
const vectors = fc.integer({ min: 1, max: 70 }).chain((dim) =>
  fc.tuple(
    fc.array(component, { minLength: dim, maxLength: dim }).map((v) => Float32Array.from(v)),
    fc.array(component, { minLength: dim, maxLength: dim }).map((v) => Float32Array.from(v)),
  ),
);

/** The documented order, written the slow way: eight lanes, then pairwise. */
function laneSum(terms: number[]): number {
  const lanes = new Array<number>(8).fill(0);
  terms.forEach((term, j) => (lanes[j % 8]! += term));
  const [a, b, c, d, e, f, g, h] = lanes as [number, number, number, number, number, number, number, number];
  return a + e + (c + g) + (b + f + (d + h));
}

describe('raw kernels', () => {
  it('dot adds products lane by lane in the documented order', () => {
    fc.assert(
      fc.property(vectors, ([a, b]) => {
        expect(dot(a, 0, b, 0, a.length)).toBe(laneSum(Array.from(a, (x, j) => x * b[j]!)));
      }),
      { seed: 11 },
    );
  });

  it('squaredL2 adds squared differences lane by lane in the documented order', () => {
    fc.assert(
      fc.property(vectors, ([a, b]) => {
        expect(squaredL2(a, 0, b, 0, a.length)).toBe(laneSum(Array.from(a, (x, j) => (x - b[j]!) ** 2)));
      }),
      { seed: 12 },
    );
  });

  it('both read rows at any offset', () => {
    const rows = Float32Array.from({ length: 60 }, (_, i) => Math.sin(i));
    const [a, b] = [rows.slice(20, 39), rows.slice(40, 59)];
    expect(dot(rows, 20, rows, 40, 19)).toBe(dot(a, 0, b, 0, 19));
    expect(squaredL2(rows, 20, rows, 40, 19)).toBe(squaredL2(a, 0, b, 0, 19));
  });
});

describe('scores', () => {
  it('a distance of zero is 0, not -0', () => expect(Object.is(toScore('l2', 0), 0)).toBe(true));
  it('a cosine beyond 1 by rounding ends at 1', () => expect(toScore('cosine', 1.0000001)).toBe(1));
  it('an inner product beyond float32 is the largest float32, never infinite', () => {
    expect(toScore('ip', 1e39)).toBe(3.4028234663852886e38);
    expect(toScore('ip', -1e39)).toBe(-3.4028234663852886e38);
  });
});

describe('scaling to unit length', () => {
  it('scaling twice is scaling once, to the bit, at any magnitude', () => {
    fc.assert(
      fc.property(vectors, fc.integer({ min: -55, max: 55 }), ([a], exponent) => {
        const once = a.map((x) => x * 2 ** exponent);
        fc.pre(once.some((x) => x !== 0));
        expect(normalizeRow(once, 0, once.length)).toBe(true);
        const twice = once.slice();
        normalizeRow(twice, 0, twice.length);
        expect(twice).toEqual(once);
        expect(Math.abs(dot(once, 0, once, 0, once.length) - 1)).toBeLessThan(2 ** -22);
      }),
      { seed: 13 },
    );
  });

  it('refuses the zero vector and leaves it alone', () => {
    const zero = new Float32Array(5);
    expect(normalizeRow(zero, 0, 5)).toBe(false);
    expect(zero).toEqual(new Float32Array(5));
  });
});
