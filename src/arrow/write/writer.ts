/**
 * Writes Arrow IPC files and streams.
 *
 * Takes a schema, then batches of columns, and gives bytes to a sink as they come: nothing is kept but a file's list
 * of batches. Uncompressed, without dictionaries, metadata V5; strings and lists have 32-bit offsets, so the strings
 * or the list items of one batch stay below 2 GiB, which callers see to by the size of their batches. Equal input
 * gives equal bytes: numbers and bools of null rows are written as 0; what lists of null rows hold is written as it
 * is.
 *
 * The encoder, and with it the 150 modules of apache-arrow, is loaded when the first bytes are to be written: most
 * processes that can write never do.
 */
import type { Column } from '../column.js';
import type { ArrowFormat, ArrowSchema } from './arrow-schema.js';
import type { Encoder } from './encoder.js';

/** Must be done with the bytes when its promise resolves: they are views of the columns. */
type ByteSink = (bytes: Uint8Array) => void | Promise<void>;

export class ArrowWriter {
  private encoder: Promise<Encoder> | null = null;

  constructor(
    private readonly format: ArrowFormat,
    private readonly schema: ArrowSchema,
    private readonly sink: ByteSink,
  ) {}

  /** Appends one record batch. @param columns one a field, of equal numbers of rows */
  async write(columns: readonly Column[]): Promise<void> {
    const encoder = await this.start();
    encoder.write(columns);
    await this.flush(encoder);
  }

  /** Ends the file or stream; without it, what was written is no valid one. Does not close what the sink writes to. */
  async close(): Promise<void> {
    const encoder = await this.start();
    encoder.close();
    await this.flush(encoder);
  }

  private start(): Promise<Encoder> {
    this.encoder ??= import('./encoder.js').then(({ startEncoder }) => startEncoder(this.format, this.schema));
    return this.encoder;
  }

  private async flush(encoder: Encoder): Promise<void> {
    for (const bytes of joinSmall(encoder.take())) await this.sink(bytes);
  }
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
