/** Batches of columns to the bytes of an Arrow IPC file or stream, by apache-arrow's writers. */
import { RecordBatchFileWriter, RecordBatchStreamWriter, util, type Schema } from 'apache-arrow';
import type { Column } from '../column.js';
import { recordBatchOf, schemaOf } from './to-apache.js';
import type { ArrowFormat } from '../frame/sniff.js';
import type { ArrowSchema } from './arrow-schema.js';

export interface Encoder {
  /** @param columns one a field, of equal numbers of rows */
  write(columns: readonly Column[]): void;
  close(): void;
  /** Returns the bytes since the last call. */
  drain(): Uint8Array[];
  /** What a later encoder needs to continue the file. */
  state(): FileState;
}

/** How far a file is written: its length, and where its record batches are. JSON-safe. */
export interface FileState {
  readonly position: number;
  readonly blocks: readonly FilePart[];
}

interface FilePart {
  readonly offset: number;
  readonly metaDataLength: number;
  readonly bodyLength: number;
}

/** @param continued the state of an encoder of the same schema, whose bytes are there already; only for files */
export function startEncoder(format: ArrowFormat, schema: ArrowSchema, continued?: FileState): Encoder {
  const apacheSchema: Schema = schemaOf(schema);
  const writer = format === 'file' ? new FileWriter() : new StreamWriter();
  writer.reset(undefined, apacheSchema);
  if (continued !== undefined) writer.continueAfter(continued);
  return {
    state: () => writer.state(),
    write(columns) {
      writer.write(recordBatchOf(apacheSchema, columns));
    },
    close() {
      writer.close();
    },
    drain: () => writer.pieces.splice(0),
  };
}

/** The whole file or stream as bytes. @param batches each one column a field */
export function encodeArrow(
  format: ArrowFormat,
  schema: ArrowSchema,
  batches: Iterable<readonly Column[]>,
): Uint8Array {
  const encoder = startEncoder(format, schema);
  for (const columns of batches) encoder.write(columns);
  encoder.close();
  return Buffer.concat(encoder.drain());
}

type Piece = Parameters<typeof util.toUint8Array>[0];

/** apache-arrow's writers with another sink: their own queue keeps all bytes until it is read asynchronously. */
class FileWriter extends RecordBatchFileWriter {
  readonly pieces: Uint8Array[] = [];

  /** Drops what was written and goes on as if the state had been reached. */
  continueAfter({ position, blocks }: FileState): void {
    this.pieces.splice(0);
    this._position = position;
    this._recordBatchBlocks.push(...(blocks as unknown as typeof this._recordBatchBlocks));
  }

  state(): FileState {
    const blocks = this._recordBatchBlocks.map(({ offset, metaDataLength, bodyLength }) => {
      return { offset, metaDataLength, bodyLength };
    });
    return { position: this._position, blocks };
  }

  protected override _write(piece: Piece): this {
    if (this._started) this._position += addPiece(this.pieces, piece);
    return this;
  }
}

class StreamWriter extends RecordBatchStreamWriter {
  readonly pieces: Uint8Array[] = [];

  continueAfter(): never {
    throw new TypeError('a stream has no state to continue from');
  }

  state(): FileState {
    return { position: this._position, blocks: [] };
  }

  protected override _write(piece: Piece): this {
    if (this._started) this._position += addPiece(this.pieces, piece);
    return this;
  }
}

/** @returns the length of the piece */
function addPiece(pieces: Uint8Array[], piece: Piece): number {
  const bytes = util.toUint8Array(piece) as Uint8Array;
  if (bytes.length > 0) pieces.push(bytes);
  return bytes.length;
}
