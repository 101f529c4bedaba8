/**
 * The Arrow file that `shortlist build` reads: `id` (uint32, the position), `embedding` (fixed_size_list of float32),
 * and attributes.
 */
import { closeSync, openSync, renameSync, writeSync } from 'node:fs';
import type { Column, ColumnType } from '../../src/arrow/column.js';
import { ArrowWriter } from '../../src/arrow/write/writer.js';

const BATCH_ROWS = 16_384;

/** @param attributes one value a row, by name */
export async function writeBaseArrow(
  path: string,
  values: Float32Array,
  dim: number,
  attributes: Readonly<Record<string, Uint32Array>> = {},
): Promise<void> {
  const id: ColumnType = { kind: 'int', bits: 32, signed: false };
  const item: ColumnType = { kind: 'float', bits: 32 };
  const embedding: ColumnType = { kind: 'list', item, size: dim };
  const file = openSync(`${path}.part`, 'w');
  try {
    const fields = [
      { name: 'id', type: id, nullable: false },
      { name: 'embedding', type: embedding, nullable: false },
      ...Object.keys(attributes).map((name) => ({ name, type: id, nullable: false })),
    ];
    const writer = new ArrowWriter('file', { fields }, (bytes) => writeAll(file, bytes));
    const count = values.length / dim;
    for (let from = 0; from < count; from += BATCH_ROWS) {
      const rows = Math.min(BATCH_ROWS, count - from);
      const offsets = Uint32Array.from({ length: rows + 1 }, (_, row) => row * dim);
      const items = values.subarray(from * dim, (from + rows) * dim);
      const ids = Uint32Array.from({ length: rows }, (_, row) => from + row);
      const components: Column = { shape: 'numbers', type: item, rows: items.length, valid: null, values: items };
      const numbers = [ids, ...Object.values(attributes).map((column) => column.subarray(from, from + rows))];
      const [first, ...rest] = numbers.map((column): Column => ({ shape: 'numbers', type: id, rows, valid: null, values: column })); // prettier-ignore
      await writer.write([
        first!,
        { shape: 'lists', type: embedding, rows, valid: null, offsets, items: components },
        ...rest,
      ]);
    }
    await writer.close();
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.part`, path);
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let from = 0; from < bytes.length;) from += writeSync(file, bytes, from);
}
