import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { METRICS, rawKernel } from '../../../src/base/metric.js';
import { openExact } from '../../../src/engine/exact/exact.js';
import { kernelsOf, packTile } from '../../../src/engine/exact/kernels.js';
import { rankRows, scan } from '../../../src/engine/exact/scan.js';
import { describeEngineContract } from '../contract.js';
import { bruteForce, randomSet, randomValues, randomVectors } from '../reference.js';

describeEngineContract({ name: 'exact', path: 'exact', open: (vectors) => Promise.resolve(openExact(vectors)) });

/** Every magnitude that vectors may have, so that sums round, cancel and keep signed zeros. */
const component = fc.oneof(
  fc.float({ noNaN: true, min: Math.fround(-1e18), max: Math.fround(1e18) }),
  fc.float({ noNaN: true, min: -1, max: 1 }),
  fc.constantFrom(0, -0, 1, -1, 1e-45),
);
const floats = (length: number) =>
  fc.array(component, { minLength: length, maxLength: length }).map((values) => Float32Array.from(values));

describe('the blocked kernels', () => {
  it.each(METRICS)('give the sums of base/metric.ts to the bit, %s', (metric) => {
    const { tile, strip } = kernelsOf(metric);
    const raw = rawKernel(metric);
    const cases = fc
      .integer({ min: 1, max: 70 })
      .chain((dim) => fc.tuple(fc.constant(dim), floats(4 * dim), floats(4 * dim)));
    fc.assert(
      fc.property(cases, ([dim, rows, queries]) => {
        const out = new Float64Array(9);
        tile(rows, 0, 2 * dim, packTile(queries, 0, dim), dim, out, 1);
        for (let q = 0; q < 4; q++) {
          expect(out[1 + q]).toBe(raw(rows, 0, queries, q * dim, dim));
          expect(out[5 + q]).toBe(raw(rows, 2 * dim, queries, q * dim, dim));
        }
        strip(rows, 3 * dim, dim, 0, dim, Float64Array.from(queries.subarray(dim, 2 * dim)), dim, out, 0);
        expect([...out.subarray(0, 4)]).toEqual([3, 1, 0, 1].map((row) => raw(rows, row * dim, queries, dim, dim)));
      }),
      { seed: 21, numRuns: 300 },
    );
  });
});

describe('scan', () => {
  it('gives what scoring and sorting every row gives, for any rows, range, filter, k and number of queries', () => {
    const cases = fc.record({
      metric: fc.constantFrom(...METRICS),
      dim: fc.integer({ min: 1, max: 40 }),
      count: fc.integer({ min: 0, max: 400 }),
      distinct: fc.integer({ min: 1, max: 400 }),
      queryCount: fc.integer({ min: 0, max: 9 }),
      k: fc.integer({ min: 1, max: 60 }),
      share: fc.constantFrom(undefined, 0, 0.01, 0.3, 0.9, 1),
      ends: fc.tuple(fc.nat(400), fc.nat(400)),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(cases, ({ metric, dim, count, distinct, queryCount, k, share, ends, seed }) => {
        const space = { metric, dim };
        const vectors = { ...space, count, values: repeatRows(randomValues(space, distinct, seed), dim, count) };
        const queries = randomValues(space, queryCount, seed + 1);
        const allow = share === undefined ? undefined : randomSet(count, share, seed + 2);
        const [from, to] = ends.map((end) => Math.min(end, count)).sort((a, b) => a - b) as [number, number];
        const answers = scan(vectors, queries, queryCount, { k, allow }, from, to);
        expect(answers.length).toBe(queryCount);
        answers.forEach((answer, i) => {
          const query = queries.slice(i * dim, (i + 1) * dim);
          expect(answer).toEqual(bruteForce(vectors, query, { k, allow, from, to }));
        });
      }),
      { seed: 22, numRuns: 300 },
    );
  });

  it('takes rows in blocks of any size: wide rows, and more rows than a block holds', () => {
    for (const [dim, count] of [
      [16_384, 11],
      [1, 5000],
      [700, 150],
    ] as const) {
      const space = { metric: 'l2', dim } as const;
      const vectors = randomVectors(space, count, 3);
      const queries = randomValues(space, 6, 4);
      const allow = randomSet(count, 0.5, 5);
      for (const set of [undefined, allow]) {
        scan(vectors, queries, 6, { k: 7, allow: set }).forEach((answer, i) => {
          const query = queries.slice(i * dim, (i + 1) * dim);
          expect(answer).toEqual(bruteForce(vectors, query, { k: 7, allow: set }));
        });
      }
    }
  });

  it('refuses arguments that contradict each other', () => {
    const vectors = randomVectors({ metric: 'l2', dim: 3 }, 10, 1);
    const query = new Float32Array(3);
    expect(() => scan(vectors, query, 2, { k: 1 })).toThrow('2 queries');
    expect(() => scan(vectors, query, 1, { k: 0 })).toThrow('k is 0');
    expect(() => scan(vectors, query, 1, { k: 1 }, 4, 11)).toThrow('rows 4 to 11');
    expect(() => scan({ ...vectors, count: 11 }, query, 1, { k: 1 })).toThrow('11 x 3');
    expect(() => scan(vectors, query, 1, { k: 1, allow: randomSet(9, 1, 1) })).toThrow('9 rows');
  });
});

describe('rankRows', () => {
  it.each(METRICS)('puts any rows in order with their scores, %s', (metric) => {
    const vectors = randomVectors({ metric, dim: 19 }, 100, 6);
    const query = randomValues(vectors, 1, 7);
    for (const count of [0, 1, 2, 3, 4, 5, 50]) {
      const allow = randomSet(100, count / 100, 8);
      const rows = Array.from({ length: 100 }, (_, row) => row)
        .filter((row) => allow.has(row))
        .reverse();
      for (const k of [1, 4, 100])
        expect(rankRows(vectors, query, rows, k)).toEqual(bruteForce(vectors, query, { k, allow }));
    }
  });
});

/** `count` rows made of the given ones again and again: ties. */
function repeatRows(values: Float32Array, dim: number, count: number): Float32Array {
  const rows = new Float32Array(count * dim);
  for (let i = 0; i < rows.length; i++) rows[i] = values[i % values.length]!;
  return rows;
}
