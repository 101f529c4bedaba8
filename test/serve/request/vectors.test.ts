/** Vectors in requests, as JSON and as base64. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ShortlistError } from '../../../src/base/errors.js';
import { readBase64Vector, readJsonVector } from '../../../src/serve/request/vectors.js';

describe('vectors', () => {
  const seed = 20_261_123;
  it(`come through JSON and base64 with every bit (seed ${seed})`, () => {
    const float32 = fc.float({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(fc.array(float32), (values) => {
        const vector = Float32Array.from(values);
        expect(readBase64Vector(Buffer.from(vector.buffer).toString('base64'), '/v')).toEqual(vector);
        expect(readJsonVector(JSON.parse(JSON.stringify(values)) as unknown, '/v')).toEqual(
          vector.map((value) => value + 0),
        );
      }),
      { seed },
    );
  });

  it(`are taken as base64 exactly where encoding their bytes again gives the same text (seed ${seed})`, () => {
    const character = fc.constantFrom(...'A Q g w B z 0 9 + / = - _ \n * é'.split(' '), ' ');
    const text = fc.array(character, { maxLength: 24 }).map((characters) => characters.join(''));
    const mended = fc.uint8Array({ maxLength: 18 }).map((bytes) => Buffer.from(bytes).toString('base64'));
    const isTaken = (value: string): boolean => {
      try {
        readBase64Vector(value, '/v');
      } catch (error) {
        return (error as ShortlistError).code !== 'bad_base64';
      }
      return true;
    };
    let taken = 0;
    const property = fc.property(mended, text, fc.nat(), (good, odd, at) => {
      for (const value of [
        good,
        odd,
        good + odd,
        good.slice(0, at % 25) + odd.slice(0, 1) + good.slice((at % 25) + 1),
      ]) {
        const wanted = Buffer.from(value, 'base64').toString('base64') === value;
        if (wanted) taken++;
        expect(isTaken(value), value).toBe(wanted);
      }
    });
    fc.assert(property, { seed, numRuns: 20_000 });
    expect(taken).toBeGreaterThan(20_000);
  });

  it(`are refused as base64 when any character is wrong (seed ${seed})`, () => {
    const good = Buffer.from(new Float32Array([1, 2, 3]).buffer).toString('base64');
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.constantFrom('*', ' ', '\n', '-', '_', 'é'), (at, wrong) => {
        const text = good.slice(0, at) + wrong + good.slice(at + 1);
        expect(() => readBase64Vector(text, '/v')).toThrow(expect.objectContaining({ code: 'bad_base64' }) as Error);
      }),
      { seed },
    );
  });
});
