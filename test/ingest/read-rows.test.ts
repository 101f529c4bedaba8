import { createHash } from 'node:crypto';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ShortlistError } from '../../src/base/errors.js';
import { murmur3 } from '../../src/base/hash.js';
import { normalizeRow } from '../../src/base/metric.js';
import { badRowsOf, countBadRows, formatBadRows, type BadRow, type BadRows } from '../../src/ingest/bad-rows.js';
import { planIngest } from '../../src/ingest/plan.js';
import { readRows, type ReadOptions } from '../../src/ingest/read-rows.js';
import { countIds, countVectors, types, writeArrow, type TestColumn } from './arrow-files.js';
import { ingest, type Ingested } from './ingest.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rows-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, columns: Record<string, TestColumn>, options?: Parameters<typeof writeArrow>[2]): string =>
  writeArrow(join(folder, name), columns, options);
const fail = async (run: Promise<unknown>): Promise<ShortlistError> => {
  const error: unknown = await run.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ShortlistError)) throw new Error(`expected a coded error, got ${String(error)}`);
  return error;
};
const refusedRows = async (run: Promise<unknown>): Promise<BadRows> => {
  const bad = badRowsOf(await fail(run));
  if (bad === null) throw new Error('expected bad_rows');
  return bad;
};
const shownOf = (bad: BadRows): BadRow[] => bad.kinds.flatMap(({ shown }) => [...shown]);

