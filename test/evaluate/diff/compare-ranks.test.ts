import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareRanks } from '../../../src/evaluate/diff/compare-ranks.js';
import { NumberSample } from '../../../src/evaluate/diff/distribution.js';

const ranking = fc.uniqueArray(fc.nat(40), { maxLength: 30 });

describe('two rankings', () => {
  it('that are equal overlap fully, with no change of rank', () => {
    fc.assert(
      fc.property(ranking, (keys) => {
        const diff = compareRanks(keys, keys);
        expect(diff).toMatchObject({ overlap: 1, entered: [], left: [] });
        expect(diff.rankBiasedOverlap).toBeCloseTo(1, 12);
        expect(diff.shared.every(({ old, fresh }) => old === fresh)).toBe(true);
      }),
    );
  });

  it('mirror each other when they are exchanged', () => {
    fc.assert(
      fc.property(ranking, ranking, (a, b) => {
        const [there, back] = [compareRanks(a, b), compareRanks(b, a)];
        expect(back.overlap).toBe(there.overlap);
        expect(back.rankBiasedOverlap).toBeCloseTo(there.rankBiasedOverlap, 12);
        expect([back.entered, back.left]).toEqual([there.left, there.entered]);
      }),
    );
  });

  it('place every candidate: it entered, left or is shared', () => {
    fc.assert(
      fc.property(ranking, ranking, (a, b) => {
        const { entered, left, shared } = compareRanks(a, b);
        expect([...entered, ...shared.map(({ fresh }) => fresh)].sort((x, y) => x - y)).toEqual([...b.keys()]);
        expect([...left, ...shared.map(({ old }) => old)].sort((x, y) => x - y)).toEqual([...a.keys()]);
        for (const { old, fresh } of shared) expect(a[old]).toBe(b[fresh]);
      }),
    );
  });

  it('agree less if the first candidate differs than if the last one does', () => {
    const first = compareRanks([1, 2, 3, 4], [9, 2, 3, 4]);
    const last = compareRanks([1, 2, 3, 4], [1, 2, 3, 9]);
    expect(first.overlap).toBe(last.overlap);
    expect(first.rankBiasedOverlap).toBeLessThan(last.rankBiasedOverlap);
    // By hand: agreement 0, 1/2, 2/3, 3/4 with weights 1, 0.9, 0.81, 0.729.
    expect(first.rankBiasedOverlap).toBeCloseTo((0.45 + 0.54 + 0.54675) / 3.439, 12);
  });

  it('of different lengths overlap by the longer one', () => {
    expect(compareRanks([1, 2], [1, 2, 3, 4]).overlap).toBe(0.5);
    expect(compareRanks([], [1]).overlap).toBe(0);
    expect(compareRanks([], []).overlap).toBe(1);
  });
});

describe('a sample of numbers', () => {
  it('has no distribution without numbers', () => expect(new NumberSample().distribution()).toBe(null));

  it('gives nearest-rank quantiles and the mean', () => {
    const sample = new NumberSample();
    for (let i = 100; i >= 1; i--) sample.add(i);
    expect(sample.distribution()).toEqual({ mean: 50.5, p5: 5, p50: 50, p95: 95 });
  });

  it('stays within its bound of memory, with the exact mean and nearly the same quantiles', () => {
    const sample = new NumberSample();
    const count = 2 ** 21;
    for (let i = 0; i < count; i++) sample.add(i / count);
    const { mean, p50 } = sample.distribution()!;
    expect(mean).toBeCloseTo(0.5, 5);
    expect(Math.abs(p50 - 0.5)).toBeLessThan(0.01);
  });
});
