/**
 * Reads ids from a text file: one id a line, UTF-8, lines end with \n or \r\n, no header. An empty line is a null id. A
 * byte order mark at the start is no part of an id.
 *
 * The lines are counted when the file is opened; then they are read again in chunks of bounded size. Fails with
 * `input_format` for a file that is not text, `input_unsupported` for a line that no id can be.
 */
import { CHUNK_BYTES, CHUNK_ROWS } from '../../arrow/bounds.js';
import type { Column } from '../../arrow/column.js';
import { ArrowFault, corrupt, nameFault, unsupported } from '../../arrow/fault.js';
import { checkUtf8 } from '../../arrow/decode/strings.js';
import { openFileSource, type ByteSource } from '../../arrow/frame/byte-source.js';
import type { Chunk, TableReader } from '../../arrow/read/table-reader.js';

const READ_BYTES = 1024 * 1024;
/** Longest line. Ids have at most 1,024 bytes; a longer line is reported as a bad id, but not one of megabytes. */
const MAX_LINE_BYTES = 64 * 1024;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

export async function openIdLines(path: string, idColumn: string): Promise<TableReader> {
  let source: ByteSource | null = null;
  try {
    source = await openFileSource(path);
    return new IdLines(path, source, idColumn, await countLines(source));
  } catch (error) {
    await source?.close();
    throw nameFault(path, error);
  }
}

async function countLines(source: ByteSource): Promise<number> {
  let lines = 0;
  let last = NEWLINE;
  for await (const bytes of blocks(source)) {
    if (bytes.includes(0)) throw notText('it has zero bytes');
    for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) lines++;
    last = bytes.at(-1)!;
  }
  return last === NEWLINE ? lines : lines + 1;
}

function notText(why: string): ArrowFault {
  const what = `is not a file of ids: an .npy file, .ibin or .ivecs, an Arrow or Parquet file, or UTF-8 text with one id a line (${why})`;
  return new ArrowFault('input_format', what);
}

/** The file without a byte order mark. */
async function* blocks(source: ByteSource): AsyncGenerator<Buffer, void, undefined> {
  for (let at = 0; at < source.size; at += READ_BYTES) {
    const read = await source.read(at, Math.min(READ_BYTES, source.size - at));
    const bytes = Buffer.from(read.buffer, read.byteOffset, read.length);
    const rest = at === 0 && bytes.subarray(0, 3).equals(BYTE_ORDER_MARK) ? bytes.subarray(3) : bytes;
    if (rest.length > 0) yield rest;
  }
}

class IdLines implements TableReader {
  readonly namesColumns = false;
  readonly warnings: readonly string[] = [];
  readonly bytes: number;
  readonly fields: TableReader['fields'];

  constructor(
    readonly path: string,
    private readonly source: ByteSource,
    idColumn: string,
    readonly rows: number,
  ) {
    this.bytes = source.size;
    this.fields = [{ name: idColumn, type: { kind: 'utf8' }, nullable: true, label: 'string' }];
  }

  async *read(columns: readonly number[]): AsyncGenerator<Chunk, void, undefined> {
    let firstRow = 0;
    try {
      for await (const lines of this.chunks()) {
        const column = toColumn(lines, firstRow);
        yield { firstRow, rows: column.rows, columns: columns.map(() => column) };
        firstRow += column.rows;
      }
      if (firstRow !== this.rows) throw corrupt('it changed while it was read');
    } catch (error) {
      throw nameFault(this.path, error);
    }
  }

  /** Lines of one chunk. They are parts of few large buffers, and not copied yet. */
  private async *chunks(): AsyncGenerator<Buffer[], void, undefined> {
    let lines: Buffer[] = [];
    let bytes = 0;
    let rest: Buffer = Buffer.alloc(0);
    for await (const block of blocks(this.source)) {
      const all = rest.length === 0 ? block : Buffer.concat([rest, block]);
      let start = 0;
      for (let end = all.indexOf(NEWLINE); end !== -1; end = all.indexOf(NEWLINE, start)) {
        lines.push(all.subarray(start, end));
        bytes += end - start;
        start = end + 1;
        if (lines.length < CHUNK_ROWS && bytes < CHUNK_BYTES) continue;
        yield lines;
        [lines, bytes] = [[], 0];
      }
      rest = all.subarray(start);
      if (rest.length > MAX_LINE_BYTES) throw tooLong();
    }
    if (rest.length > 0) lines.push(rest);
    if (lines.length > 0) yield lines;
  }

  readExtents(): never {
    throw new TypeError('lines of ids hold no lists');
  }

  close(): Promise<void> {
    return this.source.close();
  }
}

function tooLong(): ArrowFault {
  return unsupported(`a line has more than ${MAX_LINE_BYTES} bytes; a file of ids has one id a line`);
}

function toColumn(lines: readonly Buffer[], firstRow: number): Column {
  const rows = lines.length;
  const offsets = new Uint32Array(rows + 1);
  const valid = new Uint8Array(rows).fill(1);
  const ids = lines.map((line) => (line.at(-1) === RETURN ? line.subarray(0, -1) : line));
  ids.forEach((id, row) => {
    if (id.length > MAX_LINE_BYTES) throw tooLong();
    if (id.length === 0) valid[row] = 0;
    offsets[row + 1] = offsets[row]! + id.length;
  });
  const bytes = Buffer.concat(ids);
  checkUtf8(offsets, bytes, null, firstRow);
  return { shape: 'strings', type: { kind: 'utf8' }, rows, valid: valid.includes(0) ? valid : null, offsets, bytes };
}
