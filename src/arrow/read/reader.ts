/**
 * Reads Arrow IPC files, IPC streams and Feather V2 files in chunks of bounded size.
 *
 * Takes a path or bytes; returns the schema, the number of rows and, on demand, columns. Hides framing, metadata,
 * compression, dictionaries, offsets and views. Of an uncompressed batch only the requested rows and columns are read.
 * A compressed buffer takes its decompressed size in memory while its batch is read.
 *
 * Fails with `input_not_found`, `input_format`, `input_corrupt`, `input_unsupported`, `column_type` and `io_error`,
 * each naming the file. Everything read is checked to be inside the file and its buffer, in order, and valid UTF-8 if
 * it is text. Arrow has no checksums of values.
 */
import { ShortlistError } from '../../base/errors.js';
import { columnTypeOf, type SchemaField } from '../arrow-type.js';
import { fieldOf } from './schema-message.js';
import { BatchBody } from '../frame/batch-body.js';
import { WHOLE_BATCH_BYTES } from '../bounds.js';
import { memorySource, openFileSource, windowedSource, type ByteSource } from '../frame/byte-source.js';
import type { ArrowField } from '../column.js';
import type { Chunk, ExtentChunk, TableReader } from './table-reader.js';
import { placeColumn, readChunks, type OpenBatch, type OpenColumn } from './chunks.js';
import type { Container, MessagePlace } from '../frame/container.js';
import { describeConversion } from '../conversion.js';
import { DictionaryStore, readDictionaryValues } from '../decode/dictionary.js';
import { corrupt, nameFault, placeFault, unsupported } from '../fault.js';
import { readFileContainer } from '../frame/file-container.js';
import { readLayouts } from '../decode/layout.js';
import { readExtents } from '../decode/lists.js';
import { decodeHead, decodeMessage, type AnyHead } from '../frame/message.js';
import { openColumn } from '../decode/open-column.js';
import { FILE_BOUNDS, type ReadBounds } from '../frame/read-bounds.js';
import type { Schema } from '../frame/schema.js';
import { sniff, SNIFF_BYTES, unknownFormat } from '../frame/sniff.js';
import { beginsWithSchema, readStreamContainer } from '../frame/stream-container.js';

/** An opened Arrow file. Chunks have bounded size whatever the size of the batches; extents do not read the items. */
export interface ArrowReader extends TableReader {
  readonly format: 'file' | 'stream';
}

/** Opens the file at `path`. Its first bytes decide what it is, not its name. */
export async function openArrow(path: string): Promise<ArrowReader> {
  return openSource(path, async () => windowedSource(await openFileSource(path)), FILE_BOUNDS);
}

/**
 * Opens bytes in memory, such as a request body.
 * @param name stands for the path in messages
 * @param bytes must not change while the reader or its columns are in use
 * @param bounds limits, for bytes of strangers
 */
export async function openArrowBytes(
  name: string,
  bytes: Uint8Array,
  bounds: ReadBounds = FILE_BOUNDS,
): Promise<ArrowReader> {
  return openSource(name, () => Promise.resolve(memorySource(bytes)), bounds);
}

async function openSource(path: string, open: () => Promise<ByteSource>, bounds: ReadBounds): Promise<ArrowReader> {
  let source: ByteSource | null = null;
  try {
    source = await open();
    return new SourceReader(path, source, await readContainer(source, bounds), bounds);
  } catch (error) {
    await source?.close();
    throw nameFault(path, error);
  }
}

async function readContainer(source: ByteSource, bounds: ReadBounds): Promise<Container> {
  const head = await source.read(0, Math.min(SNIFF_BYTES, source.size));
  const format = sniff(head);
  if (format === 'file') return readFileContainer(source, checkBatch);
  if (format === null && !(await beginsWithSchema(source, bounds))) throw unknownFormat(head);
  return readStreamContainer(source, checkBatch, bounds);
}

/** Opens every column that can be read, which checks everything that needs no body. */
function checkBatch(schema: Schema, head: AnyHead): void {
  const batch = 'values' in head ? head.values : head;
  const fields = 'values' in head ? [dictionaryField(schema, head.id)] : schema.fields;
  const body = new BatchBody(memorySource(new Uint8Array(0)), 0, batch.codec);
  const dictionaries = new DictionaryStore();
  readLayouts(fields, batch).forEach((layout, i) => {
    const field = fields[i]!;
    if (columnTypeOf(field).kind !== 'other') withColumn(field, () => openColumn(field, layout, body, dictionaries));
  });
}

function dictionaryField(schema: Schema, id: number): SchemaField {
  const field = schema.dictionaries.get(id);
  if (field === undefined) throw corrupt(`no column has a dictionary of id ${id}`);
  return field;
}

