/**
 * Arrow IPC files, IPC streams and Feather V2 files, read in chunks of bounded size.
 *
 * Takes a path, or bytes, and gives the schema, the number of rows and, on demand, columns. Hides the format: framing,
 * metadata, compression, dictionaries, offsets and views. An uncompressed batch is never read whole, only the rows of the
 * columns asked for; a compressed buffer costs its decompressed size for as long as its batch is read.
 *
 * Fails with `input_not_found`, `input_format`, `input_corrupt`, `input_unsupported`, `column_type` and `io_error`, each
 * naming the file. Bytes are checked before they are believed: what is read is inside the file, inside its buffer, in
 * order, and valid UTF-8 where it is text. Values themselves carry no checksum in Arrow.
 */
import { ShortlistError } from '../base/errors.js';
import { columnTypeOf, labelOf, type SchemaField } from './arrow-type.js';
import { BatchBody } from './batch-body.js';
import { CHUNK_BYTES, CHUNK_ROWS, MAX_VALUE_BYTES, WHOLE_BATCH_BYTES } from './bounds.js';
import { memorySource, openFileSource, windowedSource, type ByteSource } from './byte-source.js';
import type { ArrowField, Column } from './column.js';
import type { ColumnSource } from './column-source.js';
import {
  beginsWithSchema,
  decodeHead,
  readFileContainer,
  readStreamContainer,
  type AnyHead,
  type Container,
  type MessagePlace,
} from './container.js';
import { describeConversion } from './conversion.js';
import { DictionaryStore, readDictionaryValues } from './dictionary.js';
import { corrupt, nameFault, placeFault, unsupported } from './fault.js';
import { layOut } from './layout.js';
import { decodeMessage, type BatchHead } from './message.js';
import { openColumn } from './open-column.js';
import type { Schema } from './schema.js';
import { sniff, SNIFF_BYTES, unknownFormat } from './sniff.js';

/** Consecutive rows of the columns asked for, in the order asked. */
export interface Chunk {
  /** Position of the first row in the file. */
  readonly firstRow: number;
  readonly rows: number;
  readonly columns: readonly Column[];
}

/** One Arrow file, opened: its schema and size are known and checked, its values are read on demand. */
export interface ArrowReader {
  readonly path: string;
  readonly format: 'file' | 'stream';
  readonly bytes: number;
  readonly fields: readonly ArrowField[];
  /** Rows of all record batches. */
  readonly rows: number;
  /** Reads the columns at these positions of `fields`, in chunks of bounded size whatever the size of the batches. */
  read(columns: readonly number[]): AsyncGenerator<Chunk, void, undefined>;
  close(): Promise<void>;
}

/** Opens the file at `path`, whatever its name: what it is, its first bytes say. */
export async function openArrow(path: string): Promise<ArrowReader> {
  try {
    return await openSource(path, windowedSource(await openFileSource(path)));
  } catch (error) {
    throw nameFault(path, error);
  }
}

/**
 * Opens bytes in memory, as they came over the network for instance.
 * @param name stands for the path in messages
 * @param bytes must not change until the reader and its columns are let go of
 */
export async function openArrowBytes(name: string, bytes: Uint8Array): Promise<ArrowReader> {
  try {
    return await openSource(name, memorySource(bytes));
  } catch (error) {
    throw nameFault(name, error);
  }
}

