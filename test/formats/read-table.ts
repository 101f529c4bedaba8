/** Reads the tables of files to their end, for tests to compare. */
import { expect } from 'vitest';
import { columnValue, type JsonValue } from '../../src/arrow/column-value.js';
import type { TableReader } from '../../src/arrow/read/table-reader.js';

/** The values of every column that can be read, by name. */
export async function readAll(reader: TableReader): Promise<Record<string, JsonValue[]>> {
  const positions = reader.fields.flatMap(({ type }, position) => (type.kind === 'other' ? [] : [position]));
  const values: Record<string, JsonValue[]> = {};
  for (const position of positions) values[reader.fields[position]!.name] = [];
  let next = 0;
  for await (const { firstRow, rows, columns } of reader.read(positions)) {
    expect(firstRow).toBe(next);
    next += rows;
    columns.forEach((column, i) => {
      expect(column.rows).toBe(rows);
      const list = values[reader.fields[positions[i]!]!.name]!;
      for (let row = 0; row < rows; row++) list.push(columnValue(column, row));
    });
  }
  expect(next).toBe(reader.rows);
  return values;
}

export async function withTable<T>(opening: Promise<TableReader>, work: (reader: TableReader) => Promise<T>): Promise<T> {
  const reader = await opening;
  try {
    return await work(reader);
  } finally {
    await reader.close();
  }
} // prettier-ignore
