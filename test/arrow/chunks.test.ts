import { openSync, closeSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Column, ColumnType } from '../../src/arrow/column.js';
import { openArrow } from '../../src/arrow/read/reader.js';
import { ArrowWriter } from '../../src/arrow/write/writer.js';
import { columnValues, failureOf, fixture, readChunks, scratchFolder, TEST_DATA } from './arrow-files.js';

const folder = scratchFolder();
const MIB = 1024 * 1024;

/** Writes one batch to a file without holding its bytes twice. */
async function writeOneBatch(name: string, columns: Record<string, Column>): Promise<string> {
  const path = join(folder, name);
  const file = openSync(path, 'w');
  const fields = Object.entries(columns).map(([field, { type }]) => ({ name: field, type, nullable: true }));
  const writer = new ArrowWriter('file', { fields }, (bytes) => void writeSync(file, bytes));
  await writer.write(Object.values(columns));
  await writer.close();
  closeSync(file);
  return path;
}

const FLOAT: ColumnType = { kind: 'float', bits: 32 };
const INT: ColumnType = { kind: 'int', bits: 32, signed: true };

function counted(rows: number): Column {
  return { shape: 'numbers', type: INT, rows, valid: null, values: Int32Array.from({ length: rows }, (_, i) => i) };
}

function vectors(rows: number, dim: number): Column {
  const values = Float32Array.from({ length: rows * dim }, (_, i) => i);
  const items: Column = { shape: 'numbers', type: FLOAT, rows: rows * dim, valid: null, values };
  const offsets = Uint32Array.from({ length: rows + 1 }, (_, row) => row * dim);
  return { shape: 'lists', type: { kind: 'list', item: FLOAT, size: dim }, rows, valid: null, offsets, items };
}

function strings(lengths: readonly number[]): Column {
  const offsets = new Uint32Array(lengths.length + 1);
  lengths.forEach((length, i) => (offsets[i + 1] = offsets[i]! + length));
  const bytes = new Uint8Array(offsets.at(-1)!).fill(0x61);
  return { shape: 'strings', type: { kind: 'utf8' }, rows: lengths.length, valid: null, offsets, bytes };
}

function sizeOf(column: Column): number {
  switch (column.shape) {
    case 'numbers':
    case 'bools':
      return column.values.byteLength;
    case 'strings':
      return column.bytes.byteLength + column.offsets.byteLength;
    case 'lists':
      return sizeOf(column.items) + column.offsets.byteLength;
  }
}

describe('one batch of any size', () => {
  it('is read in chunks of some MiB, each row once and in order', async () => {
    const rows = 150_000;
    const path = await writeOneBatch('vectors.arrow', { id: counted(rows), vector: vectors(rows, 64) });
    const reader = await openArrow(path);
    let next = 0;
    let chunks = 0;
    for await (const chunk of reader.read([1, 0])) {
      const [vector, id] = chunk.columns;
      expect(chunk.firstRow).toBe(next);
      expect(sizeOf(vector!) + sizeOf(id!)).toBeLessThan(12 * MIB);
      if (vector!.shape !== 'lists' || id!.shape !== 'numbers') throw new Error('other shapes');
      if (vector!.items.shape !== 'numbers') throw new Error('other items');
      expect([id!.values[0], vector!.items.values[0]]).toEqual([next, next * 64]);
      expect(vector!.items.rows).toBe(chunk.rows * 64);
      next += chunk.rows;
      chunks++;
    }
    expect(next).toBe(rows);
    expect(chunks).toBeGreaterThan(4);
    await reader.close();
  });

  it('of narrow rows ends a chunk at 65,536 of them, which need not be whole bytes of a bitmap', async () => {
    const rows = 200_003;
    const valid = Uint8Array.from({ length: rows }, (_, row) => (row % 3 === 0 ? 0 : 1));
    const flags: Column = {
      shape: 'bools',
      type: { kind: 'bool' },
      rows,
      valid,
      values: valid.map((_, i) => (i >> 3) & 1),
    };
    const path = await writeOneBatch('flags.arrow', { flags });
    const reader = await openArrow(path);
    const chunks = await readChunks(reader, [0]);
    expect(chunks.map((chunk) => chunk.rows)).toEqual([65_536, 65_536, 65_536, rows - 3 * 65_536]);
    expect(chunks.flatMap((chunk) => columnValues(chunk.columns[0]!))).toEqual(columnValues(flags));
    await reader.close();
  });

  it('with a few huge strings among short ones still gives small chunks, and the huge ones alone', async () => {
    const lengths = Array.from({ length: 3000 }, (_, row) => (row % 1000 === 500 ? 20 * MIB : row % 7));
    const path = await writeOneBatch('strings.arrow', { text: strings(lengths), id: counted(lengths.length) });
    const reader = await openArrow(path);
    const seen: number[] = [];
    for await (const chunk of reader.read([0, 1])) {
      const [text] = chunk.columns;
      if (text!.shape !== 'strings') throw new Error('other shape');
      if (chunk.rows > 1) expect(text!.bytes.length).toBeLessThan(12 * MIB);
      for (let row = 0; row < chunk.rows; row++) seen.push(text!.offsets[row + 1]! - text!.offsets[row]!);
    }
    expect(seen).toEqual(lengths);
    await reader.close();
  });

  it('with a value beyond the bound is refused by its row, and readable without the column', async () => {
    const path = await writeOneBatch('huge.arrow', { text: strings([1, 257 * MIB, 1]), id: counted(3) });
    const reader = await openArrow(path);
    const error = await failureOf(() => readChunks(reader, [0]));
    expect(error.code).toBe('input_unsupported');
    expect(error.message).toContain("record batch 0, column 'text': value 1 has");
    expect((await readChunks(reader, [1])).map((chunk) => columnValues(chunk.columns[0]!))).toEqual([[0, 1, 2]]);
    await reader.close();
  });
});