function withColumn<T>(field: SchemaField, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw placeFault(`column '${field.name}'`, error, { column: field.name });
  }
}

class SourceReader implements ArrowReader {
  readonly format: 'file' | 'stream';
  readonly bytes: number;
  readonly namesColumns = true;
  readonly fields: readonly ArrowField[];
  readonly rows: number;
  readonly warnings: readonly string[];

  constructor(
    readonly path: string,
    private readonly source: ByteSource,
    private readonly container: Container,
    private readonly bounds: ReadBounds,
  ) {
    this.format = container.format;
    this.bytes = source.size;
    this.rows = container.rows;
    this.warnings = container.warnings.map((warning) => `${path}: ${warning}`);
    this.fields = container.schema.fields.map(fieldOf);
  }

  async *read(columns: readonly number[]): AsyncGenerator<Chunk, void, undefined> {
    this.checkColumns(columns);
    const dictionaries = new DictionaryStore();
    const dictionaryIds = new Set(columns.flatMap((column) => dictionaryIdsOf(this.container.schema.fields[column]!)));
    let firstRow = 0;
    try {
      for (const place of this.container.places) {
        await this.bounds.turn();
        if (place.kind === 'dictionary') {
          await this.readDictionary(place, dictionaryIds, dictionaries);
          continue;
        }
        for await (const chunk of readChunks(await this.openBatch(place, columns, dictionaries), this.bounds)) {
          const { rows } = chunk[0]!;
          yield { firstRow, rows, columns: chunk };
          firstRow += rows;
        }
      }
      if (firstRow !== this.rows) throw corrupt('it changed while it was read');
    } catch (error) {
      throw nameFault(this.path, error);
    }
  }

  async *readExtents(column: number): AsyncGenerator<ExtentChunk, void, undefined> {
    this.checkColumns([column]);
    const dictionaries = new DictionaryStore();
    let firstRow = 0;
    try {
      for (const place of this.container.places) {
        if (place.kind === 'dictionary') continue;
        const batch = await this.openBatch(place, [column], dictionaries, 'metadata');
        try {
          for await (const extents of readExtents(batch.columns[0]!.source)) {
            yield { firstRow, ...extents };
            firstRow += extents.rows;
          }
        } catch (error) {
          throw placeColumn(batch, batch.columns[0]!, error);
        }
      }
    } catch (error) {
      throw nameFault(this.path, error);
    }
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

  private async readDictionary(place: MessagePlace, ids: Set<number>, store: DictionaryStore): Promise<void> {
    try {
      const { head, body } = await this.readBatch(place);
      if (!('values' in head) || !ids.has(head.id)) return;
      if (!this.bounds.dictionaries) throw unsupported('a column that is read has a dictionary; write it without one');
      const field = dictionaryField(this.container.schema, head.id);
      const layout = readLayouts([field], head.values)[0]!;
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
    extent: ReadExtent = 'small whole',
  ): Promise<OpenBatch> {
    const { head, body } = await this.readBatch(place, extent);
    if ('values' in head) throw corrupt('it changed while it was read');
    const { fields } = this.container.schema;
    const layouts = readLayouts(fields, head);
    const open = (column: number): OpenColumn => {
      const field = fields[column]!;
      const source = withColumn(field, () => openColumn(field, layouts[column]!, body, dictionaries));
      return { name: field.name, source };
    };
    return { number: place.number, rows: head.rows, columns: columns.map(open) };
  }

  /** Reads the metadata again. A small batch is read whole, with the same request. */
  private async readBatch(
    place: MessagePlace,
    extent: ReadExtent = 'small whole',
  ): Promise<{ head: AnyHead; body: BatchBody }> {
    const bytes = place.bodyPosition + place.bodyBytes - place.metadataPosition;
    const isSmall = extent === 'small whole' && bytes <= WHOLE_BATCH_BYTES;
    const read = await this.source.read(place.metadataPosition, isSmall ? bytes : place.metadataBytes);
    const message = decodeMessage(read.subarray(0, place.metadataBytes));
    if (message.kind !== place.kind || message.bodyBytes !== place.bodyBytes) {
      throw corrupt('it changed while it was read');
    }
    const head = decodeHead(message);
    const codec = 'values' in head ? head.values.codec : head.codec;
    const [source, position] = isSmall
      ? [memorySource(read), place.bodyPosition - place.metadataPosition]
      : [this.source, place.bodyPosition];
    return { head, body: new BatchBody(source, position, codec, this.bounds) };
  }
}

/** How much of a batch is read when it is opened. */
type ReadExtent = 'metadata' | 'small whole';

/** The dictionaries that a column needs for itself or its items. */
function dictionaryIdsOf(field: SchemaField): number[] {
  return field.dictionary === null ? field.children.flatMap(dictionaryIdsOf) : [field.dictionary.id];
}
