/**
 * A file that is one array, as a table of one column: vectors, or one value a row.
 *
 * Takes an array of fixed-width rows (npy.ts, vecs.ts, bin.ts, ../hdf5/reader.ts); gives chunks of bounded size, as the
 * readers of Arrow and Parquet do. Fails with `input_corrupt` and `input_unsupported`, each naming the file.
 */
import { CHUNK_BYTES, CHUNK_ROWS } from '../../arrow/bounds.js';
import type { ArrowField, Column } from '../../arrow/column.js';
import { checkUtf8 } from '../../arrow/decode/strings.js';
import { corrupt, nameFault, unsupported } from '../../arrow/fault.js';
import { openFileSource, type ByteSource } from '../../arrow/frame/byte-source.js';
import type { Chunk, ExtentChunk, TableReader } from '../../arrow/read/table-reader.js';
import { MAX_DIM } from '../../base/limits.js';
import { DEFAULT_ID_NAME, DEFAULT_VECTOR_NAME, type OpenOptions } from '../open-options.js';
import { isInteger, scalarType, toComponents, toNumbers, toTexts, vectorType, widthOf, type ValueType } from './value-type.js'; // prettier-ignore

/** Largest chunk that is read for the sake of alignment. */
const MAX_ALIGNED_BYTES = 8 * CHUNK_BYTES;

/** Rows of equal width. */
export interface FlatArray {
  /** Of the file. */
  readonly bytes: number;
  readonly rows: number;
  /** Values of a row if it is a vector; null if it is one value. */
  readonly dim: number | null;
  readonly values: ValueType;
  /** Reads that begin at multiples of so many rows cost least. Default: all cost the same. */
  readonly alignment?: number;
  /** The bytes of the values of these rows, without anything between them. They belong to the caller. */
  read(firstRow: number, rows: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** @param readArray checks the header. What it throws is named after the file, and the source closed */
export async function openFlatTable(
  path: string,
  options: OpenOptions,
  readArray: (source: ByteSource) => Promise<FlatArray>,
): Promise<TableReader> {
  let source: ByteSource | null = null;
  try {
    source = await openFileSource(path);
    return new FlatTable(path, await readArray(source), options);
  } catch (error) {
    await source?.close();
    throw nameFault(path, error);
  }
}

export class FlatTable implements TableReader {
  readonly namesColumns = false;
  readonly warnings: readonly string[] = [];
  readonly bytes: number;
  readonly rows: number;
  readonly fields: readonly ArrowField[];
  /** Null if a row is one value. */
  private readonly dim: number | null;

  constructor(
    readonly path: string,
    private readonly array: FlatArray,
    { vectorColumn = DEFAULT_VECTOR_NAME, idColumn = DEFAULT_ID_NAME, purpose = 'items' }: OpenOptions,
  ) {
    const { values } = array;
    this.bytes = array.bytes;
    this.rows = array.rows;
    this.dim = purpose === 'ids' ? scalarOf(array) : vectorOf(array);
    const [name, column] = this.dim === null ? [idColumn, scalarType(values)] : [vectorColumn, vectorType(values, this.dim)]; // prettier-ignore
    this.fields = [{ name, ...column, nullable: false }];
  }

  async *read(columns: readonly number[]): AsyncGenerator<Chunk, void, undefined> {
    const step = this.rowsOfChunk();
    try {
      for (let firstRow = 0; firstRow < this.rows; firstRow += step) {
        const rows = Math.min(step, this.rows - firstRow);
        const column = this.columnOf(await this.array.read(firstRow, rows), firstRow, rows);
        yield { firstRow, rows, columns: columns.map(() => column) };
      }
    } catch (error) {
      throw nameFault(this.path, error);
    }
  }

  async *readExtents(column: number): AsyncGenerator<ExtentChunk, void, undefined> {
    for await (const { firstRow, rows, columns } of this.read([column])) {
      const [vectors] = columns;
      if (vectors?.shape !== 'lists') throw new TypeError('the array holds no vectors');
      yield { firstRow, rows, valid: null, offsets: vectors.offsets, items: null };
    }
  }

  close(): Promise<void> {
    return this.array.close();
  }

  private rowsOfChunk(): number {
    // In the file, or in memory if that is more: bytes become floats of four.
    const rowBytes = (this.dim ?? 1) * Math.max(4, widthOf(this.array.values));
    const fitting = (bytes: number): number => Math.max(1, Math.min(CHUNK_ROWS, Math.floor(bytes / rowBytes)));
    const rows = fitting(CHUNK_BYTES);
    const { alignment = 1 } = this.array;
    return alignment <= rows ? rows - (rows % alignment) : Math.min(alignment, fitting(MAX_ALIGNED_BYTES));
  }

  private columnOf(bytes: Uint8Array, firstRow: number, rows: number): Column {
    const { values } = this.array;
    const { type } = this.fields[0]!;
    const common = { type, rows, valid: null };
    if (values.kind === 'text') {
      const texts = toTexts(values, bytes, firstRow, rows);
      checkUtf8(texts.offsets, texts.bytes, null, firstRow);
      return { shape: 'strings', ...common, ...texts };
    }
    const { dim } = this;
    if (dim === null || type.kind !== 'list') return { shape: 'numbers', ...common, values: toNumbers(values, bytes) };
    const components = toComponents(values, bytes, firstRow, dim);
    const items: Column = { shape: 'numbers', type: type.item, rows: rows * dim, valid: null, values: components };
    return { shape: 'lists', ...common, offsets: Uint32Array.from({ length: rows + 1 }, (_, row) => row * dim), items };
  }
}

/** @throws ArrowFault if rows are vectors; those of one integer are integers */
function scalarOf({ dim, values }: FlatArray): null {
  if (dim === null || (dim === 1 && isInteger(values))) return null;
  throw unsupported(`its rows are vectors of ${dim} components; ids are one integer or text a row`);
}

/** @throws ArrowFault if rows are no vectors */
function vectorOf({ dim }: FlatArray): number {
  if (dim === null) throw unsupported('it is an array of one dimension; vectors are one of two, and ids belong into --ids'); // prettier-ignore
  checkDim(dim);
  return dim;
}

/** @throws ArrowFault */
export function checkDim(dim: number): void {
  if (dim >= 1 && dim <= MAX_DIM) return;
  throw unsupported(`its vectors have ${dim} components; a vector may have 1 to ${MAX_DIM}`);
}

/**
 * Rows that lie in a file at equal distances.
 * @param start of the first row in the file
 * @param stride bytes from one row to the next
 * @param skip bytes before the values of a row, which `check` looks at
 */
export function stridedRows(
  source: ByteSource,
  { start, stride, skip, check }: { start: number; stride: number; skip: number; check?: (head: Buffer, row: number) => void },
): FlatArray['read'] {
  return async (firstRow, rows) => {
    const read = await source.read(start + firstRow * stride, rows * stride);
    const bytes = Buffer.from(read.buffer, read.byteOffset, read.length);
    if (skip === 0) return bytes;
    const packed = new Uint8Array(rows * (stride - skip));
    for (let row = 0; row < rows; row++) {
      const at = row * stride;
      check?.(bytes.subarray(at, at + skip), firstRow + row);
      packed.set(bytes.subarray(at + skip, at + stride), row * (stride - skip));
    }
    return packed;
  };
} // prettier-ignore

/** @throws ArrowFault if the file is not exactly as long as its header says */
export function checkLength(source: ByteSource, expected: bigint, what: string): void {
  if (BigInt(source.size) === expected) return;
  throw corrupt(`its header says that it has ${what}, which makes ${expected} bytes, but it has ${source.size}`);
}