describe('accepted rows', () => {
  it('come in the order of files and rows, with ids, hashes and attributes', async () => {
    const first = { id: [types.int32, [5, -7]], v: [types.vector(2), [[1, 2], [3, 4]]], name: [types.utf8, ['a', null]] } as const; // prettier-ignore
    const second = { id: [types.int32, [0]], v: [types.vector(2), [[5, 6]]], name: [types.utf8, ['c']] } as const;
    const got = await ingest([write('b.arrow', first), write('a.arrow', second)], { metric: 'l2' });
    expect(got.ids).toEqual(['5', '-7', '0']);
    expect(got.vectors).toEqual([1, 2, 3, 4, 5, 6]);
    expect(got.attributes).toEqual([['a', null, 'c']]);
    expect(got.hashes).toEqual(['5', '-7', '0'].map((text) => murmur3(Buffer.from(text), 0, text.length)));
    expect(got.report).toMatchObject({ rows: 3, rowsRead: 3, dim: 2, badRows: { total: 0, kinds: [] } });
  });

  it('have unit length under cosine, and are as they were under ip and l2', async () => {
    const vectors = countVectors(50, 7);
    const path = write('a.arrow', { id: [types.int64, countIds(50)], v: [types.vector(7), vectors] }, { batchRows: 9 });
    const plain = Float32Array.from(vectors.flat());
    const unit = plain.slice();
    for (let row = 0; row < 50; row++) normalizeRow(unit, row * 7, 7);
    expect((await ingest([path], { metric: 'ip' })).vectors).toEqual([...plain]);
    expect((await ingest([path], { metric: 'l2' })).vectors).toEqual([...plain]);
    expect((await ingest([path], { metric: 'cosine' })).vectors).toEqual([...unit]);
  });

  it.each(['vector64', 'vector16', 'vector'] as const)('of %s are float32, fixed in length or not', async (kind) => {
    const vectors = countVectors(10, 3);
    const list = { vector64: types.list64, vector16: types.list16, vector: types.list32 }[kind];
    for (const type of [types[kind](3), list]) {
      const path = write('a.arrow', { id: [types.int64, countIds(10)], v: [type, vectors] }, { batchRows: 4 });
      expect((await ingest([path], { metric: 'l2' })).vectors).toEqual(vectors.flat());
    }
  });

  it.each([
    ['int8', [-128, 127, 0]],
    ['int16', [-32_768, 32_767, 0]],
    ['uint8', [255, 0, 1]],
    ['uint16', [65_535, 0, 1]],
    ['int32', [-(2 ** 31), 2 ** 31 - 1, 0]],
    ['uint32', [2 ** 32 - 1, 0, 1]],
    ['int64', [-(2n ** 63n), 2n ** 63n - 1n, -1n]],
    ['uint64', [2n ** 64n - 1n, 2n ** 63n, 0n]],
    ['utf8', ['a', 'ünï', '🦊']],
    ['largeUtf8', ['a', 'b', '']],
  ] as const)('have ids of %s', async (type, ids) => {
    const path = write('a.arrow', { id: [types[type], ids], v: [types.vector(2), countVectors(3, 2)] });
    const got = await ingest([path], { metric: 'l2', onBadRow: 'skip' });
    expect(got.ids).toEqual(ids.map(String).filter((id) => id !== ''));
  });

  it('may have ids from a dictionary', async () => {
    const columns = { id: [types.dictionary(), ['x', 'y', 'x']], v: [types.vector(2), countVectors(3, 2)] } as const;
    const got = await ingest([write('a.arrow', columns)], { metric: 'l2', onBadRow: 'skip' });
    expect(got.ids).toEqual(['x', 'y']);
    expect(got.report.badRows.kinds.map(({ kind }) => kind)).toEqual(['duplicate_id']);
  });

  it('are read from a stream', async () => {
    const columns = { id: [types.int64, countIds(20)], v: [types.list32, countVectors(20, 4)] } as const;
    const got = await ingest([write('a.arrow', columns, { format: 'stream', batchRows: 6 })], { metric: 'l2' });
    expect(got.vectors).toEqual(countVectors(20, 4).flat());
  });

  it('keep their attributes when rows between them are left out', async () => {
    const rows = 40;
    const numbers = Array.from({ length: rows }, (_, i) => i);
    const isBad = (i: number): boolean => i % 3 === 1;
    const vectors = numbers.map((i) => (isBad(i) ? null : [i + 1, 1]));
    const columns: Record<string, TestColumn> = {
      id: [types.int64, countIds(rows)],
      v: [types.list32, vectors],
      n: [types.int16, numbers.map((i) => (i % 5 === 0 ? null : i))],
      big: [types.int64, numbers.map(BigInt)],
      yes: [types.bool, numbers.map((i) => i % 2 === 0)],
      name: [types.utf8, numbers.map((i) => (i % 7 === 0 ? null : 'x'.repeat(i)))],
      kind: [types.dictionary(), numbers.map((i) => `k${i % 4}`)],
      tags: [types.strings, numbers.map((i) => (i % 6 === 0 ? null : [`t${i}`, 'é'].slice(0, i % 3)))],
    };
    // A stream, since its batches may each have a dictionary of their own.
    const path = write('a.arrow', columns, { format: 'stream', batchRows: 16 });
    const got = await ingest([path], { metric: 'l2', onBadRow: 'skip' });
    const kept = (values: readonly unknown[]): unknown[] => values.filter((_, i) => !isBad(i));
    expect(got.ids).toEqual(kept(numbers).map(String));
    expect(got.attributes).toEqual(['n', 'big', 'yes', 'name', 'kind', 'tags'].map((name) => kept(columns[name]![1])));
  });
});

