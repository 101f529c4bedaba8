/**
 * Reads an Arrow stream from a pipe, one record batch after the other: memory for one batch and the dictionaries. The
 * file format is read too, since it is a stream between two marks. Each batch is given to the reader of bytes as a
 * stream of its own, so that everything is checked in one place. A stream that ends between two messages, without its
 * marker, is read with a warning, as a stream in a file is; the file format without its marker is cut short.
 *
 * Fails with `input_format`, `input_corrupt` and `input_unsupported`, each with the name of the pipe.
 */
import type { ArrowField } from '../column.js';
import { ArrowFault, corrupt, nameFault, unsupported } from '../fault.js';
import { MAX_DECOMPRESSED_BYTES, MAX_METADATA_BYTES } from '../bounds.js';
import { decodeMessage, PREFIX_BYTES } from '../frame/message.js';
import { isFileFormat, sniff, unknownFormat } from '../frame/sniff.js';
import { withoutMarker } from '../frame/stream-container.js';
import { openArrowBytes } from './reader.js';
import { readSchemaMessage } from './schema-message.js';
import type { Chunk } from './table-reader.js';

interface ArrowPipe {
  readonly fields: readonly ArrowField[];
  /** Reads the columns at these positions, once, to the end of the stream. */
  read(columns: readonly number[]): AsyncGenerator<Chunk, void, undefined>;
  /** Oddities that are no faults, after the name of the pipe; known when all is read. */
  readonly warnings: readonly string[];
}

const CONTINUATION = 0xffffffff;
const FILE_MARK_BYTES = 8;

/** @param name stands for the path in messages: `stdin` */
export async function openArrowPipe(name: string, bytes: AsyncIterable<Uint8Array>): Promise<ArrowPipe> {
  const pipe = new PipeBytes(bytes);
  try {
    const isFile = await skipFileMark(pipe);
    const schema = await readMessage(pipe);
    if (typeof schema !== 'object') throw corrupt('it has no schema');
    if (schema.kind !== 'schema') throw unsupported('its schema is not at its start; write the stream format');
    const fields = readSchemaMessage(schema.bytes);
    const warnings: string[] = [];
    const warn = (warning: string): void => void warnings.push(`${name}: ${warning}`);
    return {
      fields,
      warnings,
      read: (columns) => readBatches(name, pipe, { schema: schema.bytes, isFile, warn }, columns),
    };
  } catch (error) {
    throw nameFault(name, error);
  }
}

/** @returns whether there is one: then a footer follows the stream */
async function skipFileMark(pipe: PipeBytes): Promise<boolean> {
  const head = await pipe.peek(FILE_MARK_BYTES);
  if (isFileFormat(head)) {
    await pipe.take(FILE_MARK_BYTES);
    return true;
  }
  if (sniff(head) === null) throw unknownFormat(head);
  return false;
}

interface StreamOptions {
  /** The message. */
  readonly schema: Uint8Array;
  readonly isFile: boolean;
  readonly warn: (warning: string) => void;
}

async function* readBatches(
  name: string,
  pipe: PipeBytes,
  { schema, isFile, warn }: StreamOptions,
  columns: readonly number[],
): AsyncGenerator<Chunk, void, undefined> {
  const dictionaries: Uint8Array[] = [];
  let firstRow = 0;
  try {
    let message = await readMessage(pipe);
    for (; typeof message === 'object'; message = await readMessage(pipe)) {
      if (message.kind === 'dictionary') dictionaries.push(message.bytes);
      if (message.kind !== 'batch') continue;
      const reader = await openArrowBytes(name, Buffer.concat([schema, ...dictionaries, message.bytes, END]));
      for await (const chunk of reader.read(columns)) yield { ...chunk, firstRow: firstRow + chunk.firstRow };
      firstRow += reader.rows;
    }
    if (message === 'bytes') {
      if (isFile) throw corrupt('the file ends before its footer, so that its writer was interrupted');
      warn(withoutMarker(firstRow));
    } else if (!isFile && (await pipe.peek(1)).length > 0) throw corrupt('bytes follow its end-of-stream marker');
  } catch (error) {
    throw nameFault(name, error);
  }
}

const END = Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);

interface PipeMessage {
  readonly kind: string;
  /** Prefix, metadata and body. */
  readonly bytes: Buffer;
}

/** How the stream ends, if no message follows: with its marker, or where the bytes do. */
async function readMessage(pipe: PipeBytes): Promise<PipeMessage | 'marker' | 'bytes'> {
  if ((await pipe.peek(1)).length === 0) return 'bytes';
  const prefix = await pipe.take(PREFIX_BYTES);
  if (prefix.readUInt32LE(0) !== CONTINUATION) throw new ArrowFault('input_unsupported', 'it is a stream from before Arrow 0.15; write it again with a newer library'); // prettier-ignore
  const length = prefix.readUInt32LE(4);
  if (length === 0) return 'marker';
  if (length > MAX_METADATA_BYTES) throw corrupt(`a message says it has ${length} bytes of metadata`);
  const metadata = await pipe.take(length);
  const { kind, bodyBytes } = decodeMessage(metadata);
  if (bodyBytes > MAX_DECOMPRESSED_BYTES) throw new ArrowFault('input_unsupported', `a batch has ${bodyBytes} bytes; write smaller batches`); // prettier-ignore
  return { kind, bytes: Buffer.concat([prefix, metadata, await pipe.take(bodyBytes)]) };
}

/** Bytes of a pipe in the amounts that are needed. */
class PipeBytes {
  private readonly source: AsyncIterator<Uint8Array>;
  private pieces: Uint8Array[] = [];
  private held = 0;

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.source = bytes[Symbol.asyncIterator]();
  }

  /** The next bytes, which are read again; fewer at the end. */
  async peek(length: number): Promise<Buffer> {
    await this.fill(length);
    const all = Buffer.concat(this.pieces);
    this.pieces = [all];
    return all.subarray(0, length);
  }

  /** @throws ArrowFault if the pipe ends before */
  async take(length: number): Promise<Buffer> {
    await this.fill(length);
    if (this.held < length) throw corrupt(`it ends ${length - this.held} bytes before the end of a message`);
    const all = this.pieces.length === 1 ? Buffer.from(this.pieces[0]!.buffer, this.pieces[0]!.byteOffset, this.held) : Buffer.concat(this.pieces); // prettier-ignore
    this.pieces = [all.subarray(length)];
    this.held -= length;
    return all.subarray(0, length);
  }

  private async fill(length: number): Promise<void> {
    while (this.held < length) {
      const next = await this.source.next();
      if (next.done === true) return;
      this.pieces.push(next.value);
      this.held += next.value.length;
    }
  }
}
