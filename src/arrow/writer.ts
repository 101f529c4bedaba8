/**
 * Writes Arrow IPC files and streams.
 *
 * Takes a schema, then batches of columns, and gives bytes to a sink as they come: nothing is kept but a file's list of
 * batches. Uncompressed, without dictionaries, metadata V5; strings and lists have 32-bit offsets, so the strings or the
 * list items of one batch stay below 2 GiB, which callers see to by the size of their batches. Equal input gives equal
 * bytes: numbers and bools of null rows are written as 0; what lists of null rows hold is written as it is.
 */
import { RecordBatchFileWriter, RecordBatchStreamWriter, util, type Schema } from 'apache-arrow';
import type { ArrowField, Column } from './column.js';
import { recordBatchOf, schemaOf } from './to-apache.js';

export interface ArrowSchema {
  readonly fields: readonly Pick<ArrowField, 'name' | 'type' | 'nullable'>[];
  /** Key-value pairs of the schema, for whoever reads the file. */
  readonly metadata?: ReadonlyMap<string, string>;
}

export type ArrowFormat = 'file' | 'stream';

/** Must be done with the bytes when its promise resolves: they are views of the columns. */
export type ByteSink = (bytes: Uint8Array) => void | Promise<void>;

export class ArrowWriter {
  private readonly schema: Schema;
  private readonly encoder: FileEncoder | StreamEncoder;
  private readonly sink: ByteSink;

  constructor(format: ArrowFormat, schema: ArrowSchema, sink: ByteSink) {
    this.schema = schemaOf(schema);
    this.encoder = startEncoder(format, this.schema);
    this.sink = sink;
  }

  /** Appends one record batch. @param columns one a field, of equal numbers of rows */
  async write(columns: readonly Column[]): Promise<void> {
    this.encoder.write(recordBatchOf(this.schema, columns));
    await this.flush();
  }

  /** Ends the file or stream; without it, what was written is no valid one. Does not close what the sink writes to. */
  async close(): Promise<void> {
    this.encoder.close();
    await this.flush();
  }

  private async flush(): Promise<void> {
    for (const bytes of joinSmall(this.encoder.taken.splice(0))) await this.sink(bytes);
  }
}

/** The whole file or stream as bytes. @param batches each one column a field */
export function encodeArrow(
  format: ArrowFormat,
  schema: ArrowSchema,
  batches: Iterable<readonly Column[]>,
): Uint8Array {
  const apacheSchema = schemaOf(schema);
  const encoder = startEncoder(format, apacheSchema);
  for (const columns of batches) encoder.write(recordBatchOf(apacheSchema, columns));
  encoder.close();
  return Buffer.concat(encoder.taken);
}

function startEncoder(format: ArrowFormat, schema: Schema): FileEncoder | StreamEncoder {
  const encoder = format === 'file' ? new FileEncoder() : new StreamEncoder();
  encoder.reset(undefined, schema);
  return encoder;
}

type Piece = Parameters<typeof util.toUint8Array>[0];

/** apache-arrow's writers with their exit replaced: their own queue keeps all bytes until it is read asynchronously. */
class FileEncoder extends RecordBatchFileWriter {
  readonly taken: Uint8Array[] = [];

  protected override _write(piece: Piece): this {
    if (this._started) this._position += take(this.taken, piece);
    return this;
  }
}

class StreamEncoder extends RecordBatchStreamWriter {
  readonly taken: Uint8Array[] = [];

  protected override _write(piece: Piece): this {
    if (this._started) this._position += take(this.taken, piece);
    return this;
  }
}

function take(taken: Uint8Array[], piece: Piece): number {
  const bytes = util.toUint8Array(piece) as Uint8Array;
  if (bytes.length > 0) taken.push(bytes);
  return bytes.length;
}

/** Pieces up to this size are joined: most are framing and padding of a few bytes. */
const SMALL_BYTES = 64 * 1024;

function* joinSmall(pieces: readonly Uint8Array[]): Generator<Uint8Array, void, undefined> {
  let small: Uint8Array[] = [];
  for (const piece of pieces) {
    if (piece.length <= SMALL_BYTES) {
      small.push(piece);
      continue;
    }
    if (small.length > 0) yield Buffer.concat(small);
    small = [];
    yield piece;
  }
  if (small.length > 0) yield Buffer.concat(small);
}