describe('a bad row', () => {
  const good = { v: [1, 2], id: 'good' };
  const cases: readonly (readonly [string, { id: string | null; v: (number | null)[] | null }, string])[] = [
    ['null_id', { id: null, v: [1, 2] }, 'the id is null'],
    ['bad_id', { id: '', v: [1, 2] }, 'the id is empty'],
    ['bad_id', { id: 'x'.repeat(1_025), v: [1, 2] }, 'the id has 1025 bytes; it may have at most 1024'],
    ['null_vector', { id: 'n', v: null }, 'the vector is null'],
    ['null_vector', { id: 'n', v: [1, null] }, 'component 1 is null'],
    ['wrong_length', { id: 'l', v: [1] }, 'the vector has 1 components, not the 2 of most vectors (2 of 3)'],
    ['wrong_length', { id: 'l', v: [1, 2, 3] }, 'the vector has 3 components, not the 2 of most vectors (2 of 3)'],
    ['wrong_length', { id: 'l', v: [] }, 'the vector has 0 components'],
    ['not_finite', { id: 'f', v: [1, NaN] }, 'component 1 is NaN'],
    ['not_finite', { id: 'f', v: [-Infinity, 1] }, 'component 0 is -Infinity'],
    ['not_finite', { id: 'f', v: [1e39, 1] }, 'component 0 is 1e+39, infinite as float32'],
    ['out_of_range', { id: 'r', v: [1, -1.1e18] }, 'component 1 is -1100000000000000000'],
    ['zero_vector', { id: 'z', v: [0, -0] }, 'every component is zero'],
    ['zero_vector', { id: 'z', v: [1e-60, 0] }, 'every component is zero'],
    ['duplicate_id', { id: 'good', v: [1, 2] }, 'the same id is in'],
  ];

  it.each(cases)('of kind %s (%j) is refused and named, or left out', async (kind, bad, detail) => {
    const rows = [good, bad, { id: 'next', v: [3, 4] }];
    const columns = {
      id: [types.utf8, rows.map((row) => row.id)],
      v: [types.list64, rows.map((row) => row.v)],
    } as const;
    const path = write('a.arrow', columns);

    const error = await fail(ingest([path], { metric: 'cosine' }));
    expect(error).toMatchObject({ code: 'bad_rows', exit: 65 });
    expect(error.message).toContain(`1 of 3 rows (33.3 %) are bad (${kind} 1)`);
    expect(error.message).toContain(`${path} row 1`);
    expect(error.message).not.toContain('\n');
    const [shown] = shownOf(badRowsOf(error)!);
    expect(shown).toMatchObject({ file: path, row: 1, id: bad.id?.slice(0, 1_024) ?? null, kind });
    expect(shown!.detail).toContain(detail);

    const got = await ingest([path], { metric: 'cosine', onBadRow: 'skip' });
    expect(got.ids).toEqual(['good', 'next']);
    expect(got.rejects).toEqual([shown]);
    expect(got.report.badRows).toEqual(badRowsOf(error));
  });

  it('of all zeros is bad under cosine only', async () => {
    const columns = { id: [types.int64, countIds(2)], v: [types.vector(2), [[0, 0], [1, 1]]] } as const; // prettier-ignore
    const path = write('a.arrow', columns);
    expect((await refusedRows(ingest([path], { metric: 'cosine' }))).total).toBe(1);
    expect((await ingest([path], { metric: 'l2' })).ids).toEqual(['0', '1']);
    expect((await ingest([path], { metric: 'ip' })).ids).toEqual(['0', '1']);
  });

  it('with 1e18 itself, and with the smallest float32, is good', async () => {
    const vectors = [[1e18, -1e18], [1.401298464324817e-45, 0]]; // prettier-ignore
    for (const type of [types.vector(2), types.vector64(2)]) {
      const path = write('a.arrow', { id: [types.int64, countIds(2)], v: [type, vectors] });
      const got = await ingest([path], { metric: 'cosine' });
      expect(got.vectors).toEqual([Math.fround(Math.SQRT1_2), -Math.fround(Math.SQRT1_2), 1, 0]);
    }
  });

  it('that is a duplicate names the first, in another file and batch', async () => {
    const v = (rows: number): TestColumn => [types.vector(2), countVectors(rows, 2)];
    const a = write('a.arrow', { id: [types.int64, countIds(10)], v: v(10) }, { batchRows: 3 });
    const b = write('b.arrow', { id: [types.int64, [100n, 7n, 101n, 100n]], v: v(4) });
    const got = await ingest([a, b], { metric: 'l2', onBadRow: 'skip' });
    expect(got.rejects).toEqual([
      { file: b, row: 1, id: '7', kind: 'duplicate_id', detail: `the same id is in ${a} row 7` },
      { file: b, row: 3, id: '100', kind: 'duplicate_id', detail: `the same id is in ${b} row 0` },
    ]);
    expect(got.ids).toEqual([...countIds(10).map(String), '100', '101']);
    expect(countBadRows(got.report.badRows, 'duplicate_id')).toBe(2);
  });

  it('does not take its id: a later good row of that id is accepted', async () => {
    const columns = {
      id: [types.int64, [1n, 1n, 1n]],
      v: [types.vector(2), [[NaN, 1], [1, 1], [2, 2]]],
    } as const; // prettier-ignore
    const got = await ingest([write('a.arrow', columns)], { metric: 'l2', onBadRow: 'skip' });
    expect(got.vectors).toEqual([1, 1]);
    expect(got.rejects.map(({ row, kind }) => [row, kind])).toEqual([
      [0, 'not_finite'],
      [2, 'duplicate_id'],
    ]);
    expect(got.rejects[1]!.detail).toContain('row 1');
  });

  it('counts once, under its first fault', async () => {
    const columns = { id: [types.int64, [null, 2n]], v: [types.list32, [null, [1, 1]]] } as const;
    const bad = await refusedRows(ingest([write('a.arrow', columns)], { metric: 'cosine' }));
    expect(bad.kinds.map(({ kind, count }) => [kind, count])).toEqual([['null_id', 1]]);
  });

  it('of varying lists is judged by the length of most vectors, which are counted', async () => {
    const columns = {
      id: [types.int64, countIds(5)],
      v: [types.list32, [null, [], [1, 2, 3], [1, 2], [4, 5, 6]]],
    } as const;
    const path = write('a.arrow', columns, { batchRows: 2 });
    const got = await ingest([path], { metric: 'l2', onBadRow: 'skip' });
    expect(got.ids).toEqual(['2', '4']);
    expect(got.report.dim).toBe(3);
    expect(got.rejects.map(({ row, kind, detail }) => [row, kind, detail])).toEqual([
      [0, 'null_vector', 'the vector is null'],
      [1, 'wrong_length', 'the vector has 0 components, not the 3 of most vectors (2 of 3)'],
      [3, 'wrong_length', 'the vector has 2 components, not the 3 of most vectors (2 of 3)'],
    ]);
  });

  it('is counted beyond ten, with ten shown of each kind', async () => {
    const rows = 100;
    const ids = Array.from({ length: rows }, (_, i) => (i % 4 === 0 ? null : BigInt(i)));
    const vectors = Array.from({ length: rows }, (_, i) => (i % 4 === 1 ? [NaN, 1] : [i, 1]));
    const columns = { id: [types.int64, ids], v: [types.vector(2), vectors] } as const;
    const path = write('a.arrow', columns, { batchRows: 30 });
    const error = await fail(ingest([path], { metric: 'l2' }));
    const bad = badRowsOf(error)!;
    expect(bad.total).toBe(50);
    expect(bad.kinds.map(({ kind, count, shown }) => [kind, count, shown.length])).toEqual([
      ['null_id', 25, 10],
      ['not_finite', 25, 10],
    ]);
    expect(bad.kinds[1]!.shown.map(({ row }) => row)).toEqual([1, 5, 9, 13, 17, 21, 25, 29, 33, 37]);
    expect(error.details['rows']).toBe(100);
    const got = await ingest([path], { metric: 'l2', onBadRow: 'skip' });
    expect(got.report.badRows).toEqual(bad);
    expect(got.rejects).toHaveLength(50);
    expect(got.report.rows).toBe(50);
  });

  it('ends the batches, but not the counting', async () => {
    const columns = {
      id: [types.int64, [1n, 2n, 2n, 3n, null, 5n]],
      v: [types.vector(2), countVectors(6, 2)],
    } as const;
    const plan = await planIngest({ paths: [write('a.arrow', columns, { batchRows: 2 })] });
    const reading = readRows(plan, { metric: 'l2', onBadRow: 'fail' });
    let given = 0;
    const run = (async () => {
      for await (const batch of reading.batches) given += batch.rows;
    })();
    expect((await refusedRows(run)).total).toBe(2);
    expect(given).toBe(2);
  });

  it('leaves nothing to build from when all are bad', async () => {
    const columns = { id: [types.int64, [null, null]], v: [types.vector(2), countVectors(2, 2)] } as const;
    const path = write('a.arrow', columns);
    const error = await fail(ingest([path], { metric: 'l2', onBadRow: 'skip' }));
    expect(error).toMatchObject({ code: 'no_rows', details: { rows: 2 } });
    const empty = write('b.arrow', { id: [types.int64, []], v: [types.vector(2), []] });
    for (const onBadRow of ['fail', 'skip'] as const) {
      expect(await fail(ingest([empty], { metric: 'l2', onBadRow }))).toMatchObject({ code: 'no_rows' });
    }
  });
});