async function openSource(path: string, source: ByteSource): Promise<ArrowReader> {
  try {
    return new SourceReader(path, source, await readContainer(source));
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function readContainer(source: ByteSource): Promise<Container> {
  const head = await source.read(0, Math.min(SNIFF_BYTES, source.size));
  const format = sniff(head);
  if (format === 'file') return readFileContainer(source, checkBatch);
  if (format === null && !(await beginsWithSchema(source))) throw unknownFormat(head);
  return readStreamContainer(source, checkBatch);
}

/** Opens every column that is read, which checks all that can be checked without reading the body. */
function checkBatch(schema: Schema, head: AnyHead): void {
  const batch = 'values' in head ? head.values : head;
  const fields = 'values' in head ? [dictionaryField(schema, head.id)] : schema.fields;
  const body = new BatchBody(memorySource(new Uint8Array(0)), 0, batch.codec);
  const dictionaries = new DictionaryStore();
  layOut(fields, batch).forEach((layout, i) => {
    const field = fields[i]!;
    if (columnTypeOf(field).kind !== 'other') placed(field, () => openColumn(field, layout, body, dictionaries));
  });
}

function dictionaryField(schema: Schema, id: number): SchemaField {
  const field = schema.dictionaries.get(id);
  if (field === undefined) throw corrupt(`no column has a dictionary of id ${id}`);
  return field;
}

function placed<T>(field: SchemaField, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw placeFault(`column '${field.name}'`, error, { column: field.name });
  }
}

class SourceReader implements ArrowReader {
  readonly path: string;
  readonly format: 'file' | 'stream';
  readonly bytes: number;
  readonly fields: readonly ArrowField[];
  readonly rows: number;
  private readonly source: ByteSource;
  private readonly container: Container;

  constructor(path: string, source: ByteSource, container: Container) {
    this.path = path;
    this.format = container.format;
    this.bytes = source.size;
    this.rows = container.rows;
    this.fields = container.schema.fields.map((field) => ({
      name: field.name,
      type: columnTypeOf(field),
      nullable: field.nullable,
      label: labelOf(field),
    }));
    this.source = source;
    this.container = container;
  }

  async *read(columns: readonly number[]): AsyncGenerator<Chunk, void, undefined> {
    this.checkColumns(columns);
    const dictionaries = new DictionaryStore();
    const wanted = columns.map((column) => this.container.schema.fields[column]!);
    const dictionaryIds = new Set(wanted.map(dictionaryIdOf));
    let firstRow = 0;
    try {
      for (const place of this.container.places) {
        if (place.kind === 'dictionary') {
          await this.readDictionary(place, dictionaryIds, dictionaries);
          continue;
        }
        const sources = await this.openBatch(place, columns, dictionaries);
        for await (const chunk of readChunks(sources, wanted, place)) {
          yield { firstRow, rows: chunk[0]!.rows, columns: chunk };
          firstRow += chunk[0]!.rows;
        }
      }
    } catch (error) {
      throw nameFault(this.path, error);
    }
    if (firstRow !== this.rows) throw nameFault(this.path, corrupt('it changed while it was read'));
  }

  close(): Promise<void> {
    return this.source.close();
  }

  private checkColumns(columns: readonly number[]): void {
    if (columns.length === 0) throw new RangeError('at least one column must be read');
    for (const column of columns) {
      const field = this.fields[column];
      if (field === undefined) throw new RangeError(`there is no column ${column} of ${this.fields.length}`);
      if (field.type.kind !== 'other') continue;
      const message = `column '${field.name}' of ${this.path} has type ${field.label}, which is not read: ${describeConversion(field)}`;
      throw new ShortlistError('column_type', message, { file: this.path, column: field.name, type: field.label });
    }
  }

  private async readDictionary(place: MessagePlace, ids: Set<number | null>, store: DictionaryStore): Promise<void> {
    try {
      const { head, body } = await this.readBatch(place);
      if (!('values' in head) || !ids.has(head.id)) return;
      const field = dictionaryField(this.container.schema, head.id);
      const layout = layOut([field], head.values)[0]!;
      const values = await readDictionaryValues(openColumn(field, layout, body, store));
      if (head.isDelta) store.append(head.id, values);
      else if (this.format === 'file' && store.has(head.id)) throw corrupt(`it replaces dictionary ${head.id}`);
      else store.replace(head.id, values);
    } catch (error) {
      throw placeFault(`dictionary batch ${place.number}`, error);
    }
  }

  private async openBatch(
    place: MessagePlace,
    columns: readonly number[],
    dictionaries: DictionaryStore,
  ): Promise<ColumnSource[]> {
    const { head, body } = await this.readBatch(place);
    const layouts = layOut(this.container.schema.fields, head as BatchHead);
    return columns.map((column) => {
      const field = this.container.schema.fields[column]!;
      return placed(field, () => openColumn(field, layouts[column]!, body, dictionaries));
    });
  }

  /** Metadata again, and the body at hand; of a small batch, both by one read. */
  private async readBatch(place: MessagePlace): Promise<{ head: AnyHead; body: BatchBody }> {
    const bytes = place.bodyPosition + place.bodyBytes - place.metadataPosition;
    const isSmall = bytes <= WHOLE_BATCH_BYTES;
    const read = await this.source.read(place.metadataPosition, isSmall ? bytes : place.metadataBytes);
    const message = decodeMessage(read.subarray(0, place.metadataBytes));
    if (message.kind !== place.kind || message.bodyBytes !== place.bodyBytes) {
      throw corrupt('it changed while it was read');
    }
    const head = decodeHead(message);
    const codec = 'values' in head ? head.values.codec : head.codec;
    if (!isSmall) return { head, body: new BatchBody(this.source, place.bodyPosition, codec) };
    return { head, body: new BatchBody(memorySource(read), place.bodyPosition - place.metadataPosition, codec) };
  }
}

/** The dictionary that a column needs, its own or its items'. */
function dictionaryIdOf(field: SchemaField): number | null {
  return field.dictionary?.id ?? field.children[0]?.dictionary?.id ?? null;
}

/** The rows of one batch, cut so that a chunk stays within its bounds. */
async function* readChunks(
  sources: readonly ColumnSource[],
  fields: readonly SchemaField[],
  place: MessagePlace,
): AsyncGenerator<readonly Column[], void, undefined> {
  const total = sources[0]!.length;
  let guess = CHUNK_ROWS;
  for (let start = 0; start < total;) {
    const fit = await fitRows(sources, fields, place, start, Math.min(guess, CHUNK_ROWS, total - start));
    yield await eachColumn(sources, fields, place, (source) => source.read(start, fit.rows));
    start += fit.rows;
    guess = fit.nextGuess;
  }
}

/** How many rows from `start` on, at most `rows`, make up one chunk. At least one, however large it is. */
async function fitRows(
  sources: readonly ColumnSource[],
  fields: readonly SchemaField[],
  place: MessagePlace,
  start: number,
  rows: number,
): Promise<{ rows: number; nextGuess: number }> {
  for (let fit = rows; ;) {
    const sizes = await eachColumn(sources, fields, place, (source) => source.measure(start, fit));
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    const nextGuess = Math.max(1, Math.floor((fit * CHUNK_BYTES) / Math.max(1, bytes)));
    if (bytes <= CHUNK_BYTES * FIT_SLACK) return { rows: fit, nextGuess };
    if (fit === 1) {
      checkValueSizes(sizes, fields, place, start);
      return { rows: 1, nextGuess };
    }
    fit = Math.min(fit - 1, nextGuess);
  }
}

/** A chunk may be this much larger than aimed at: cutting it once more would cost more than it saves. */
const FIT_SLACK = 1.25;

function checkValueSizes(
  sizes: readonly number[],
  fields: readonly SchemaField[],
  place: MessagePlace,
  row: number,
): void {
  sizes.forEach((size, i) => {
    if (size <= MAX_VALUE_BYTES) return;
    throw placeFault(
      `record batch ${place.number}, column '${fields[i]!.name}'`,
      unsupported(`value ${row} has ${size} bytes, the most read is ${MAX_VALUE_BYTES}; shorten it or leave it out`),
    );
  });
}

async function eachColumn<T>(
  sources: readonly ColumnSource[],
  fields: readonly SchemaField[],
  place: MessagePlace,
  action: (source: ColumnSource) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  for (const [i, source] of sources.entries()) {
    try {
      results.push(await action(source));
    } catch (error) {
      const details = { batch: place.number, column: fields[i]!.name };
      throw placeFault(`record batch ${place.number}, column '${fields[i]!.name}'`, error, details);
    }
  }
  return results;
}
