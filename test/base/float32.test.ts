import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { float16ToNumber, shortestFloat32 } from '../../src/base/float32.js';

const digitsOf = (value: number) => value.toExponential().replace(/e.*|[-.]/g, '').length;

describe('shortestFloat32', () => {
  it('restores the float32 with as few digits as any decimal can', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const shortest = shortestFloat32(value);
        expect(Math.fround(shortest)).toBe(value);
        const fewest = [1, 2, 3, 4, 5, 6, 7, 8, 9].find(
          (digits) => Math.fround(Number(value.toPrecision(digits))) === value,
        )!;
        if (!Number.isInteger(value)) expect(digitsOf(shortest)).toBeLessThanOrEqual(fewest);
      }),
      { seed: 31, numRuns: 5000 },
    );
  });

  it.each([0.3, 0.1, 123.456, 1e-12, 3.4e38, -0.93])('prints float32(%d) as it was written', (value) => {
    expect(shortestFloat32(Math.fround(value))).toBe(value);
  });
});

describe('float16ToNumber', () => {
  it.each([
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0001, 2 ** -24],
    [0x7c00, Infinity],
    [0xfc00, -Infinity],
    [0x3555, 0.333251953125],
  ])('0x%s is %d', (bits, value) => expect(float16ToNumber(bits)).toBe(value));
  it('0x7e00 is NaN', () => expect(float16ToNumber(0x7e00)).toBeNaN());
});