describe('the length of the vectors', () => {
  const few = Array.from({ length: 3 }, (_, i) => [i + 1, 1, 1]);
  const many = countVectors(197, 8);
  const columns = (vectors: readonly (readonly number[])[], from = 0, fixed = 0): Record<string, TestColumn> => ({
    id: [types.int64, countIds(vectors.length, from)],
    v: [fixed === 0 ? types.list32 : types.vector(fixed), vectors],
  });

  it('is that of most, wherever the others stand, within a file and a batch or not', async () => {
    for (const vectors of [
      [...few, ...many],
      [...many, ...few],
      [...many.slice(0, 50), ...few, ...many.slice(50)],
    ]) {
      for (const batchRows of [200, 2]) {
        const got = await ingest([write('a.arrow', columns(vectors), { batchRows })], {
          metric: 'l2',
          onBadRow: 'skip',
        });
        expect(got.report).toMatchObject({ dim: 8, rows: 197 });
        expect(got.rejects.map(({ kind }) => kind)).toEqual(['wrong_length', 'wrong_length', 'wrong_length']);
      }
    }
  });

  it('is that of most where a whole file is of the old model, by offsets or by type', async () => {
    for (const fixed of [0, 1]) {
      const old = write('a-old.arrow', columns(few, 0, 3 * fixed));
      const now = write('b-new.arrow', columns(many, 100, 8 * fixed));
      for (const paths of [
        [old, now],
        [now, old],
      ]) {
        const got = await ingest(paths, { metric: 'l2', onBadRow: 'skip' });
        expect(got.report).toMatchObject({ dim: 8, rows: 197 });
        expect(got.rejects[0]).toMatchObject({
          file: old,
          row: 0,
          detail: 'the vector has 3 components, not the 8 of most vectors (197 of 200)',
        });
      }
    }
  });

  it('that differ are counted in the refusal, with the first row of each', async () => {
    const path = write('a.arrow', columns([...few, ...many]));
    const error = await fail(ingest([path], { metric: 'l2' }));
    expect(error.code).toBe('bad_rows');
    expect(error.message).toContain('3 of 200 rows (1.5 %) are bad (wrong_length 3)');
    expect(error.message).toContain(
      `the vectors have 8 components in 197 rows (from ${path} row 3), 3 in 3 (from ${path} row 0)`,
    );
  });

  it('may be said, and must then be that of some vector', async () => {
    const path = write('a.arrow', columns([...few, ...many]));
    const got = await ingest([path], { metric: 'l2', onBadRow: 'skip', dim: 3 });
    expect(got.report).toMatchObject({ dim: 3, rows: 3 });
    expect(got.rejects[0]!.detail).toBe('the vector has 8 components, not the 3 of --dim');
    for (const onBadRow of ['skip', 'fail'] as const) {
      const error = await fail(ingest([path], { metric: 'l2', onBadRow, dim: 4 }));
      expect(error).toMatchObject({ code: 'dimension_mismatch', exit: 65, details: { expected: 4, dim: 8 } });
      expect(error.message).toContain('no vector of the input has 4 components, as --dim says');
    }
    const fixed = write('b.arrow', columns(many, 0, 8));
    expect(await fail(ingest([fixed], { metric: 'l2', dim: 4 }))).toMatchObject({ code: 'dimension_mismatch' });
  });

  it('that are equally frequent are told apart by the live version, else the longer one counts, in any order', async () => {
    const threes = write('a.arrow', columns(few));
    const eights = write('b.arrow', columns(many.slice(0, 3), 100));
    for (const paths of [
      [threes, eights],
      [eights, threes],
    ]) {
      const dims = async (liveDim?: number): Promise<number> => {
        const options = { metric: 'l2', onBadRow: 'skip', ...(liveDim !== undefined && { liveDim }) } as const;
        return (await ingest(paths, options)).report.dim;
      };
      expect([await dims(), await dims(3), await dims(8), await dims(5)]).toEqual([8, 3, 8, 8]);
    }
  });

  it('is warned of where the live version has another', async () => {
    const paths = [write('a.arrow', columns(many))];
    expect((await planIngest({ paths, liveDim: 8 })).warnings).toEqual([]);
    expect((await planIngest({ paths, liveDim: 5 })).warnings).toEqual([
      expect.stringContaining('the vectors have 8 components, but those of the published version have 5'),
    ]);
  });

  it('beyond the bound is refused where most have it, and bad where few have', async () => {
    const wide = Array.from({ length: 16_385 }, () => 1);
    const most = write('a.arrow', columns([wide, wide, [1, 2, 3]]));
    expect(await fail(ingest([most], { metric: 'l2', onBadRow: 'skip' }))).toMatchObject({ code: 'column_type' });
    const one = write('b.arrow', columns([[1, 2, 3], [4, 5, 6], wide])); // prettier-ignore
    expect((await ingest([one], { metric: 'l2', onBadRow: 'skip' })).ids).toEqual(['0', '1']);
  });
});

