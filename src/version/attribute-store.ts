/**
 * The attributes of a version in memory, by name and ordinal. Takes attributes.arrow; gives JSON values one at a time and
 * whole columns in chunks, as they were written. Hides where the chunks begin.
 */
import { join } from 'node:path';
import type { ArrowField, Column } from '../arrow/column.js';
import { columnValue, type JsonValue } from '../arrow/column-value.js';
import { openArrow } from '../arrow/reader.js';
import type { ArrowReader } from '../arrow/reader.js';
import { ShortlistError } from '../base/errors.js';
import type { Manifest } from './manifest.js';
import { ATTRIBUTES_FILE } from './paths.js';
import { fileCorrupt } from './section-file.js';
import { typeName } from './type-name.js';
import type { VersionFiles } from './version-reader.js';

/** Consecutive ordinals of one attribute. */
export interface AttributeChunk {
  readonly firstOrdinal: number;
  readonly column: Column;
}

export class AttributeStore {
  /** Rows of every attribute. */
  readonly count: number;
  readonly fields: readonly ArrowField[];
  private readonly chunksByName: ReadonlyMap<string, readonly AttributeChunk[]>;
  /** First ordinals of the chunks, which are the same for every attribute. */
  private readonly starts: Uint32Array;

  /** Use `readAttributes`. */
  constructor(count: number, fields: readonly ArrowField[], chunksByName: ReadonlyMap<string, AttributeChunk[]>) {
    this.count = count;
    this.fields = fields;
    this.chunksByName = chunksByName;
    const [first] = chunksByName.values();
    this.starts = Uint32Array.from(first ?? [], (chunk) => chunk.firstOrdinal);
  }

  get names(): string[] {
    return this.fields.map((field) => field.name);
  }

  /** Memory of the columns, in bytes. */
  get residentBytes(): number {
    const buffers = new Set<ArrayBufferLike>();
    for (const chunks of this.chunksByName.values()) {
      for (const { column } of chunks) collectBuffers(column, buffers);
    }
    return [...buffers].reduce((sum, buffer) => sum + buffer.byteLength, 0);
  }

  /** One value as JSON says it; null where it is null. @throws unknown_attribute */
  value(name: string, ordinal: number): JsonValue {
    const { firstOrdinal, column } = this.chunks(name)[this.chunkOf(ordinal)]!;
    return columnValue(column, ordinal - firstOrdinal);
  }

  /** All values of an attribute, in chunks whose ordinals follow on each other. @throws unknown_attribute */
  chunks(name: string): readonly AttributeChunk[] {
    const chunks = this.chunksByName.get(name);
    if (chunks !== undefined) return chunks;
    const message = `there is no attribute '${name}'; there are ${this.names.join(', ')}`;
    throw new ShortlistError('unknown_attribute', message, { attribute: name });
  }

  /** The last chunk that starts at or before the ordinal. */
  private chunkOf(ordinal: number): number {
    if (!(ordinal >= 0 && ordinal < this.count)) throw new Error(`ordinal ${ordinal} of ${this.count}`);
    let low = 0;
    let high = this.starts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.starts[middle]! <= ordinal) low = middle;
      else high = middle;
    }
    return low;
  }
}

/** The attributes of a version; null where it has none. */
export async function readAttributes({ directory, manifest }: VersionFiles): Promise<AttributeStore | null> {
  if (manifest.attributes.length === 0) return null;
  const path = join(directory, ATTRIBUTES_FILE);
  try {
    const reader = await openArrow(path);
    try {
      checkFields(path, reader, manifest);
      return await readAll(path, reader, manifest.count);
    } finally {
      await reader.close();
    }
  } catch (error) {
    // The reader speaks of input files; this one is part of a version.
    if (!(error instanceof ShortlistError) || !error.code.startsWith('input_')) throw error;
    throw fileCorrupt(path, `cannot be read (${error.message})`);
  }
}

function checkFields(path: string, reader: ArrowReader, manifest: Manifest): void {
  const found = reader.fields.map(({ name, type }) => `${name}: ${typeName(type)}`).join(', ');
  const wanted = manifest.attributes.map(({ name, type }) => `${name}: ${type}`).join(', ');
  if (found !== wanted) throw fileCorrupt(path, `has the columns ${found}, not ${wanted}`);
}

async function readAll(path: string, reader: ArrowReader, count: number): Promise<AttributeStore> {
  const { fields } = reader;
  const chunks = new Map<string, AttributeChunk[]>(fields.map(({ name }) => [name, []]));
  let rows = 0;
  for await (const chunk of reader.read(fields.map((_, position) => position))) {
    chunk.columns.forEach((column, position) => {
      chunks.get(fields[position]!.name)!.push({ firstOrdinal: rows, column });
    });
    rows += chunk.rows;
  }
  if (rows !== count) throw fileCorrupt(path, `has ${rows} rows, not ${count}`);
  return new AttributeStore(count, fields, chunks);
}

function collectBuffers(column: Column, into: Set<ArrayBufferLike>): void {
  if (column.valid !== null) into.add(column.valid.buffer);
  if (column.shape === 'numbers' || column.shape === 'bools') into.add(column.values.buffer);
  else into.add(column.offsets.buffer);
  if (column.shape === 'strings') into.add(column.bytes.buffer);
  if (column.shape === 'lists') collectBuffers(column.items, into);
}
