import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Bitset } from '../../src/base/bitset.js';
import { TopK } from '../../src/base/top-k.js';

describe('TopK', () => {
  it('keeps what sorting by score descending, then row ascending, would put first', () => {
    const scores = fc.array(fc.integer({ min: -5, max: 5 }), { maxLength: 200 });
    fc.assert(
      fc.property(scores, fc.integer({ min: 0, max: 50 }), fc.boolean(), (values, k, backwards) => {
        const rows = values.map((score, row) => ({ score, row }));
        const heap = new TopK(k);
        for (const { score, row } of backwards ? rows.toReversed() : rows) heap.push(score, row);
        const expected = rows.sort((a, b) => b.score - a.score || a.row - b.row).slice(0, k);
        const drained = heap.drain();
        expect(Array.from(drained.rows)).toEqual(expected.map(({ row }) => row));
        expect(Array.from(drained.scores)).toEqual(expected.map(({ score }) => score));
      }),
      { seed: 21 },
    );
  });

  it('has the worst kept score as its threshold once it is full', () => {
    const heap = new TopK(2);
    heap.push(3, 0);
    expect(heap.threshold).toBe(-Infinity);
    heap.push(5, 1);
    expect(heap.threshold).toBe(3);
    heap.push(4, 2);
    expect(heap.threshold).toBe(4);
  });
});

describe('Bitset', () => {
  it('behaves as a set of row numbers', () => {
    const operations = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 99 })));
    fc.assert(
      fc.property(operations, fc.boolean(), (steps, startFull) => {
        const bits = startFull ? Bitset.full(100) : new Bitset(100);
        const set = new Set(startFull ? Array.from({ length: 100 }, (_, row) => row) : []);
        for (const [add, row] of steps) {
          for (const target of [bits, set]) {
            if (add) target.add(row);
            else target.delete(row);
          }
        }
        expect(bits.count()).toBe(set.size);
        for (let row = 0; row < 100; row++) expect(bits.has(row)).toBe(set.has(row));
      }),
      { seed: 22 },
    );
  });

  it.each([0, 1, 31, 32, 33, 64, 1000])('a full set of %i rows holds exactly those', (size) => {
    expect(Bitset.full(size).count()).toBe(size);
  });
});