describe('vectors of bytes and of lists', () => {
  it('of int8 and uint8 are the numbers they are', async () => {
    const ids: TestColumn = [types.int64, countIds(3)];
    const signed = [[-128, 127], [0, 1], [2, 3]]; // prettier-ignore
    const unsigned = [[255, 0], [0, 1], [2, 3]]; // prettier-ignore
    const one = write('a.arrow', { id: ids, v: [types.bytes(2), signed] });
    expect((await ingest([one], { metric: 'l2' })).vectors).toEqual(signed.flat());
    const other = write('b.arrow', { id: ids, v: [types.unsignedBytes, unsigned] });
    expect((await ingest([other], { metric: 'l2' })).vectors).toEqual(unsigned.flat());
  });

  it('of bytes are not chosen beside vectors of floats, unless they are named', async () => {
    const columns = { id: [types.int64, countIds(2)], codes: [types.bytes(2), [[1, 2], [3, 4]]], x: [types.vector(1), [[5], [6]]] } as const; // prettier-ignore
    const path = write('a.arrow', columns);
    expect((await ingest([path], { metric: 'l2' })).vectors).toEqual([5, 6]);
    expect((await ingest([path], { metric: 'l2', vectorColumn: 'codes' })).vectors).toEqual([1, 2, 3, 4]);
  });

  it('as lists of one list are that list; none, several, and null are bad rows', async () => {
    const vectors = [[[1, 2]], null, [], [[3, 4], [5, 6]], [null], [[7, null]], [[8, 9]], [[10]], [[11, 12]]]; // prettier-ignore
    const columns = { id: [types.int64, countIds(vectors.length)], v: [types.listOfLists, vectors] } as const;
    const got = await ingest([write('a.arrow', columns, { batchRows: 4 })], { metric: 'l2', onBadRow: 'skip' });
    expect(got.vectors).toEqual([1, 2, 8, 9, 11, 12]);
    expect(got.rejects.map(({ row, kind, detail }) => [row, kind, detail])).toEqual([
      [1, 'null_vector', 'the vector is null'],
      [2, 'wrong_length', 'the vector is a list of 0 lists; it must be one list'],
      [3, 'wrong_length', 'the vector is a list of 2 lists; it must be one list'],
      [4, 'null_vector', 'the vector is null'],
      [5, 'null_vector', 'component 1 is null'],
      [7, 'wrong_length', 'the vector has 1 components, not the 2 of most vectors (4 of 5)'],
    ]);
  });

  it('as lists of two lists everywhere are never one vector of both', async () => {
    const columns = { id: [types.int64, countIds(2)], v: [types.listOfLists, [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]] } as const; // prettier-ignore
    const path = write('a.arrow', columns);
    expect(await fail(ingest([path], { metric: 'l2', onBadRow: 'skip' }))).toMatchObject({ code: 'no_rows' });
    expect((await fail(ingest([path], { metric: 'l2' }))).message).toContain('a list of 2 lists');
  });
});

