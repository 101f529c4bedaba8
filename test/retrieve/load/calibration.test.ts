import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { efGrid } from '../../../src/evaluate/calibrate/band-measurement.js';
import { lowerRecall, meanOf } from '../../../src/evaluate/calibrate/recall-bound.js';
import {
  resolveDefaultEf,
  resolveEf,
  type Calibration,
  type CalibrationBand,
} from '../../../src/retrieve/load/calibration.js';
import { ShortlistError } from '../../../src/base/errors.js';

/** @param recalls promised recall by ef */
function band(selectivity: number, k: number, recalls: Record<number, number>): CalibrationBand {
  const points = Object.entries(recalls).map(([ef, recall_low]) => ({
    ef: Number(ef),
    queries: 100,
    recall: Math.min(1, recall_low + 0.002),
    recall_low,
  }));
  return { selectivity, k, points };
}

const calibration: Calibration = {
  format: 1,
  source: 'rows',
  queries: 100,
  bands: [
    band(1, 10, { 8: 0.9, 16: 0.97, 32: 0.995 }),
    band(1, 100, { 40: 0.95, 80: 0.985, 160: 0.992 }),
    band(0.1, 10, { 50: 0.9, 100: 0.96 }),
    band(0.1, 100, { 60: 0.9, 200: 0.999 }),
  ],
};

function failure(run: () => unknown): ShortlistError {
  try {
    run();
  } catch (error) {
    if (error instanceof ShortlistError) return error;
    throw error;
  }
  throw new Error('did not throw');
}

