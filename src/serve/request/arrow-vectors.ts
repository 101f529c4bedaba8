/**
 * The vectors of an Arrow stream. Takes the body and, where it has several vector columns, the name of one; gives a query for
 * each row. The column is chosen as ingest chooses it, and read by the reader that checks files: bytes of a client are as
 * hostile. Lengths and values are checked against the index later, as for every other form.
 */
import { openArrowBytes, type ArrowReader } from '../../arrow/reader.js';
import { ShortlistError, type ErrorCode } from '../../base/errors.js';
import { MAX_BATCH } from '../../base/limits.js';
import { chooseVector } from '../../ingest/choose-columns.js';
import { openVectors, type Vectors } from '../../ingest/vector-rows.js';
import { fieldError } from './field-error.js';
import type { Queries, Readable } from './search-request.js';

/** What stands in messages where a file would have its path. */
const BODY = 'the body';

/**
 * @param limit most bytes that a compressed buffer of it may unfold to
 * @throws bad_arrow, batch_too_large
 */
export async function readArrowVectors(bytes: Buffer, name: string | undefined, limit: number): Promise<Queries> {
  try {
    const reader = await openArrowBytes(BODY, bytes, limit);
    if (reader.format !== 'stream') {
      throw new ShortlistError('bad_arrow', `${BODY} is an Arrow file; write it as a stream (pyarrow.ipc.new_stream)`);
    }
    if (reader.rows > MAX_BATCH) {
      const message = `the batch has ${reader.rows} queries; at most ${MAX_BATCH} are taken`;
      throw new ShortlistError('batch_too_large', message, { max: MAX_BATCH });
    }
    return await readQueries(reader, name);
  } catch (error) {
    throw asRequestError(error);
  }
}

async function readQueries(reader: ArrowReader, name: string | undefined): Promise<Queries> {
  const column = chooseVector(BODY, reader.fields, name, '?vector_column=');
  const vectors: Readable<Float32Array>[] = [];
  for await (const chunk of reader.read([reader.fields.indexOf(column)])) {
    takeVectors(openVectors(chunk.columns[0]!), chunk.rows, `/${column.name}`, vectors);
  }
  return { kind: 'vectors', vectors, fields: vectors.map((_, row) => `/${column.name}/${row}`) };
}

/** Appends the vector of each row, or what is wrong with it; float32 components stay where they are. */
function takeVectors(from: Vectors, rows: number, field: string, vectors: Readable<Float32Array>[]): void {
  const { offsets, valid, lists, componentsValid } = from;
  const values = from.values instanceof Float32Array ? from.values : Float32Array.from(from.values);
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
