/**
 * The vectors of an Arrow stream. Takes the body and, where it has several vector columns, the name of one; gives a
 * query for each row. The column is chosen as ingest chooses it, and read by the reader that checks files: bytes of a
 * client are as hostile. Lengths and values are checked against the index later, as for every other form.
 */
import { openArrowBytes, type ArrowReader } from '../../arrow/read/reader.js';
import { isFileFormat } from '../../arrow/frame/sniff.js';
import { ShortlistError, type ErrorCode } from '../../base/errors.js';
import { MAX_BATCH, MAX_DIM } from '../../base/limits.js';
import { chooseVector } from '../../ingest/choose-columns.js';
import { openVectors, type Vectors } from '../../ingest/vector-rows.js';
import type { Counted } from './byte-account.js';
import type { Turns } from './turns.js';
import { fieldError } from './field-error.js';
import type { Queries, Readable } from './search-request.js';

/** What stands in messages where a file would have its path. */
const BODY = 'the body';

/** How much memory a body may take, and how its reading shares the thread. */
interface ArrowBodyBounds {
  /** Most bytes that its compressed buffers may unfold to, together. */
  readonly limit: number;
  /** Counts what is made of the body, beside its bytes. */
  readonly memory: Counted;
  readonly turns: Turns;
}

/** Record and dictionary batches: a program may write each of 1,024 rows as one, and dictionaries of other columns. */
const MAX_MESSAGES = 4_096;

/** A batch of few columns has 300 bytes of metadata; a schema has more where pandas has written its own into it. */
const MAX_METADATA_BYTES = 2 * 1024 * 1024;
const MAX_MESSAGE_METADATA_BYTES = 512 * 1024;

/** Columns, their children and metadata: a frame of vectors has few. Each costs some microseconds, at once. */
const MAX_SCHEMA_ITEMS = 2_048;

/** The longest vector as float64, and its offset. */
const MAX_VALUE_BYTES = 8 * MAX_DIM + 8;

/** What is converted in one step: a millisecond of float16. */
const CHUNK_BYTES = 512 * 1024;

/** @throws bad_arrow, batch_too_large, body_too_large, overloaded */
export async function readArrowVectors(
  bytes: Buffer,
  name: string | undefined,
  { limit, memory, turns }: ArrowBodyBounds,
): Promise<Queries> {
  try {
    if (isFileFormat(bytes)) {
      throw new ShortlistError('bad_arrow', `${BODY} is an Arrow file; write it as a stream (pyarrow.ipc.new_stream)`);
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
        if (turns.isDue()) await turns.next();
      },
    });
    if (reader.rows > MAX_BATCH) {
      const message = `the batch has ${reader.rows} queries; at most ${MAX_BATCH} are taken`;
      throw new ShortlistError('batch_too_large', message, { max: MAX_BATCH });
    }
    return await readQueries(reader, name, (values) => {
      if (values.buffer !== bytes.buffer) memory.grow(values.byteLength);
    });
  } catch (error) {
    throw asRequestError(error);
  }
}

/** Vectors stay in the buffers that they were unfolded to: of many batches of one row each, all of them are held. */
function countUnfolded(limit: number, memory: Counted): (bytes: number) => void {
  let unfolded = 0;
  return (bytes) => {
    unfolded += bytes;
    if (unfolded > limit) {
      const message = `the body unfolds to more than ${limit} bytes, the most that is taken`;
      throw new ShortlistError('body_too_large', message, { limit });
    }
    memory.grow(bytes);
  };
}

/** @param hold told of the values of each chunk, which are kept */
async function readQueries(
  reader: ArrowReader,
  name: string | undefined,
  hold: (values: Float32Array) => void,
): Promise<Queries> {
  const column = chooseVector(BODY, reader.fields, name, '?vector_column=');
  const vectors: Readable<Float32Array>[] = [];
  for await (const chunk of reader.read([reader.fields.indexOf(column)])) {
    takeVectors(openVectors(chunk.columns[0]!), chunk.rows, `/${column.name}`, vectors, hold);
  }
  return { kind: 'vectors', vectors, fields: vectors.map((_, row) => `/${column.name}/${row}`) };
}

/** Appends the vector of each row, or what is wrong with it; float32 components stay where they are. */
function takeVectors(
  from: Vectors,
  rows: number,
  field: string,
  vectors: Readable<Float32Array>[],
  hold: (values: Float32Array) => void,
): void {
  const { offsets, valid, lists, componentsValid } = from;
  const values = from.values instanceof Float32Array ? from.values : new Float32Array(from.values);
  hold(values);
  for (let row = 0; row < rows; row++) {
    if (valid !== null && valid[row] === 0) {
      vectors.push(fieldError('bad_vector', `${field}/${vectors.length}`, `row ${vectors.length} is null`));
      continue;
    }
    const inner = lists === null ? 1 : lists[row + 1]! - lists[row]!;
    if (inner !== 1) {
      const message = `row ${vectors.length} is a list of ${inner} lists; a vector is a list of numbers, or of one such list`;
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

/** Codes of files are a server's own failures. In a body they are the client's. */
const FILE_CODES = new Set<ErrorCode>([
  'input_format', 'input_corrupt', 'input_unsupported', 'column_missing', 'column_type',
]); // prettier-ignore

function asRequestError(error: unknown): unknown {
  if (!(error instanceof ShortlistError) || !FILE_CODES.has(error.code)) return error;
  const details = Object.entries(error.details).filter(([name]) => name !== 'file');
  return new ShortlistError('bad_arrow', error.message, Object.fromEntries(details), { cause: error });
}
