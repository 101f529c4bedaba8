/**
 * The attributes of a version, by name and ordinal. Takes the files of attributes, mapped if the caller can map;
 * returns JSON values one at a time, or whole columns in chunks as they were written.
 *
 * Of a mapped file, numbers and the bytes of strings stay in the page cache, shared by all processes. Each process
 * holds 4 bytes a string for its offset, and a byte a row for a column with nulls or of bools.
 */
import { constants } from 'node:buffer';
import { basename, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ArrowField, Column } from '../../arrow/column.js';
import type { JsonValue } from '../../arrow/column-value.js';
import { openArrow, openArrowBytes, type ArrowReader } from '../../arrow/read/reader.js';
import { ShortlistError } from '../../base/errors.js';
import { AttributeColumn, type AttributeChunk } from './attribute-column.js';
import type { Manifest } from './manifest.js';
import type { RowPlaces } from './row-places.js';
import { fileCorrupt } from '../disk/section-file.js';
import { shardFilesOf } from './shard-files.js';
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

interface ReadAttributesOptions {
  /** Maps the files; without it they are read. */
  readonly map?: MapFile | undefined;
  /** Shards to read, in the order of their positions; default: all. Format 1 has the attributes of all. */
  readonly shards?: readonly number[] | undefined;
  /** Of these shards; without them values are read by position only. */
  readonly places?: RowPlaces | undefined;
}

/** The attributes of a version; null if it has none. */
export async function readAttributes(
  { directory, manifest }: VersionFiles,
  { map, shards = [...manifest.shards.keys()], places }: ReadAttributesOptions = {},
): Promise<AttributeStore | null> {
  const { attributes, format } = manifest;
  if (attributes.length === 0) return null;
  const parts =
    format === 1
      ? [{ name: shardFilesOf(manifest, 0).attributes!, count: manifest.count }]
      : shards.map((shard) => ({
          name: shardFilesOf(manifest, shard).attributes!,
          count: manifest.shards[shard]!.count,
        }));
  const read = new ColumnsReader(attributes.length);
  for (const { name, count } of parts) await readPart(join(directory, name), manifest, count, read, map);
  const isPlaced = format !== 1 && places !== undefined && !places.isIdentity;
  return read.finish(isPlaced ? places : null);
}

async function readPart(
  path: string,
  manifest: Manifest,
  count: number,
  into: ColumnsReader,
  map: MapFile | undefined,
): Promise<void> {
  try {
    const reader = await openFile(path, manifest, map);
    try {
      checkFields(path, reader, manifest);
      const rows = await into.read(reader);
      if (rows !== count) throw fileCorrupt(path, `has ${rows} rows, not ${count}`);
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
  const bytes = manifest.files.find(({ name }) => name === basename(path))?.bytes ?? 0;
  // One view must span a mapped file; a file too long for that is read in parts.
  if (map === undefined || bytes === 0 || bytes > constants.MAX_LENGTH) return openArrow(path);
  return openArrowBytes(path, map(path, 0, bytes));
}

function checkFields(path: string, reader: ArrowReader, manifest: Manifest): void {
  const found = reader.fields.map(({ name, type }) => `${name}: ${typeName(type)}`).join(', ');
  const wanted = manifest.attributes.map(({ name, type }) => `${name}: ${type}`).join(', ');
  if (found !== wanted) throw fileCorrupt(path, `has the columns ${found}, not ${wanted}`);
}

/** Collects the chunks of all files, one after the other. */
class ColumnsReader {
  private fields: readonly ArrowField[] = [];
  private readonly chunks: AttributeChunk[][];
  private rows = 0;

  constructor(attributes: number) {
    this.chunks = Array.from({ length: attributes }, () => []);
  }

  /** @returns the number of rows */
  async read(reader: ArrowReader): Promise<number> {
    const before = this.rows;
    this.fields = reader.fields;
    for await (const chunk of reader.read(this.fields.map((_, position) => position))) {
      if (chunk.rows === 0) continue;
      chunk.columns.forEach((column, position) => this.chunks[position]!.push({ first: this.rows, column }));
      this.rows += chunk.rows;
      // A server answers while it loads, and decoding what is in memory already would not yield by itself.
      await nextTurn();
    }
    return this.rows - before;
  }

  finish(places: RowPlaces | null): AttributeStore {
    const { rows } = this;
    const columns = this.fields.map(
      (field, position) => new AttributeColumn(field, rows, this.chunks[position]!, places),
    );
    return new AttributeStore(rows, columns);
  }
}

function collectBuffers(column: Column, into: Set<ArrayBufferLike>): void {
  if (column.valid !== null) into.add(column.valid.buffer);
  if (column.shape === 'numbers' || column.shape === 'bools') into.add(column.values.buffer);
  else into.add(column.offsets.buffer);
  if (column.shape === 'strings') into.add(column.bytes.buffer);
  if (column.shape === 'lists') collectBuffers(column.items, into);
}
