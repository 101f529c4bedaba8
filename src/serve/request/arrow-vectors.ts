/**
 * Reads the vectors of an Arrow stream from a request body: one query per row. The vector column is chosen as in
 * ingest, and read by the same reader as files, since bytes of clients are just as untrusted. Lengths and values are
 * checked against the index later, as for every other form.
 */
import { openArrowBytes, type ArrowReader } from '../../arrow/read/reader.js';
import { isFileFormat } from '../../arrow/frame/sniff.js';
import { ShortlistError, type ErrorCode } from '../../base/errors.js';
import { MAX_BATCH, MAX_DIM } from '../../base/limits.js';
import { chooseVector } from '../../ingest/choose-columns.js';
import { openVectors, type Vectors } from '../../ingest/vector-rows.js';
import type { ByteCounter } from './byte-account.js';
import type { TimeSlicer } from './time-slicer.js';
import { fieldError } from './field-error.js';
import type { Queries, OrError } from './search-request.js';

/** Stands in messages for the path of a file. */
const BODY = 'the body';

interface ArrowBodyBounds {
  /** Maximum decompressed size of all buffers together, in bytes. */
  readonly limit: number;
  /** Counts what is allocated in addition to the body. */
  readonly memory: ByteCounter;
  readonly slicer: TimeSlicer;
}

/** Record and dictionary batches: a program may write each of 1,024 rows as one, plus dictionaries of other columns. */
const MAX_MESSAGES = 4_096;

/** A batch of few columns has 300 bytes of metadata; a schema has more if pandas has added its own. */
const MAX_METADATA_BYTES = 2 * 1024 * 1024;
const MAX_MESSAGE_METADATA_BYTES = 512 * 1024;

/** Columns, their children and metadata entries: vector tables have few. Each costs some microseconds. */
const MAX_SCHEMA_ITEMS = 2_048;

/** The longest vector as float64, and its offset. */
const MAX_VALUE_BYTES = 8 * MAX_DIM + 8;

/** Converted in one step: a millisecond of float16. */
const CHUNK_BYTES = 512 * 1024;

/** @throws bad_arrow, batch_too_large, body_too_large, overloaded */
export async function readArrowVectors(
  bytes: Buffer,
  columnName: string | undefined,
  { limit, memory, slicer: turns }: ArrowBodyBounds,
): Promise<Queries> {
  try {
    if (isFileFormat(bytes)) {
      throw new ShortlistError('bad_arrow', `${BODY} is an Arrow file; send an Arrow stream (pyarrow.ipc.new_stream)`);
    }
    const reader = await openArrowBytes(BODY, bytes, {
      messages: MAX_MESSAGES,
      metadataBytes: MAX_METADATA_BYTES,
      messageMetadataBytes: MAX_MESSAGE_METADATA_BYTES,
      schemaItems: MAX_SCHEMA_ITEMS,
      dictionaries: false,
      chunkBytes: CHUNK_BYTES,
      valueBytes: MAX_VALUE_BYTES,
      bufferBytes: limit,
      onDecompress: countUnfolded(limit, memory),
      turn: async () => {
        if (turns.isSliceOver()) await turns.waitForTurn();
      },
    });
    if (reader.rows > MAX_BATCH) {
      const message = `the batch has ${reader.rows} queries; at most ${MAX_BATCH} are allowed`;
      throw new ShortlistError('batch_too_large', message, { max: MAX_BATCH });
    }
    return await readQueries(reader, columnName, (values) => {
      if (values.buffer !== bytes.buffer) memory.grow(values.byteLength);
    });
  } catch (error) {
    throw asRequestError(error);
  }
}

/** Vectors stay in the decompressed buffers, so all of these are held. */
function countUnfolded(limit: number, memory: ByteCounter): (bytes: number) => void {
  let unfolded = 0;
  return (bytes) => {
    unfolded += bytes;
    if (unfolded > limit) {
      const message = `the decompressed body is larger than the limit of ${limit} bytes`;
      throw new ShortlistError('body_too_large', message, { limit });
    }
    memory.grow(bytes);
  };
}

/** @param onValues gets the values of each chunk, which are kept */
async function readQueries(
  reader: ArrowReader,
  name: string | undefined,
  onValues: (values: Float32Array) => void,
): Promise<Queries> {
  const column = chooseVector(BODY, reader.fields, name, '?vector_column=');
  const vectors: OrError<Float32Array>[] = [];
  for await (const chunk of reader.read([reader.fields.indexOf(column)])) {
    appendVectors(openVectors(chunk.columns[0]!), chunk.rows, `/${column.name}`, vectors, onValues);
  }
  return { kind: 'vectors', vectors, fields: vectors.map((_, row) => `/${column.name}/${row}`) };
}

/** Appends the vector of each row or its error. Float32 components are not copied. */
function appendVectors(
  source: Vectors,
  rows: number,
  field: string,
  vectors: OrError<Float32Array>[],
  hold: (values: Float32Array) => void,
): void {
  const { offsets, valid, lists, componentsValid } = source;
  const values = source.values instanceof Float32Array ? source.values : new Float32Array(source.values);
  hold(values);
  for (let row = 0; row < rows; row++) {
    if (valid !== null && valid[row] === 0) {
      vectors.push(fieldError('bad_vector', `${field}/${vectors.length}`, `row ${vectors.length} is null`));
      continue;
    }
    const inner = lists === null ? 1 : lists[row + 1]! - lists[row]!;
    if (inner !== 1) {
      const message = `row ${vectors.length} is a list of ${inner} lists; give a list of numbers, or a list with one such list`;
      vectors.push(fieldError('bad_vector', `${field}/${vectors.length}`, message));
      continue;
    }
    const [start, end] = [offsets[row]!, offsets[row + 1]!];
    const missing = componentsValid?.subarray(start, end).indexOf(0) ?? -1;
    if (missing !== -1) {
      const message = `component ${missing} of row ${vectors.length} is null`;
      vectors.push(fieldError('bad_vector', `${field}/${vectors.length}`, message));
      continue;
    }
    vectors.push(values.subarray(start, end));
  }
}

/** Codes for files, which are the server's own failures. In a body the client is at fault. */
const FILE_CODES = new Set<ErrorCode>([
  'input_format', 'input_corrupt', 'input_unsupported', 'column_missing', 'column_type',
]); // prettier-ignore

function asRequestError(error: unknown): unknown {
  if (!(error instanceof ShortlistError) || !FILE_CODES.has(error.code)) return error;
  const details = Object.entries(error.details).filter(([name]) => name !== 'file');
  return new ShortlistError('bad_arrow', error.message, Object.fromEntries(details), { cause: error });
}