describe('the ef for a target recall', () => {
  it.each([
    [{ k: 10, targetRecall: 0.9 }, 8],
    [{ k: 10, targetRecall: 0.91 }, 9],
    [{ k: 10, targetRecall: 0.995 }, 32],
    [{ k: 100, targetRecall: 0.95 }, 40],
    [{ k: 10, targetRecall: 0.97 }, 16],
  ])(
    'of %j is the smallest that promises it, also below k, and between two points lies between them: %d',
    (request, ef) => expect(resolveEf(calibration, request)).toEqual({ ef }),
  );

  it('between two k grows with k', () => {
    const efs = [10, 11, 20, 50, 99, 100].map((k) => resolveEf(calibration, { k, targetRecall: 0.95 }).ef);
    expect(efs).toEqual([...efs].sort((one, other) => one - other));
    expect([efs[0], efs.at(-1)]).toEqual([12, 40]);
    expect(efs[2]).toBe(18); // 12 x (40 / 12) ^ log 2
  });

  it('below the smallest k is that of the smallest, beyond the largest grows with k, up to the largest ef', () => {
    expect(resolveEf(calibration, { k: 1, targetRecall: 0.97 })).toEqual({ ef: 16 });
    expect(resolveEf(calibration, { k: 300, targetRecall: 0.985 })).toEqual({ ef: 240 });
    expect(resolveEf(calibration, { k: 10_000, targetRecall: 0.99 })).toEqual({ ef: 10_000 });
  });

  it('between two shares of passing rows lies between both, and below them all is that of the smallest', () => {
    const at = (selectivity: number): number => resolveEf(calibration, { k: 10, targetRecall: 0.9, selectivity }).ef;
    expect([at(1), at(0.1), at(0.001)]).toEqual([8, 50, 50]);
    expect(at(0.5)).toBe(14);
    expect(at(0.24)).toBe(25);
    expect(at(0.999)).toBe(9);
  });

  it('next to a share whose rows were scanned is the larger one of both, since a scan needs none', () => {
    const scanned = band(0.1, 10, { 10: 0.999 });
    const points = scanned.points.map((point) => ({ ...point, scanned: true }));
    const mixed = { ...calibration, bands: [band(1, 10, { 8: 0.9, 64: 0.995 }), { ...scanned, points }] };
    expect(resolveEf(mixed, { k: 10, targetRecall: 0.995, selectivity: 0.15 })).toEqual({ ef: 64 });
    expect(resolveEf(mixed, { k: 10, targetRecall: 0.995, selectivity: 0.1 })).toEqual({ ef: 10 });
  });

  it('that is out of reach names the best that is promised, and exact search', () => {
    const error = failure(() => resolveEf(calibration, { k: 50, targetRecall: 0.994 }));
    expect(error).toMatchObject({
      code: 'recall_unreachable',
      details: { field: 'target_recall', best_recall: 0.992 },
    });
    expect(error.message).toContain('exact: true');
    const filtered = failure(() => resolveEf(calibration, { k: 10, targetRecall: 0.97, selectivity: 0.25 }));
    expect(filtered.details['best_recall']).toBe(0.96);
    expect(filtered.message).toContain('25 % of the rows');
  });

  it('what is named as the best can be asked for', () => {
    const requests = fc.record({
      k: fc.integer({ min: 1, max: 10_000 }),
      selectivity: fc.double({ min: 0.001, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(requests, (request) => {
        const best = failure(() => resolveEf(calibration, { ...request, targetRecall: 1 })).details['best_recall'] as number;
        const { ef } = resolveEf(calibration, { ...request, targetRecall: best });
        expect(ef).toBeGreaterThanOrEqual(8);
        expect(ef).toBeLessThanOrEqual(10_000);
      }),
      { seed: 11, numRuns: 300 },
    ); // prettier-ignore
  });
});

describe('the default ef', () => {
  it('is the smallest that promises 0.99', () => {
    expect(resolveDefaultEf(calibration, { k: 10 })).toBe(25);
    expect(resolveDefaultEf(calibration, { k: 100 })).toBe(126);
    expect(resolveDefaultEf(calibration, { k: 200 })).toBe(251);
  });

  it('where 0.99 is out of reach, is the smallest whose recall is next to the best', () => {
    const hard = { ...calibration, bands: [band(1, 10, { 10: 0.9, 20: 0.949, 40: 0.95, 80: 0.951, 160: 0.9511 })] };
    expect(resolveDefaultEf(hard, { k: 10 })).toBe(20);
  });
});

describe('the recall that a sample promises', () => {
  it('is below its mean, and nearer to it the more queries were asked', () => {
    const recalls = fc.array(fc.constantFrom(1, 0.9, 0.8, 0.5, 0), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(recalls, (sample) => {
        const low = lowerRecall(sample, 10);
        const largerLow = lowerRecall([...sample, ...sample, ...sample, ...sample], 10);
        const mean = meanOf(sample);
        expect(low).toBeGreaterThanOrEqual(0);
        expect(low).toBeLessThan(Math.max(mean, 0.9) + 1e-12);
        if (mean > 0.9) expect(mean - largerLow).toBeLessThan(mean - low);
      }),
      { seed: 12, numRuns: 300 },
    );
  });

  it('is never 1: 100 queries that found all of 10 leave room for what 3 in 1,000 neighbours would be', () => {
    const perfect = (count: number) => Array.from({ length: count }, () => 1);
    expect(lowerRecall(perfect(100), 10)).toBeCloseTo(0.997, 3);
    expect(lowerRecall(perfect(600), 10)).toBeCloseTo(0.9995, 4);
    expect(lowerRecall(perfect(100_000), 10)).toBeLessThan(1);
  });
});

describe('the grid of ef', () => {
  it('rises from its start to as many as there are rows, or to the largest ef', () => {
    expect(efGrid(8, 30)).toEqual([8, 11, 16, 23, 30]);
    expect(efGrid(8, 5)).toEqual([5]);
    expect(efGrid(1, 1)).toEqual([1]);
    expect(efGrid(1, 6)).toEqual([1, 2, 3, 4, 6]);
    expect(efGrid(1000, 10 ** 9).at(-1)).toBe(10_000);
  });
});
