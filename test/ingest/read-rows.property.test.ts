/** Random tables with bad rows in them, against a reference that looks at one row at a time. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { normalizeRow, type Metric } from '../../src/base/metric.js';
import type { BadRowKind } from '../../src/ingest/bad-rows.js';
import { types, writeArrow } from './arrow-files.js';
import { ingest } from './ingest.js';

const SEED = 20_261_123;
const DIM = 3;

interface Row {
  readonly id: string | null;
  readonly vector: readonly (number | null)[] | null;
  readonly note: string | null;
}
interface Table {
  readonly rows: readonly Row[];
  readonly batchRows: number;
  readonly format: 'file' | 'stream';
}

const component = fc.oneof(
  { weight: 30, arbitrary: fc.float({ noNaN: true, noDefaultInfinity: true, min: -100, max: 100 }) },
  { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity, -Infinity, 1e18, 1.01e18, -2e30, 1e39, null) },
);
const vector = fc.oneof(
  { weight: 30, arbitrary: fc.array(component, { minLength: DIM, maxLength: DIM }) },
  { weight: 1, arbitrary: fc.constantFrom(null, [0, 0, 0], [-0, 0, 1e-50]) },
  { weight: 2, arbitrary: fc.array(component, { maxLength: 5 }) },
);
const id = fc.oneof(
  { weight: 20, arbitrary: fc.nat(60).map(String) },
  { weight: 20, arbitrary: fc.string({ minLength: 1, maxLength: 30 }) },
  { weight: 1, arbitrary: fc.constantFrom(null, '', 'y'.repeat(1_025)) },
);
const row: fc.Arbitrary<Row> = fc.record({ id, vector, note: fc.option(fc.string(), { nil: null }) });
const table: fc.Arbitrary<Table> = fc.record({
  rows: fc.array(row, { minLength: 1, maxLength: 60 }),
  batchRows: fc.integer({ min: 1, max: 25 }),
  format: fc.constantFrom('file', 'stream'),
});

interface Expected {
  readonly ids: string[];
  readonly vectors: number[];
  readonly notes: (string | null)[];
  readonly bad: { file: string; row: number; kind: BadRowKind }[];
}

function judge(files: readonly { path: string; rows: readonly Row[] }[], metric: Metric): Expected {
  const expected: Expected = { ids: [], vectors: [], notes: [], bad: [] };
  const dim = commonLength(files.flatMap(({ rows }) => rows.map(({ vector }) => vector?.length ?? 0)));
  for (const { path, rows } of files) {
    for (const [position, { id, vector, note }] of rows.entries()) {
      const kind =
        judgeId(id) ?? judgeVector(vector, dim, metric) ?? (expected.ids.includes(id!) ? 'duplicate_id' : null);
      if (kind !== null) expected.bad.push({ file: path, row: position, kind });
      else {
        const stored = Float32Array.from(vector as number[]);
        if (metric === 'cosine') normalizeRow(stored, 0, stored.length);
        expected.ids.push(id!);
        expected.vectors.push(...stored);
        expected.notes.push(note);
      }
    }
  }
  return expected;
}

/** The most frequent length above 0, of several the longest. */
function commonLength(lengths: readonly number[]): number | null {
  const count = (length: number): number => lengths.filter((other) => other === length).length;
  const ranked = [...new Set(lengths)].filter((length) => length > 0).sort((a, b) => count(b) - count(a) || b - a);
  return ranked[0] ?? null;
}

function judgeId(id: string | null): BadRowKind | null {
  if (id === null) return 'null_id';
  return id === '' || Buffer.byteLength(id) > 1_024 ? 'bad_id' : null;
}

function judgeVector(vector: Row['vector'], dim: number | null, metric: Metric): BadRowKind | null {
  if (vector === null) return 'null_vector';
  if (dim === null || vector.length !== dim) return 'wrong_length';
  if (vector.includes(null)) return 'null_vector';
  const first = (vector as number[]).find((value) => !Number.isFinite(value) || Math.abs(value) > 1e18);
  if (first !== undefined) return Number.isFinite(Math.fround(first)) ? 'out_of_range' : 'not_finite';
  return metric === 'cosine' && vector.every((value) => Math.fround(value!) === 0) ? 'zero_vector' : null;
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rows-property-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('any table', () => {
  it(`gives the rows that a reference accepts and rejects the others for its reasons (seed ${SEED})`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(table, { minLength: 1, maxLength: 3 }),
        fc.constantFrom<Metric>('cosine', 'ip', 'l2'),
        async (tables, metric) => {
          const files = tables.map(({ rows, batchRows, format }, i) => {
            const columns = {
              id: [types.utf8, rows.map((r) => r.id)],
              embedding: [types.list64, rows.map((r) => r.vector)],
              note: [types.utf8, rows.map((r) => r.note)],
            } as const;
            return { path: writeArrow(join(folder, `${i}.arrow`), columns, { format, batchRows }), rows };
          });
          const expected = judge(files, metric);
          const paths = files.map(({ path }) => path);
          if (expected.ids.length === 0) {
            await expect(ingest(paths, { metric, onBadRow: 'skip' })).rejects.toMatchObject({ code: 'no_rows' });
            return;
          }
          const got = await ingest(paths, { metric, onBadRow: 'skip' });
          expect(got.ids).toEqual(expected.ids);
          expect(got.vectors).toEqual(expected.vectors);
          expect(got.attributes).toEqual([expected.notes]);
          expect(got.rejects.map(({ file, row, kind }) => ({ file, row, kind }))).toEqual(expected.bad);
          expect(got.report.badRows.total).toBe(expected.bad.length);
          if (expected.bad.length === 0) return;
          await expect(ingest(paths, { metric })).rejects.toMatchObject({
            code: 'bad_rows',
            details: { bad_rows: got.report.badRows },
          });
        },
      ),
      { seed: SEED, numRuns: 150 },
    );
  });
});
