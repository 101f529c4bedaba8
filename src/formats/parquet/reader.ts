/**
 * Reads Parquet files as the reader of Arrow files does: a schema, a number of rows, and columns in chunks of bounded
 * size. hyparquet decodes, hyparquet-compressors decompresses (zlib where Node has the codec). Memory: one page of each
 * column that is read, whatever the size of row groups.
 *
 * Fails with `input_corrupt`, `input_unsupported`, `column_type` and `io_error`, each naming the file.
 */
import * as zlib from 'node:zlib';
import { parquetMetadata, parquetSchema, type Compressors, type FileMetaData, type RowGroup } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { CHUNK_BYTES, CHUNK_ROWS } from '../../arrow/bounds.js';
import type { ArrowField, Column } from '../../arrow/column.js';
import type { ListExtents } from '../../arrow/decode/column-source.js';
import { describeConversion } from '../../arrow/conversion.js';
import { ArrowFault, corrupt, nameFault, placeFault } from '../../arrow/fault.js';
import { openFileSource, windowedSource, type ByteSource } from '../../arrow/frame/byte-source.js';
import type { Chunk, ExtentChunk, TableReader } from '../../arrow/read/table-reader.js';
import { ShortlistError } from '../../base/errors.js';
import { ColumnCursor } from './column-cursor.js';
import { readColumns, type Leaf, type ParquetColumn } from './columns.js';
import { PageReader } from './pages.js';

/** Largest footer: a table of 10,000 columns and 100 row groups has 100 MB. */
const MAX_FOOTER_BYTES = 2 ** 28;

export async function openParquet(path: string): Promise<TableReader> {
  let source: ByteSource | null = null;
  try {
    source = windowedSource(await openFileSource(path));
    const metadata = await readMetadata(source);
    const columns = decodingFooter(() => readColumns(metadata, parquetSchema(metadata)));
    return new ParquetReader(path, source, metadata, columns, { ...compressors, ...ownCompressors() });
  } catch (error) {
    await source?.close();
    throw nameFault(path, error);
  }
}

const TAIL_BYTES = 8;

async function readMetadata(source: ByteSource): Promise<FileMetaData> {
  const { size } = source;
  if (size < 12) throw corrupt(`it has ${size} bytes`);
  const tail = Buffer.from(await source.read(size - TAIL_BYTES, TAIL_BYTES));
  if (tail.toString('latin1', 4) !== 'PAR1') throw corrupt('it does not end with PAR1');
  const length = tail.readUInt32LE(0);
  if (length > size - 12 || length > MAX_FOOTER_BYTES) throw corrupt(`its footer says it has ${length} bytes`);
  const footer = await source.read(size - TAIL_BYTES - length, length + TAIL_BYTES);
  const bytes = footer.buffer.slice(footer.byteOffset, footer.byteOffset + footer.byteLength) as ArrayBuffer;
  return decodingFooter(() => parquetMetadata(bytes, { geoparquet: false }));
}

function decodingFooter<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof ArrowFault || !(error instanceof Error)) throw error;
    throw corrupt(`its footer cannot be decoded (${error.message.replace(/^parquet /, '')})`);
  }
}

/** Node's own codecs are several times as fast. zstd is there from Node 22.15 on. */
function ownCompressors(): Compressors {
  const limit = (maxOutputLength: number) => ({ maxOutputLength: Math.max(1, maxOutputLength) });
  const zstd = (zlib as { zstdDecompressSync?: (input: Uint8Array, options: object) => Uint8Array }).zstdDecompressSync;
  return {
    GZIP: (input, length) => zlib.gunzipSync(input, limit(length)),
    BROTLI: (input, length) => zlib.brotliDecompressSync(input, limit(length)),
    ...(zstd !== undefined && { ZSTD: (input, length) => zstd(input, limit(length)) }),
  };
}

class ParquetReader implements TableReader {
  readonly bytes: number;
  readonly namesColumns = true;
  readonly rows: number;
  readonly fields: readonly ArrowField[];
  readonly warnings: readonly string[] = [];

  constructor(
    readonly path: string,
    private readonly source: ByteSource,
    private readonly metadata: FileMetaData,
    private readonly columns: readonly ParquetColumn[],
    private readonly compressors: Compressors,
  ) {
    this.bytes = source.size;
    this.fields = columns.map(({ field }) => field);
    const rows = metadata.row_groups.reduce((sum, { num_rows: count }) => sum + Number(count), 0);
    if (rows !== Number(metadata.num_rows)) throw corrupt(`its row groups have ${rows} rows, not ${metadata.num_rows}`);
    this.rows = rows;
  }

