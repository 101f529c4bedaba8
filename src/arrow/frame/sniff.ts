/** Recognizes a file by its first bytes, never by its name. */
import { ArrowFault } from '../fault.js';

export type ArrowFormat = 'file' | 'stream';

/** Number of first bytes that `sniff` needs. */
export const SNIFF_BYTES = 512;

interface Foreign {
  readonly magic: string;
  readonly what: string;
}

const WITH_PYARROW = 'write it as Arrow:';

/** Magic bytes as latin1 text, and the rest of the sentence after the path. */
const FOREIGN: readonly Foreign[] = [
  {
    magic: 'PAR1',
    what: `is a Parquet file; ${WITH_PYARROW} pyarrow.feather.write_feather(pyarrow.parquet.read_table(path), 'out.arrow')`,
  },
  {
    magic: 'PARE',
    what: 'is an encrypted Parquet file; decrypt it and write it as Arrow with pyarrow.feather.write_feather',
  },
  {
    magic: 'FEA1',
    what: `is a Feather V1 file; ${WITH_PYARROW} pyarrow.feather.write_feather(pyarrow.feather.read_table(path), 'out.arrow')`,
  },
  {
    magic: '\x93NUMPY',
    what: `is a NumPy array; ${WITH_PYARROW} pyarrow.table with a column of ids and pyarrow.FixedSizeListArray.from_arrays(array.ravel(), dim)`,
  },
  {
    magic: '\x89HDF\r\n\x1a\n',
    what: 'is an HDF5 file; read its arrays with h5py and write them as Arrow with pyarrow',
  },
  { magic: '\x1f\x8b', what: 'is compressed with gzip; decompress it first: gunzip' },
  { magic: '\x28\xb5\x2f\xfd', what: 'is compressed with zstd as a whole; decompress it first: unzstd' },
  { magic: '\x04\x22\x4d\x18', what: 'is compressed with lz4 as a whole; decompress it first: unlz4' },
  { magic: '\xfd7zXZ\0', what: 'is compressed with xz; decompress it first: unxz' },
  { magic: 'BZh', what: 'is compressed with bzip2; decompress it first: bunzip2' },
  {
    magic: 'PK\x03\x04',
    what: 'is a zip archive (as .npz, .pt and .xlsx are); read it with its library and write it as Arrow with pyarrow',
  },
  {
    magic: 'ORC',
    what: `is an ORC file; ${WITH_PYARROW} pyarrow.feather.write_feather(pyarrow.orc.read_table(path), 'out.arrow')`,
  },
  { magic: 'Obj\x01', what: 'is an Avro file; read it with fastavro and write it as Arrow with pyarrow' },
  { magic: 'SQLite format 3\0', what: 'is an SQLite database; query it and write the result as Arrow with pyarrow' },
  { magic: '\x80\x02', what: 'is a Python pickle; load it and write it as Arrow with pyarrow' },
  { magic: '\x80\x04', what: 'is a Python pickle; load it and write it as Arrow with pyarrow' },
  { magic: '\x80\x05', what: 'is a Python pickle; load it and write it as Arrow with pyarrow' },
];

/**
 * @param head the first SNIFF_BYTES bytes, or all there are
 * @returns the Arrow format it looks like; null if more must be read (a stream from before Arrow 0.15 starts with a
 * length)
 * @throws ArrowFault `input_format`, with what the file is and how to convert it
 */
export function sniff(head: Uint8Array): ArrowFormat | null {
  if (head.length === 0) throw new ArrowFault('input_format', 'is empty (0 bytes); write it again from its source');
  const latin1 = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1');
  if (isFileFormat(head)) return 'file';
  if (latin1.startsWith('\xff\xff\xff\xff')) return 'stream';
  for (const { magic, what } of FOREIGN) {
    if (latin1.startsWith(magic)) throw new ArrowFault('input_format', what);
  }
  if (isText(head)) throw new ArrowFault('input_format', describeText(latin1));
  return null;
}

/** Whether the bytes start as an Arrow file does. */
export function isFileFormat(head: Uint8Array): boolean {
  return Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1', 0, 6) === 'ARROW1';
}

/** The error for bytes of no known format. */
export function unknownFormat(head: Uint8Array): ArrowFault {
  const hex = Buffer.from(head.subarray(0, 8)).toString('hex');
  const what = `is neither an Arrow IPC file nor a stream (it starts with the bytes ${hex}); write it with pyarrow.feather.write_feather`;
  return new ArrowFault('input_format', what, { head: hex });
}

function describeText(text: string): string {
  const first = text.trimStart().at(0);
  if (first === '{' || first === '[') {
    return `is JSON text; ${WITH_PYARROW} pyarrow.feather.write_feather(pyarrow.json.read_json(path), 'out.arrow')`;
  }
  return `is text (CSV?); ${WITH_PYARROW} pyarrow.feather.write_feather(pyarrow.csv.read_csv(path), 'out.arrow')`;
}

/** No control characters except white space: no binary format starts like that for 512 bytes, or with a length. */
function isText(head: Uint8Array): boolean {
  return head.every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d)) && head.length >= 2;
}