describe('the share that may be left out', () => {
  const columns = (bad: number, rows: number): Record<string, TestColumn> => ({
    id: [types.int64, countIds(rows)],
    v: [types.list32, countVectors(rows, 2).map((vector, i) => (i < bad ? [NaN, 1] : vector))],
  });
  const skip = (path: string, maxRejected: number): Promise<Ingested> =>
    ingest([path], { metric: 'l2', onBadRow: 'skip', maxRejected });

  it('bounds the rows, with counts and reasons where they are more', async () => {
    const path = write('a.arrow', columns(2, 200), { batchRows: 30 });
    expect((await skip(path, 0.01)).report).toMatchObject({ rows: 198, badRows: { total: 2 } });
    const error = await fail(skip(write('b.arrow', columns(3, 200), { batchRows: 30 }), 0.01));
    expect(error).toMatchObject({ code: 'bad_rows', exit: 65, details: { rows: 200, bad_rows: { total: 3 } } });
    expect(error.message).toContain('3 of 200 rows (1.5 %) are bad (not_finite 3)');
    expect(error.message).toContain('--max-rejected 0.01 allows 2 of them');
  });

  it('may be none or all', async () => {
    const path = write('a.arrow', columns(199, 200));
    expect((await skip(path, 1)).ids).toEqual(['199']);
    expect((await fail(skip(path, 0))).code).toBe('bad_rows');
    expect((await skip(write('b.arrow', columns(0, 5)), 0)).ids).toHaveLength(5);
  });

  it('gives no batch once it is clear that there are more', async () => {
    const plan = await planIngest({ paths: [write('a.arrow', columns(50, 100), { batchRows: 10 })], onBadRow: 'skip' });
    const reading = readRows(plan, { metric: 'l2', onBadRow: 'skip', maxRejected: 0.1 });
    await expect(reading.batches.next()).rejects.toMatchObject({ code: 'bad_rows', details: { rows: 100 } });
  });
});

