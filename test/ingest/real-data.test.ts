import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { badRowsOf } from '../../src/ingest/bad-rows.js';
import { planIngest } from '../../src/ingest/plan.js';
import { readQueries } from '../../src/ingest/read-queries.js';
import { ingest } from './ingest.js';

const DATA = process.env['SHORTLIST_TEST_DATA'];
const path = (name: string): string => join(DATA ?? '', name);

describe.skipIf(DATA === undefined)('real data (skipped where SHORTLIST_TEST_DATA is not set)', () => {
  it('siftsmall: integers as vectors, three batches', async () => {
    const got = await ingest([path('siftsmall/base.arrow')], { metric: 'l2' });
    expect(got.report).toMatchObject({ rows: 10_000, dim: 128, badRows: { total: 0 } });
    expect(got.ids.slice(0, 2)).toEqual(['0', '1']);
    expect(got.vectors.every(Number.isInteger)).toBe(true);
    const queries = await readQueries([path('siftsmall/queries.arrow')], { dim: 128, metric: 'l2' });
    expect(queries.count).toBe(100);
  });

  it('mnist10k: LZ4, 784 components, an int8 label', async () => {
    const got = await ingest([path('mnist10k/base.lz4.arrow')], { metric: 'l2' });
    expect(got.report).toMatchObject({ rows: 9_000, dim: 784 });
    expect(new Set(got.attributes[0])).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    const queries = await readQueries([path('mnist10k/queries.arrow')], { dim: 784, metric: 'l2' });
    expect(queries.count).toBe(1_000);
  });

  it('pcparts: ZSTD, dictionaries, prices that are null in three of four rows', async () => {
    const base = path('pcparts/base.zstd.arrow');
    const plan = await planIngest({ paths: [base] });
    expect(plan.attributes.map(({ name }) => name)).toEqual(['name', 'category', 'brand', 'price', 'color']);
    const got = await ingest([base], { metric: 'cosine' });
    expect(got.report).toMatchObject({ rows: 65_778, dim: 64, badRows: { total: 0 } });
    const prices = got.attributes[3]!;
    expect(prices).toHaveLength(65_778);
    const nulls = prices.filter((price) => price === null).length;
    expect(nulls / prices.length).toBeGreaterThan(0.74);
    expect(nulls / prices.length).toBeLessThan(0.77);
    expect(prices.filter((price) => price !== null && (price as number) < 100).length / prices.length).toBeCloseTo(
      0.1,
      1,
    );
  });

  it('products: string ids, a small catalog', async () => {
    const got = await ingest([path('products/base.lz4.arrow')], {
      metric: 'cosine',
      attributes: ['category', 'price'],
    });
    expect(got.report).toMatchObject({ rows: 180, dim: 512 });
    expect(new Set(got.ids).size).toBe(180);
    expect(got.attributes[0]!.every((category) => typeof category === 'string')).toBe(true);
  });

  it('edge: float64 with 773 zero rows, all counted and the first ten named', async () => {
    const file = path('edge/zero_rows_float64.arrow');
    const error: unknown = await ingest([file], { metric: 'cosine' }).catch((reason: unknown) => reason);
    const bad = badRowsOf(error);
    expect(bad?.kinds.map(({ kind, count, shown }) => [kind, count, shown.length])).toEqual([['zero_vector', 773, 10]]);

    const all = await ingest([file], { metric: 'l2' });
    const isZero = (row: number): boolean => all.vectors.slice(row * 50, row * 50 + 50).every((x) => x === 0);
    const zeros = all.ids.map((_, row) => row).filter(isZero);
    expect(zeros).toHaveLength(773);
    expect(bad?.kinds[0]!.shown.map(({ row }) => row)).toEqual(zeros.slice(0, 10));
    expect(bad?.kinds[0]!.shown.map(({ id }) => id)).toEqual(zeros.slice(0, 10).map((row) => all.ids[row]));

    const skipped = await ingest([file], { metric: 'cosine', onBadRow: 'skip' });
    expect(skipped.rejects.map(({ row }) => row)).toEqual(zeros);
    expect(skipped.report.rows).toBe(4_400 - 773);
  });

  it('edge: a list of float16 in the column `vector`, large_utf8 ids', async () => {
    const got = await ingest([path('edge/emoji_float16_list.arrow')], { metric: 'cosine' });
    expect(got.report).toMatchObject({ rows: 1_661, dim: 300, badRows: { total: 0 } });
    expect(got.report.ids.find(got.ids[1_000]!)).toBe(1_000);
  });
});
