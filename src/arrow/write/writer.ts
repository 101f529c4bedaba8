/**
 * Writes Arrow IPC files and streams. Takes a schema, then batches of columns; passes bytes on to a sink and keeps only
 * a file's list of batches.
 *
 * Uncompressed, without dictionaries, metadata V5. Strings and lists have 32-bit offsets, so callers keep the strings
 * or items of one batch below 2 GiB. Equal input gives equal bytes: numbers and bools of null rows are written as 0,
 * the items of null lists unchanged.
 *
 * The encoder, with the 150 modules of apache-arrow, is loaded for the first bytes: most processes never write any.
 */
import type { Column } from '../column.js';
import type { ArrowFormat } from '../frame/sniff.js';
import type { ArrowSchema } from './arrow-schema.js';
import type { Encoder, FileState } from './encoder.js';

export type { FileState } from './encoder.js';

/** Must be done with the bytes when its promise resolves, since they are views of the columns. */
type ByteSink = (bytes: Uint8Array) => void | Promise<void>;

export class ArrowWriter {
  private encoder: Promise<Encoder> | null = null;

  constructor(
    private readonly format: ArrowFormat,
    private readonly schema: ArrowSchema,
    private readonly sink: ByteSink,
    /** The state of a writer of the same schema whose bytes are there already. */
    private readonly continued?: FileState,
  ) {}

  /** How far the file is written: after the last `write`. */
  async state(): Promise<FileState> {
    return (await this.start()).state();
  }

  /** Appends one record batch. @param columns one a field, of equal numbers of rows */
  async write(columns: readonly Column[]): Promise<void> {
    const encoder = await this.start();
    encoder.write(columns);
    await this.flush(encoder);
  }

  /** Ends the file or stream, which is not valid before. Does not close what the sink writes to. */
  async close(): Promise<void> {
    const encoder = await this.start();
    encoder.close();
    await this.flush(encoder);
  }

  private start(): Promise<Encoder> {
    this.encoder ??= import('./encoder.js').then(({ startEncoder }) =>
      startEncoder(this.format, this.schema, this.continued),
    );
    return this.encoder;
  }

  private async flush(encoder: Encoder): Promise<void> {
    for (const bytes of joinSmall(encoder.drain())) await this.sink(bytes);
  }
}

/** Pieces up to this size are joined: most are a few bytes of framing and padding. */
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
