/** An index of many rows with every kind of column that filters look at, texts of 130 bytes among them. */
import { mkdirSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArrowField, Column, ColumnType } from '../../src/arrow/column.js';
import { ArrowWriter } from '../../src/arrow/write/writer.js';
import { seededRandom } from '../../src/base/random.js';
import { shortlist } from '../cli/process.js';
import { columnOf, type Value } from '../retrieve/filter/stores.js';

export const INDEX = 'extremes';
export const DIM = 8;

/** Rows of one record batch. */
const BATCH = 50_000;

const TEXT: ColumnType = { kind: 'utf8' };
const FLOAT32: ColumnType = { kind: 'float', bits: 32 };
const INT32: ColumnType = { kind: 'int', bits: 32, signed: true };

type Make = (row: number, random: () => number) => Value;

const COLUMNS: readonly (readonly [string, ColumnType, Make])[] = [
  ['text', TEXT, (row, random) => words(random).slice(0, 120).padEnd(121, '.') + String(row).padStart(9, '0')],
  ['runs', TEXT, (row) => 'a'.repeat(130 - (row % 8)) + 'ab'.repeat(row % 5).slice(0, row % 8)],
  ['shop', TEXT, (row) => (row % 50 === 0 ? null : `shop ${(row * 7) % 3_000}`)],
  [
    'tags',
    { kind: 'list', item: TEXT, size: null },
    (row) => [`tag${row % 300}`, `tag${row % 7}`, `tag${row % 5_000}`],
  ],
  ['codes', { kind: 'list', item: INT32, size: null }, (row) => [row % 300, row % 70_001, row]],
  ['price', INT32, (_row, random) => Math.floor(random() * 1e6)],
  ['weight', { kind: 'float', bits: 64 }, (row, random) => (row % 20 === 0 ? null : Math.floor(random() * 8e5) / 8)],
  ['views', { kind: 'int', bits: 64, signed: true }, (_row, random) => BigInt(Math.floor(random() * 1e6))],
  ['sale', { kind: 'bool' }, (row) => (row % 9 === 0 ? null : row % 3 === 0)],
  ['made', { kind: 'date', unit: 'day' }, (row) => row % 40_000],
  ['seen', { kind: 'timestamp', unit: 'ms', timezone: null }, (row) => 1_700_000_000_000n + BigInt(row)],
];

function words(random: () => number): string {
  return Array.from({ length: 18 }, () => `w${Math.floor(random() * 100_003)}x`).join(' ');
}

/** Builds and publishes it. */
export async function publishRows(root: string, rows: number): Promise<void> {
  mkdirSync(root, { recursive: true });
  const input = join(root, '.extremes.arrow');
  await writeRows(input, rows);
  const options = [
    '--no-calibrate',
    '--m',
    '4',
    '--ef-construction',
    '8',
    '--force',
    '--reason',
    'a test',
    '--publish',
  ];
  const { code, stderr } = await shortlist(['build', INDEX, '--input', input, '--root', root, ...options]);
  rmSync(input);
  if (code !== 0) throw new Error(stderr);
}

async function writeRows(path: string, rows: number): Promise<void> {
  const vector: ColumnType = { kind: 'list', item: FLOAT32, size: DIM };
  const fields: Pick<ArrowField, 'name' | 'type' | 'nullable'>[] = [
    { name: 'id', type: TEXT, nullable: false },
    { name: 'embedding', type: vector, nullable: false },
    ...COLUMNS.map(([name, type]) => ({ name, type, nullable: true })),
  ];
  const file = await open(path, 'w');
  const writer = new ArrowWriter('file', { fields }, async (bytes) => {
    await file.writeFile(bytes);
  });
  const random = seededRandom(77);
  for (let from = 0; from < rows; from += BATCH) {
    const numbers = Array.from({ length: Math.min(BATCH, rows - from) }, (_, i) => from + i);
    await writer.write([
      columnOf(TEXT, numbers.map((row) => `item ${row}`)),
      vectorsOf(vector, numbers.length, random),
      ...COLUMNS.map(([, type, make]) => columnOf(type, numbers.map((row) => make(row, random)))),
    ]); // prettier-ignore
  }
  await writer.close();
  await file.close();
}

function vectorsOf(type: ColumnType, rows: number, random: () => number): Column {
  const values = Float32Array.from({ length: rows * DIM }, () => random() * 2 - 1);
  const offsets = Uint32Array.from({ length: rows + 1 }, (_, row) => row * DIM);
  const items: Column = { shape: 'numbers', type: FLOAT32, rows: values.length, valid: null, values };
  return { shape: 'lists', type, rows, valid: null, offsets, items };
}