describe('a reader', () => {
  it('reads columns in the order asked, twice at once if asked, and again after a break', async () => {
    const reader = await openArrow(fixture('pyarrow-batches.arrows'));
    const column = (name: string): number => reader.fields.findIndex((field) => field.name === name);
    for await (const chunk of reader.read([column('title')])) {
      expect(chunk.rows).toBe(8);
      break;
    }
    const [ids, pairs] = await Promise.all([
      readChunks(reader, [column('id')]),
      readChunks(reader, [column('number'), column('id'), column('id')]),
    ]);
    expect(ids.map((chunk) => [chunk.firstRow, chunk.rows])).toEqual([
      [0, 8],
      [8, 8],
      [16, 5],
    ]);
    expect(pairs[1]!.columns.map((c) => columnValues(c)[0])).toEqual([8 * 1_000_003 - 7, 'item-008', 'item-008']);
    await reader.close();
  });

  it('takes a column that is not there for a bug', async () => {
    const reader = await openArrow(fixture('pyarrow.arrow'));
    await expect(reader.read([99]).next()).rejects.toThrow(RangeError);
    await expect(reader.read([]).next()).rejects.toThrow(RangeError);
    await reader.close();
  });
});

describe.skipIf(TEST_DATA === '')('real data (needs SHORTLIST_TEST_DATA)', () => {
  const FILES: readonly (readonly [file: string, rows: number, dim: number])[] = [
    ['siftsmall/base.arrow', 10_000, 128],
    ['mnist10k/base.lz4.arrow', 9_000, 784],
    ['mnist10k/queries.arrow', 1_000, 784],
    ['pcparts/base.zstd.arrow', 65_778, 64],
    ['products/base.lz4.arrow', 180, 512],
    ['edge/zero_rows_float64.arrow', 4_400, 50],
    ['edge/emoji_float16_list.arrow', 1_661, 300],
  ];

  it.each(FILES)('%s has %i vectors of %i finite components', async (file, rows, dim) => {
    const reader = await openArrow(join(TEST_DATA, file));
    const column = reader.fields.findIndex(({ type }) => type.kind === 'list' && type.item.kind === 'float');
    let seen = 0;
    for await (const { columns } of reader.read([column])) {
      const [lists] = columns;
      if (lists!.shape !== 'lists' || lists!.items.shape !== 'numbers') throw new Error('other shapes');
      for (let row = 0; row < lists!.rows; row++) expect(lists!.offsets[row + 1]! - lists!.offsets[row]!).toBe(dim);
      expect((lists!.items.values as Float32Array).every(Number.isFinite)).toBe(true);
      seen += lists!.rows;
    }
    expect([reader.rows, seen]).toEqual([rows, rows]);
    await reader.close();
  });

  it('pcparts: nulls and dictionaries are those of the data', async () => {
    const reader = await openArrow(join(TEST_DATA, 'pcparts/base.zstd.arrow'));
    const column = (name: string): number => reader.fields.findIndex((field) => field.name === name);
    const chunks = await readChunks(reader, [column('price'), column('category')]);
    const prices = chunks.flatMap((chunk) => columnValues(chunk.columns[0]!));
    const categories = new Set(chunks.flatMap((chunk) => columnValues(chunk.columns[1]!)));
    const share = (count: number): number => Math.round((1000 * count) / prices.length) / 10;
    expect(share(prices.filter((price) => price === null).length)).toBeCloseTo(76, 0);
    expect(share(prices.filter((price) => price !== null && (price as number) >= 2000).length)).toBeCloseTo(0.2, 0);
    expect(categories).toContain('memory');
    await reader.close();
  });
});
