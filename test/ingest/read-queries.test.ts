import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { badRowsOf } from '../../src/ingest/bad-rows.js';
import { readQueries, type QueryOptions, type QueryRows } from '../../src/ingest/read-queries.js';
import { countIds, countVectors, types, writeArrow, type TestColumn } from './arrow-files.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'queries-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, columns: Record<string, TestColumn>, batchRows?: number): string =>
  writeArrow(join(folder, name), columns, batchRows === undefined ? {} : { batchRows });
const read = (columns: Record<string, TestColumn>, options: Partial<QueryOptions> = {}): Promise<QueryRows> =>
  readQueries([write('q.arrow', columns, 4)], { dim: 3, metric: 'l2', ...options });

const vectors = countVectors(10, 3);
const v: TestColumn = [types.vector(3), vectors];

describe('queries', () => {
  it('are read from all files in order, with their ids', async () => {
    const a = write('a.arrow', { id: [types.int64, countIds(10)], v }, 3);
    const b = write('b.arrow', { id: [types.int64, countIds(10)], v });
    const got = await readQueries([b, a], { dim: 3, metric: 'l2' });
    expect(got.count).toBe(20);
    expect([...got.vectors]).toEqual([...vectors, ...vectors].flat());
    expect(got.ids).toEqual([...countIds(10), ...countIds(10)].map(String));
  });

  it('need no id column', async () => {
    expect((await read({ v })).ids).toBeUndefined();
    const columns = { id: [types.float64, countVectors(10, 1).flat()] as TestColumn, v };
    expect((await read(columns)).ids).toBeUndefined();
    await expect(read(columns, { idColumn: 'id' })).rejects.toMatchObject({ code: 'column_type' });
    await expect(read({ v }, { idColumn: 'name' })).rejects.toMatchObject({ code: 'column_missing' });
  });

  it('take the columns that are named', async () => {
    const columns: Record<string, TestColumn> = {
      v,
      w: [types.list64, vectors.map((row) => row.map((x) => x + 1))],
      name: [types.utf8, vectors.map((_, i) => `q${i}`)],
    };
    const got = await read(columns, { vectorColumn: 'w', idColumn: 'name' });
    expect(got.vectors[0]).toBe(vectors[0]![0]! + 1);
    expect(got.ids?.at(-1)).toBe('q9');
  });

  it('have unit length under cosine', async () => {
    const got = await read({ v }, { metric: 'cosine' });
    const squared = got.vectors.slice(0, 3).reduce((sum, x) => sum + x * x, 0);
    expect(squared).toBeCloseTo(1, 6);
  });

  it('of several layouts are read the same in any order', async () => {
    const asNumbers = vectors.map((row) => row.map((x) => Math.round(x) + 0));
    const files = [
      write('fixed.arrow', { id: [types.int64, countIds(10)], embedding: [types.vector(3), asNumbers] }),
      write('list64.arrow', { vector: [types.list64, asNumbers] }),
      write('named.arrow', { wanted: [types.list16, asNumbers], embedding: [types.vector(2), countVectors(10, 2)] }),
      write('bytes.arrow', { id: [types.float64, countVectors(10, 1).flat()], codes: [types.bytes(3), asNumbers] }),
      write('nested.arrow', {
        id: [types.utf8, vectors.map((_, i) => `q${i}`)],
        v: [types.listOfLists, asNumbers.map((row) => [row])],
      }),
    ];
    const options = { dim: 3, metric: 'l2', preferredColumn: 'wanted' } as const;
    for (let turn = 0; turn < files.length; turn++) {
      const order = [...files.slice(turn), ...files.slice(0, turn)];
      for (const paths of [order, order.toReversed()]) {
        const got = await readQueries(paths, options);
        expect([...got.vectors]).toEqual(paths.flatMap(() => asNumbers.flat()));
        expect(got.ids).toBeUndefined();
      }
    }
    expect((await readQueries([files[0]!, files[4]!], options)).ids).toHaveLength(20);
    expect((await readQueries([files[4]!, files[0]!], options)).ids).toHaveLength(20);
  });

  it('of a stream without its end are read, with a warning', async () => {
    const path = writeArrow(join(folder, 's.arrow'), { v }, { format: 'stream', batchRows: 4 });
    writeFileSync(path, readFileSync(path).subarray(0, -8));
    const warnings: string[] = [];
    const got = await readQueries([path], { dim: 3, metric: 'l2', onWarning: (message) => warnings.push(message) });
    expect(got.count).toBe(10);
    expect(warnings).toEqual([expect.stringContaining(`${path}: the stream ends without its end-of-stream marker`)]);
  });

  it('of another length than the index are refused', async () => {
    await expect(read({ v }, { dim: 4 })).rejects.toMatchObject({
      code: 'dimension_mismatch',
      details: { dim: 3, expected: 4 },
    });
    const lists: TestColumn = [types.list32, [[1, 2, 3], [1, 2], [4, 5, 6]]]; // prettier-ignore
    await expect(read({ v: lists })).rejects.toThrow('not the 3 of the index');
  });

  it('that are bad are all counted and named', async () => {
    const bad: TestColumn = [types.list32, [[1, 2, 3], null, [NaN, 1, 1], [0, 0, 0], [4, 5, 6], null]];
    const error: unknown = await read({ v: bad }, { metric: 'cosine' }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'bad_rows', details: { rows: 6 } });
    expect(badRowsOf(error)?.kinds.map(({ kind, count, shown }) => [kind, count, shown[0]?.row])).toEqual([
      ['null_vector', 2, 1],
      ['not_finite', 1, 2],
      ['zero_vector', 1, 3],
    ]);
  });

  it('of a null or empty id are refused, those of equal ids are not', async () => {
    const ids = (values: readonly (string | null)[]): TestColumn => [types.utf8, values];
    const two: TestColumn = [types.vector(3), vectors.slice(0, 2)];
    expect((await read({ id: ids(['a', 'a']), v: two })).ids).toEqual(['a', 'a']);
    await expect(read({ id: ids(['a', null]), v: two })).rejects.toThrow('row 1, no id: the id is null');
    await expect(read({ id: ids(['', 'b']), v: two })).rejects.toThrow('the id is empty');
  });

  it('must be there', async () => {
    await expect(read({ v: [types.vector(3), []] })).rejects.toMatchObject({ code: 'no_rows' });
    const missing = readQueries([join(folder, 'none.arrow')], { dim: 3, metric: 'l2' });
    await expect(missing).rejects.toMatchObject({ code: 'input_not_found' });
  });
});
