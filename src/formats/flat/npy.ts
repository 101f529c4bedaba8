/**
 * Reads NumPy's .npy files, format 1.0, 2.0 and 3.0: an array of two dimensions is vectors, one of one dimension is a
 * value a row. The header is a Python literal of which exactly the form that NumPy writes is parsed. Rows of an array
 * in Fortran order are gathered from its columns, chunk by chunk.
 */
import { corrupt, unsupported, type ArrowFault } from '../../arrow/fault.js';
import type { ByteSource } from '../../arrow/frame/byte-source.js';
import { MAX_VALUE_BYTES } from '../../arrow/bounds.js';
import type { TableReader } from '../../arrow/read/table-reader.js';
import type { OpenOptions } from '../open-options.js';
import { checkDim, checkLength, openFlatTable, stridedRows, type FlatArray } from './flat-table.js';
import { parseNpyHeader } from './npy-header.js';
import { widthOf, type NumberName, type ValueType } from './value-type.js';

/** NumPy itself refuses headers of more than 10,000 characters unless told otherwise. */
const MAX_HEADER_BYTES = 64 * 1024;

export function openNpy(path: string, options: OpenOptions): Promise<TableReader> {
  return openFlatTable(path, options, readNpy);
}

async function readNpy(source: ByteSource): Promise<FlatArray> {
  const { text, end } = await readHeader(source);
  const { descr, fortranOrder, shape } = parseNpyHeader(text);
  const values = valueTypeOf(descr);
  if (shape.length !== 1 && shape.length !== 2) throw wrongShape(shape);
  const [rows, dim = null] = shape as [bigint, bigint?];
  if (values.kind === 'text' && dim !== null) throw unsupported('it is an array of texts with two dimensions; write one value a row'); // prettier-ignore
  if (dim !== null) checkDim(Number(dim));
  const width = widthOf(values);
  const rowBytes = Number(dim ?? 1n) * width;
  if (width === 0 || rowBytes > MAX_VALUE_BYTES) throw unsupported(`its values have ${width} bytes (${descr}); write them with another type`); // prettier-ignore
  const what = `the shape (${shape.join(', ')}) of ${descr}`;
  checkLength(source, BigInt(end) + rows * BigInt(rowBytes), what);
  const size = { start: end, rows: Number(rows), dim: Number(dim ?? 1n), width };
  return {
    bytes: source.size,
    rows: size.rows,
    dim: dim === null ? null : size.dim,
    values,
    read: fortranOrder ? columnMajorRows(source, size) : stridedRows(source, { start: end, stride: rowBytes, skip: 0 }),
    close: () => source.close(),
  };
}

/** Magic, version, length; then the header to the first byte of data. */
async function readHeader(source: ByteSource): Promise<{ text: string; end: number }> {
  if (source.size < 10) throw corrupt(`it has ${source.size} bytes, less than the header of an array`);
  const head = Buffer.from(await source.read(0, Math.min(12, source.size)));
  const [major, minor] = [head[6]!, head[7]!];
  if (major < 1 || major > 3 || minor !== 0) throw unsupported(`it has the format ${major}.${minor} of NumPy arrays; 1.0, 2.0 and 3.0 are read: write it with numpy.save`); // prettier-ignore
  if (major > 1 && head.length < 12) throw corrupt('it ends within its header');
  const [start, length] = major === 1 ? [10, head.readUInt16LE(8)] : [12, head.readUInt32LE(8)];
  if (length > MAX_HEADER_BYTES) throw corrupt(`its header says that it has ${length} bytes`);
  if (start + length > source.size)
    throw corrupt(`its header has ${length} bytes, but the file ends at ${source.size}`);
  const bytes = Buffer.from(await source.read(start, length));
  return { text: bytes.toString(major === 3 ? 'utf8' : 'latin1'), end: start + length };
}

const NUMBERS: Readonly<Record<string, NumberName>> = {
  i1: 'int8', i2: 'int16', i4: 'int32', i8: 'int64',
  u1: 'uint8', u2: 'uint16', u4: 'uint32', u8: 'uint64',
  f2: 'float16', f4: 'float32', f8: 'float64',
}; // prettier-ignore

/** @param descr such as `<f4`: byte order, kind, bytes a value */
function valueTypeOf(descr: string): ValueType {
  const [, order, kind, length] = /^([<>|])([a-zA-Z])(\d{0,9})$/.exec(descr) ?? [];
  if (kind === 'O') throw unsupported('it is an array of Python objects, which are pickled code and never loaded; write numbers or texts: array.astype(numpy.float32), array.astype(str)'); // prettier-ignore
  const bigEndian = order === '>';
  const name = NUMBERS[`${kind}${length}`];
  if (name !== undefined) return { kind: 'number', name, bigEndian };
  if (kind === 'U') return { kind: 'text', unit: 'code point', length: Number(length), bigEndian };
  if (kind === 'S') return { kind: 'text', unit: 'byte', length: Number(length), bigEndian };
  throw unsupported(`it is an array of the type ${JSON.stringify(descr)}; floats (f2, f4, f8), integers (i1 to i8, u1 to u8) and texts (U, S) are read: convert it with array.astype`); // prettier-ignore
}

function wrongShape(shape: readonly bigint[]): ArrowFault {
  const rows = shape.length === 0 ? '1' : 'len(array)';
  return unsupported(`it is an array of ${shape.length} dimensions, (${shape.join(', ')}); vectors are one of two: array.reshape(${rows}, -1)`); // prettier-ignore
}

/** Column after column in the file: reads the requested rows of each, and turns them. */
function columnMajorRows(
  source: ByteSource,
  { start, rows: all, dim, width }: { start: number; rows: number; dim: number; width: number },
): FlatArray['read'] {
  return async (firstRow, rows) => {
    const out = new Uint8Array(rows * dim * width);
    for (let column = 0; column < dim; column++) {
      const part = await source.read(start + (column * all + firstRow) * width, rows * width);
      for (let row = 0; row < rows; row++) {
        const at = (row * dim + column) * width;
        for (let byte = 0; byte < width; byte++) out[at + byte] = part[row * width + byte]!;
      }
    }
    return out;
  };
}