describe('formatBadRows', () => {
  it('shows a table of kinds and the first rows of each', async () => {
    const columns = {
      id: [types.utf8, ['a', null, 'a', 'b\u001b[31m', ...Array.from({ length: 12 }, () => 'a')]],
      v: [types.list32, [[1, 1], [1, 1], [1, 1], [NaN, 1], ...Array.from({ length: 12 }, () => [1, 1])]],
    } as const; // prettier-ignore
    const path = write('x.arrow', columns);
    const lines = formatBadRows(await refusedRows(ingest([path], { metric: 'l2' })));
    expect(lines.slice(0, 9)).toEqual([
      ' 1  null_id       the id is null',
      ' 1  not_finite    a component is NaN or infinite as float32',
      '13  duplicate_id  an earlier row has the same id',
      '',
      'null_id:',
      `  ${path}:1  no id  the id is null`,
      '',
      'not_finite:',
      `  ${path}:3  id "b\\u001b[31m"  component 0 is NaN`,
    ]);
    expect(lines[10]).toBe('duplicate_id, the first 10 of 13:');
    expect(lines).toHaveLength(21);
  });
});

describe('the report', () => {
  const columns = { id: [types.int64, countIds(30)], v: [types.vector(4), countVectors(30, 4)] } as const;
  const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

  it('carries size, rows and hash of each file', async () => {
    const a = write('a.arrow', columns);
    const b = write('b.arrow', { id: [types.int64, [99n]], v: [types.vector(4), [[1, 2, 3, 4]]] });
    const { report } = await ingest([a, b], { metric: 'l2' });
    expect(report.files).toEqual([
      { path: a, bytes: readFileSync(a).length, rows: 30, sha256: sha256(a) },
      { path: b, bytes: readFileSync(b).length, rows: 1, sha256: sha256(b) },
    ]);
  });

  it('carries the same hash where the file is large enough for a thread of its own', async () => {
    const rows = 20_000;
    const large = { id: [types.int64, countIds(rows)], v: [types.vector(220), countVectors(rows, 220)] } as const;
    const path = write('large.arrow', large, { batchRows: 5_000 });
    const { report } = await ingest([path], { metric: 'l2' });
    expect(report.files[0]!.bytes).toBeGreaterThan(16 * 1024 * 1024);
    expect(report.files[0]!.sha256).toBe(sha256(path));
  });

  it('is there only after the last batch', async () => {
    const reading = readRows(await planIngest({ paths: [write('a.arrow', columns)] }), {
      metric: 'l2',
      onBadRow: 'fail',
    });
    expect(() => reading.report()).toThrow('before all batches');
  });

  it('is refused when a file changes between the plan and the end', async () => {
    const path = write('a.arrow', columns, { batchRows: 10 });
    const options: ReadOptions = { metric: 'l2', onBadRow: 'fail' };
    const before = await planIngest({ paths: [path] });
    write('a.arrow', { ...columns, id: [types.int64, countIds(30, 5)] }, { batchRows: 10 });
    utimesSync(path, 1, 1);
    expect(await fail(readRows(before, options).batches.next())).toMatchObject({ code: 'input_corrupt' });

    const { batches } = readRows(await planIngest({ paths: [path] }), options);
    await batches.next();
    appendFileSync(path, 'x');
    const error = await fail(
      (async () => {
        while ((await batches.next()).done !== true);
      })(),
    );
    expect(error).toMatchObject({ code: 'input_corrupt', details: { file: path } });
    expect(error.message).toContain('changed while it was read');
  });
});