  async *read(positions: readonly number[]): AsyncGenerator<Chunk, void, undefined> {
    const columns = positions.map((position) => this.requireColumn(position));
    let firstRow = 0;
    try {
      for (const [number, group] of this.metadata.row_groups.entries()) {
        if (Number(group.num_rows) === 0) continue; // it has no pages
        for await (const chunk of this.readGroup(number, group, columns)) {
          yield { firstRow, ...chunk };
          firstRow += chunk.rows;
        }
      }
    } catch (error) {
      throw nameFault(this.path, error);
    }
  }

  private async *readGroup(
    number: number,
    group: RowGroup,
    columns: readonly RequiredColumn[],
  ): AsyncGenerator<{ rows: number; columns: Column[] }> {
    const cursors = columns.map((column) => placed(number, column, () => this.openCursor(group, column)));
    let left = Number(group.num_rows);
    while (left > 0) {
      let rows = Math.min(left, CHUNK_ROWS);
      for (const [i, cursor] of cursors.entries()) {
        const found = await placedAsync(number, columns[i]!, () => cursor.fill());
        if (found === 0) throw placeFault(place(number, columns[i]!), corrupt(`it ends ${left} rows early`));
        rows = Math.min(rows, found);
      }
      const rowBytes = cursors.reduce((sum, cursor) => sum + cursor.rowBytes, 0);
      rows = Math.max(1, Math.min(rows, Math.floor(CHUNK_BYTES / rowBytes)));
      const taken = rows;
      yield { rows, columns: cursors.map((cursor, i) => placed(number, columns[i]!, () => cursor.take(taken))) };
      left -= rows;
    }
  }

  private openCursor(group: RowGroup, { field, leaf }: RequiredColumn): ColumnCursor {
    const path = leaf.schemaPath.at(-1)!.path;
    const isSame = (other: readonly string[]): boolean => other.length === path.length && other.every((name, i) => name === path[i]); // prettier-ignore
    const chunk = group.columns.find(({ meta_data: data }) => data !== undefined && isSame(data.path_in_schema));
    if (chunk?.meta_data === undefined) throw corrupt('the row group does not have it');
    let { type } = field;
    while (type.kind === 'list') type = type.item;
    return new ColumnCursor(
      new PageReader(this.source, chunk.meta_data, leaf, type, this.compressors),
      leaf,
      field.type,
    );
  }

  async *readExtents(position: number): AsyncGenerator<ExtentChunk, void, undefined> {
    for await (const { firstRow, columns } of this.read([position])) {
      const [column] = columns;
      if (column?.shape !== 'lists') throw new TypeError('the column holds no lists');
      yield { firstRow, ...extentsOf(column) };
    }
  }

  private requireColumn(position: number): RequiredColumn {
    const column = this.columns[position];
    if (column === undefined) throw new RangeError(`there is no column ${position} of ${this.columns.length}`);
    const { field, leaf } = column;
    if (leaf !== null && field.type.kind !== 'other') return { field, leaf };
    const message = `column '${field.name}' of ${this.path} has type ${field.label}, which is not read: ${describeConversion(field)}`;
    throw new ShortlistError('column_type', message, { file: this.path, column: field.name, type: field.label });
  }

  close(): Promise<void> {
    return this.source.close();
  }
}

function extentsOf({ rows, valid, offsets, items }: Column & { shape: 'lists' }): ListExtents {
  return { rows, valid, offsets, items: items.shape === 'lists' ? extentsOf(items) : null };
}

interface RequiredColumn {
  readonly field: ArrowField;
  readonly leaf: Leaf;
}

function place(group: number, { field }: RequiredColumn): string {
  return `row group ${group}, column '${field.name}'`;
}

function placed<T>(group: number, column: RequiredColumn, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw placeFault(place(group, column), asFault(error), { column: column.field.name });
  }
}

async function placedAsync<T>(group: number, column: RequiredColumn, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw placeFault(place(group, column), asFault(error), { column: column.field.name });
  }
}

/** A footer can lack any member, which shows only where it is used. */
function asFault(error: unknown): unknown {
  return error instanceof TypeError || error instanceof RangeError ? corrupt(`it cannot be decoded (${error.message})`) : error; // prettier-ignore
}
