import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ArrowField, Column, ColumnType } from '../../../src/arrow/column.js';
import { gatherRows } from '../../../src/arrow/gather.js';
import { openArrow } from '../../../src/arrow/read/reader.js';
import { seededRandom } from '../../../src/base/random.js';
import { AttributeWriter } from '../../../src/version/sealed/attribute-writer.js';
import { nodeFiles } from '../../../src/version/disk/files.js';
import { temporaryDirectory } from '../versions.js';

const UTF8: ColumnType = { kind: 'utf8' };
const INT: ColumnType = { kind: 'int', bits: 32, signed: true };
const TYPES: readonly ColumnType[] = [INT, UTF8, { kind: 'list', item: UTF8, size: null }, { kind: 'list', item: INT, size: 2 }]; // prettier-ignore

/** Rows of every shape, a fifth of them null with bytes beneath. @param length of a string, at most */
function randomRows(rows: number, length: number, random: () => number): Column[] {
  const valid = (): Uint8Array => Uint8Array.from({ length: rows }, () => (random() < 0.2 ? 0 : 1));
  const texts = (count: number): Extract<Column, { shape: 'strings' }> => {
    const offsets = new Uint32Array(count + 1);
    for (let i = 0; i < count; i++) offsets[i + 1] = offsets[i]! + Math.floor((length + 1) * random());
    const bytes = Buffer.alloc(offsets[count]!, 'shortlist');
    return { shape: 'strings', type: UTF8, rows: count, valid: null, offsets, bytes };
  };
  const ends = new Uint32Array(rows + 1);
  for (let row = 0; row < rows; row++) ends[row + 1] = ends[row]! + Math.floor(4 * random());
  const numbers = (count: number) => Int32Array.from({ length: count }, () => Math.floor(2 ** 31 * random()));
  const pairs: Column = { shape: 'numbers', type: INT, rows: 2 * rows, valid: null, values: numbers(2 * rows) };
  return [
    { shape: 'numbers', type: INT, rows, valid: valid(), values: numbers(rows) },
    { ...texts(rows), valid: valid() },
    { shape: 'lists', type: TYPES[2]!, rows, valid: valid(), offsets: ends, items: texts(ends[rows]!) },
    { shape: 'lists', type: TYPES[3]!, rows, valid: valid(), offsets: Uint32Array.from({ length: rows + 1 }, (_, row) => 2 * row), items: pairs },
  ]; // prettier-ignore
}

async function write(columns: readonly Column[], chunkRows: () => number): Promise<string> {
  const path = join(temporaryDirectory(), 'shard-0000.attributes.arrow');
  const fields = TYPES.map((type, i): ArrowField => ({ name: `c${i}`, type, nullable: true, label: '' }));
  const writer = await AttributeWriter.create(path, fields, { files: nodeFiles, shards: 1 });
  const total = columns[0]!.rows;
  for (let from = 0; from < total;) {
    const rows = Uint32Array.from({ length: Math.min(total - from, chunkRows()) }, (_, i) => from + i);
    const chunk = columns.map((column) => gatherRows([column], { pieces: null, rows }));
    await writer.append(chunk);
    for (const column of chunk) overwrite(column);
    from += rows.length;
  }
  await writer.close();
  return path;
}

/** As a reader that uses its buffers again would. */
function overwrite(column: Column): void {
  column.valid?.fill(1);
  if (column.shape === 'numbers') (column.values as Int32Array).fill(-1);
  if (column.shape === 'strings') column.bytes.fill(0);
  if (column.shape === 'strings' || column.shape === 'lists') column.offsets.fill(0);
  if (column.shape === 'lists') overwrite(column.items);
}

async function batchesOf(path: string): Promise<number[]> {
  const reader = await openArrow(path);
  try {
    const rows: number[] = [];
    for await (const chunk of reader.read([0])) rows.push(chunk.rows);
    return rows;
  } finally {
    await reader.close();
  }
}

describe('shard-0000.attributes.arrow', () => {
  const seed = 11;

  it(`has the same bytes however the rows come (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const columns = randomRows(70_000, 12, random);
    const whole = readFileSync(await write(columns, () => 70_000));
    for (const limit of [5_000, 66_000]) {
      const pieces = readFileSync(await write(columns, () => 1 + Math.floor(limit * random())));
      expect(pieces.equals(whole)).toBe(true);
    }
  });

  it('has record batches of 65,536 rows, and of fewer where strings are long', async () => {
    const random = seededRandom(seed);
    expect(await batchesOf(await write(randomRows(70_000, 12, random), () => 10_000))).toEqual([65_536, 4_464]);
    const long = randomRows(80, 1_000_000, random);
    const rows = await batchesOf(await write(long, () => 7));
    expect(rows.length).toBeGreaterThan(1);
    expect(rows.reduce((sum, count) => sum + count, 0)).toBe(80);
    expect(await batchesOf(await write(long, () => 80))).toEqual(rows);
  });

  it('does not depend on what lies under nulls', async () => {
    const random = seededRandom(seed);
    const [numbers, texts, lists, pairs] = randomRows(500, 8, random) as [Column, Column, Column, Column];
    const rows = Uint32Array.from({ length: 500 }, (_, row) => row);
    const emptied = [texts, lists].map((column) => gatherRows([column], { pieces: null, rows, valid: column.valid }));
    const bare = [numbers, ...emptied, pairs];
    const [full, empty] = [await write([numbers, texts, lists, pairs], () => 500), await write(bare, () => 500)];
    expect(readFileSync(full).equals(readFileSync(empty))).toBe(true);
  });
});