describe('progress and stopping', () => {
  const columns = { id: [types.int64, countIds(30)], v: [types.vector(4), countVectors(30, 4)] } as const;

  it('is told after each chunk, bad rows included', async () => {
    const seen: [number, number][] = [];
    const path = write('a.arrow', { ...columns, id: [types.int64, countIds(30).map(() => 1n)] }, { batchRows: 10 });
    await ingest([path], { metric: 'l2', onBadRow: 'skip', onProgress: (done, total) => seen.push([done, total]) });
    expect(seen).toEqual([
      [10, 30],
      [20, 30],
      [30, 30],
    ]);
  });

  it('ends the reading with the reason of the signal', async () => {
    const controller = new AbortController();
    const run: Promise<Ingested> = ingest([write('a.arrow', columns, { batchRows: 10 })], {
      metric: 'l2',
      signal: controller.signal,
      onProgress: () => controller.abort(new Error('stopped by hand')),
    });
    await expect(run).rejects.toThrow('stopped by hand');
  });

  it('is possible by leaving the loop', async () => {
    const { batches } = readRows(await planIngest({ paths: [write('a.arrow', columns, { batchRows: 10 })] }), {
      metric: 'l2',
      onBadRow: 'fail',
    });
    for await (const batch of batches) {
      expect(batch.rows).toBe(10);
      break;
    }
    expect(await batches.next()).toEqual({ done: true, value: undefined });
  });

  it('passes on what the receiver of rejects throws', async () => {
    const path = write('a.arrow', { ...columns, id: [types.int64, countIds(30).map(() => 1n)] });
    const onRejects = (): Promise<void> => Promise.reject(new Error('no space'));
    const reading = readRows(await planIngest({ paths: [path] }), { metric: 'l2', onBadRow: 'skip', onRejects });
    await expect(reading.batches.next()).rejects.toThrow('no space');
  });
});
