/**
 * The attributes of a version, by name and ordinal. Takes attributes.arrow, mapped if the caller can map; returns JSON
 * values one at a time, or whole columns in chunks as they were written.
 *
 * Of a mapped file, numbers and the bytes of strings stay in the page cache, shared by all processes. Each process
 * holds 4 bytes a string for its offset, and a byte a row for a column with nulls or of bools.
 */
import { constants } from 'node:buffer';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ArrowField, Column } from '../../arrow/column.js';
import type { JsonValue } from '../../arrow/column-value.js';
import { openArrow, openArrowBytes, type ArrowReader } from '../../arrow/read/reader.js';
import { ShortlistError } from '../../base/errors.js';
import { AttributeColumn, type AttributeChunk } from './attribute-column.js';
import type { Manifest } from './manifest.js';
import { ATTRIBUTES_FILE } from '../disk/paths.js';
import { fileCorrupt } from '../disk/section-file.js';
import { typeName } from './type-name.js';
import type { VersionFiles } from './version-reader.js';

export class AttributeStore {
  /** Rows of every attribute. */
  readonly count: number;
  readonly fields: readonly ArrowField[];
  private readonly columns: ReadonlyMap<string, AttributeColumn>;

  /** Use `readAttributes`. */
  constructor(count: number, columns: readonly AttributeColumn[]) {
    this.count = count;
    this.fields = columns.map(({ field }) => field);
    this.columns = new Map(columns.map((column) => [column.field.name, column]));
  }

  get names(): string[] {
    return this.fields.map((field) => field.name);
  }

  /** Memory of the columns, in bytes, with what lies in a mapped file. */
  get residentBytes(): number {
    const buffers = new Set<ArrayBufferLike>();
    for (const { chunks } of this.columns.values()) {
      for (const { column } of chunks) collectBuffers(column, buffers);
    }
    return [...buffers].reduce((sum, buffer) => sum + buffer.byteLength, 0);
  }

  /** One value as JSON has it. @throws unknown_attribute */
  value(name: string, ordinal: number): JsonValue {
    return this.column(name).value(ordinal);
  }

  /** @throws unknown_attribute */
  column(name: string): AttributeColumn {
    const column = this.columns.get(name);
    if (column !== undefined) return column;
    const message = `there is no attribute '${name}'; the attributes are ${this.names.join(', ')}`;
    throw new ShortlistError('unknown_attribute', message, { attribute: name });
  }
}

/** Maps the bytes of a file: all processes that do so share one copy. */
type MapFile = (path: string, offset: number, bytes: number) => Uint8Array;

/** The attributes of a version; null if it has none. @param map maps the file; without it the file is read */
export async function readAttributes(
  { directory, manifest }: VersionFiles,
  map?: MapFile,
): Promise<AttributeStore | null> {
  if (manifest.attributes.length === 0) return null;
  const path = join(directory, ATTRIBUTES_FILE);
  try {
    const reader = await openFile(path, manifest, map);
    try {
      checkFields(path, reader, manifest);
      return await readAll(path, reader, manifest.count);
    } finally {
      await reader.close();
    }
  } catch (error) {
    // The reader's errors are about input files; this file is part of a version.
    if (!(error instanceof ShortlistError) || !error.code.startsWith('input_')) throw error;
    throw fileCorrupt(path, `cannot be read (${error.message})`);
  }
}

function openFile(path: string, manifest: Manifest, map: MapFile | undefined): Promise<ArrowReader> {
  const bytes = manifest.files.find(({ name }) => name === ATTRIBUTES_FILE)?.bytes ?? 0;
  // One view must span a mapped file; a file too long for that is read in parts.
  if (map === undefined || bytes === 0 || bytes > constants.MAX_LENGTH) return openArrow(path);
  return openArrowBytes(path, map(path, 0, bytes));
}

function checkFields(path: string, reader: ArrowReader, manifest: Manifest): void {
  const found = reader.fields.map(({ name, type }) => `${name}: ${typeName(type)}`).join(', ');
  const wanted = manifest.attributes.map(({ name, type }) => `${name}: ${type}`).join(', ');
  if (found !== wanted) throw fileCorrupt(path, `has the columns ${found}, not ${wanted}`);
}

async function readAll(path: string, reader: ArrowReader, count: number): Promise<AttributeStore> {
  const { fields } = reader;
  const chunks: AttributeChunk[][] = fields.map(() => []);
  let rows = 0;
  for await (const chunk of reader.read(fields.map((_, position) => position))) {
    if (chunk.rows === 0) continue;
    chunk.columns.forEach((column, position) => chunks[position]!.push({ firstOrdinal: rows, column }));
    rows += chunk.rows;
    // A server answers while it loads, and decoding what is in memory already would not yield by itself.
    await nextTurn();
  }
  if (rows !== count) throw fileCorrupt(path, `has ${rows} rows, not ${count}`);
  return new AttributeStore(
    count,
    fields.map((field, position) => new AttributeColumn(field, count, chunks[position]!)),
  );
}

function collectBuffers(column: Column, into: Set<ArrayBufferLike>): void {
  if (column.valid !== null) into.add(column.valid.buffer);
  if (column.shape === 'numbers' || column.shape === 'bools') into.add(column.values.buffer);
  else into.add(column.offsets.buffer);
  if (column.shape === 'strings') into.add(column.bytes.buffer);
  if (column.shape === 'lists') collectBuffers(column.items, into);
}
