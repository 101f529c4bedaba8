/** What the tests of this folder share: reading whole files into JSON values, and where fixtures and real data are. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { columnValue, type JsonValue } from '../../src/arrow/column-value.js';
import type { Column } from '../../src/arrow/column.js';
import { openArrow, openArrowBytes, type ArrowReader } from '../../src/arrow/read/reader.js';
import type { Chunk } from '../../src/arrow/read/table-reader.js';
import { ShortlistError } from '../../src/base/errors.js';

/** Real data that does not belong to the repository; tests that want it are skipped without. */
export const TEST_DATA = process.env['SHORTLIST_TEST_DATA'] ?? '';

export function fixture(name: string): string {
  return fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
}

/** A folder that is removed when the test file is done. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'shortlist-arrow-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function writeScratch(folder: string, name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

export interface ReadTable {
  readonly format: string;
  readonly rows: number;
  readonly labels: Record<string, string>;
  /** By column name; columns that are not read are absent. */
  readonly values: Record<string, JsonValue[]>;
}

export function readableColumns(reader: ArrowReader): number[] {
  return reader.fields.flatMap((field, i) => (field.type.kind === 'other' ? [] : [i]));
}

export async function readTable(source: string | Uint8Array): Promise<ReadTable> {
  const reader = await (typeof source === 'string' ? openArrow(source) : openArrowBytes('bytes', source));
  try {
    const wanted = readableColumns(reader);
    const lists: JsonValue[][] = wanted.map(() => []);
    for await (const chunk of wanted.length === 0 ? [] : reader.read(wanted)) appendValues(lists, chunk);
    return {
      format: reader.format,
      rows: reader.rows,
      labels: Object.fromEntries(reader.fields.map((field) => [field.name, field.label])),
      values: Object.fromEntries(wanted.map((column, i) => [reader.fields[column]!.name, lists[i]!])),
    };
  } finally {
    await reader.close();
  }
}

function appendValues(lists: JsonValue[][], chunk: Chunk): void {
  chunk.columns.forEach((column, i) => lists[i]!.push(...columnValues(column)));
}

export function columnValues(column: Column): JsonValue[] {
  return Array.from({ length: column.rows }, (_, row) => columnValue(column, row));
}

export async function readChunks(reader: ArrowReader, columns: readonly number[]): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  for await (const chunk of reader.read(columns)) chunks.push(chunk);
  return chunks;
}

/** The coded error that the action ends in; anything else fails the test. */
export async function failureOf(action: () => Promise<unknown>): Promise<ShortlistError> {
  try {
    await action();
  } catch (error) {
    if (error instanceof ShortlistError) return error;
    throw new Error('ended in an error without a code', { cause: error });
  }
  throw new Error('did not fail');
}
