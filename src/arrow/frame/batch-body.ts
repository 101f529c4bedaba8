/**
 * The body of one batch, buffer by buffer. Takes the place of the body; returns ranges of its buffers. Hides
 * compression: ranges of a plain buffer are read from the file; a compressed one is decompressed whole at its first use
 * and kept.
 */
import { memorySource, type ByteSource } from './byte-source.js';
import { decompress } from './codec.js';
import { corrupt, unsupported } from '../fault.js';
import type { BufferRange, Codec } from './message.js';
import { FILE_BOUNDS, type ReadBounds } from './read-bounds.js';

/** Each compressed buffer starts with its decompressed length, or -1 if it is stored uncompressed. */
const LENGTH_BYTES = 8;
const UNCOMPRESSED = -1n;

export class BatchBody {
  constructor(
    private readonly source: ByteSource,
    private readonly position: number,
    private readonly codec: Codec | null,
    private readonly bounds: ReadBounds = FILE_BOUNDS,
  ) {}

  /**
   * @param needed bytes that the rows of the column need at least
   * @throws ArrowFault `input_corrupt` if the buffer is known to be shorter
   */
  buffer(range: BufferRange, needed: number): BodyBuffer {
    const compressed = this.codec !== null && range.length > 0;
    if (!compressed && range.length < needed) throw corrupt(tooShort(range.length, needed));
    return new BodyBuffer(() => this.open(range, needed));
  }

  private async open(range: BufferRange, needed: number): Promise<ByteSource> {
    const start = this.position + range.offset;
    if (this.codec === null || range.length === 0) return sliceSource(this.source, start, range.length);
    if (range.length < LENGTH_BYTES) throw corrupt('a compressed buffer is too short for its length');
    const prefix = await this.source.read(start, LENGTH_BYTES);
    const declared = new DataView(prefix.buffer, prefix.byteOffset, LENGTH_BYTES).getBigInt64(0, true);
    const stored = sliceSource(this.source, start + LENGTH_BYTES, range.length - LENGTH_BYTES);
    const length = declared === UNCOMPRESSED ? stored.size : Number(declared);
    if (length < needed) throw corrupt(tooShort(length, needed));
    if (declared === UNCOMPRESSED) return stored;
    if (length > this.bounds.bufferBytes) {
      throw unsupported(
        `one of its compressed buffers decompresses to ${length} bytes; write it uncompressed or in smaller batches (max_chunksize)`,
      );
    }
    this.bounds.onDecompress(length);
    return memorySource(await decompress(this.codec, await stored.read(0, stored.size), length, this.bounds.turn));
  }
}

function tooShort(length: number, needed: number): string {
  return `a buffer holds ${length} bytes where the rows need ${needed}`;
}

function sliceSource(source: ByteSource, start: number, size: number): ByteSource {
  return { size, read: (position, length) => source.read(start + position, length), close: () => Promise.resolve() };
}

/** One buffer, opened at its first use. */
export class BodyBuffer {
  private readonly openSource: () => Promise<ByteSource>;
  private opened: Promise<ByteSource> | null = null;

  constructor(openSource: () => Promise<ByteSource>) {
    this.openSource = openSource;
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    const source = await this.source();
    if (end > source.size) throw corrupt(`a buffer of ${source.size} bytes is referred to up to byte ${end}`);
    return source.read(start, end - start);
  }

  async length(): Promise<number> {
    return (await this.source()).size;
  }

  private source(): Promise<ByteSource> {
    this.opened ??= this.openSource();
    return this.opened;
  }
}
