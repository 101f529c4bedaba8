/**
 * Reads the files of the big-ann benchmarks: fbin, f16bin, u8bin, i8bin, ibin. A head of two uint32, the number of
 * vectors and of their components, then all components, little-endian.
 */
import { corrupt } from '../../arrow/fault.js';
import type { ByteSource } from '../../arrow/frame/byte-source.js';
import type { TableReader } from '../../arrow/read/table-reader.js';
import type { OpenOptions } from '../open-options.js';
import { checkDim, checkLength, openFlatTable, stridedRows, type FlatArray } from './flat-table.js';
import { littleEndian, widthOf, type NumberName } from './value-type.js';

const HEAD_BYTES = 8;

export function openBin(path: string, name: NumberName, options: OpenOptions): Promise<TableReader> {
  return openFlatTable(path, options, (source) => readBin(source, name));
}

async function readBin(source: ByteSource, name: NumberName): Promise<FlatArray> {
  const values = littleEndian(name);
  if (source.size < HEAD_BYTES) throw corrupt(`it has ${source.size} bytes, less than its header`);
  const head = Buffer.from(await source.read(0, HEAD_BYTES));
  const [rows, dim] = [head.readUInt32LE(0), head.readUInt32LE(4)];
  checkDim(dim);
  const stride = dim * widthOf(values);
  checkLength(source, BigInt(HEAD_BYTES) + BigInt(rows) * BigInt(stride), `${rows} vectors of ${dim} components`);
  const read = stridedRows(source, { start: HEAD_BYTES, stride, skip: 0 });
  return { bytes: source.size, rows, dim, values, read, close: () => source.close() };
}
