/**
 * Reads the files of the TEXMEX data sets (SIFT1M and others): fvecs, bvecs, ivecs. Each vector is its number of
 * components (int32), then the components as float32, uint8 or int32, all little-endian.
 */
import { corrupt } from '../../arrow/fault.js';
import type { ByteSource } from '../../arrow/frame/byte-source.js';
import type { TableReader } from '../../arrow/read/table-reader.js';
import type { OpenOptions } from '../open-options.js';
import { checkDim, openFlatTable, stridedRows, type FlatArray } from './flat-table.js';
import { littleEndian, widthOf, type NumberName } from './value-type.js';

/** Bytes of the number before each vector. */
const HEAD_BYTES = 4;

export function openVecs(path: string, name: NumberName, options: OpenOptions): Promise<TableReader> {
  return openFlatTable(path, options, (source) => readVecs(source, name));
}

async function readVecs(source: ByteSource, name: NumberName): Promise<FlatArray> {
  const values = littleEndian(name);
  const { size } = source;
  if (size < HEAD_BYTES) throw corrupt(`it has ${size} bytes, less than one vector`);
  const dim = Buffer.from(await source.read(0, HEAD_BYTES)).readInt32LE();
  checkDim(dim);
  const stride = HEAD_BYTES + dim * widthOf(values);
  if (size % stride !== 0) {
    throw corrupt(`its ${size} bytes are not whole vectors of ${dim} components, which have ${stride} bytes each`);
  }
  const check = (head: Buffer, row: number): void => {
    const found = head.readInt32LE();
    if (found !== dim) throw corrupt(`row ${row} has ${found} components, not ${dim} as the first`);
  };
  const read = stridedRows(source, { start: 0, stride, skip: HEAD_BYTES, check });
  const rows = size / stride;
  await read(rows - 1, 1); // A file of another dimension, whose length fits by chance, is found before it is read
  return { bytes: size, rows, dim, values, read, close: () => source.close() };
}
