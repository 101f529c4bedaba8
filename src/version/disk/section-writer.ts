/**
 * Writes a section file as a stream: sections of unknown length one after the other, and the header page last. A file
 * that was not closed has a header of zeros, so no reader accepts it.
 */
import { createHash, type Hash } from 'node:crypto';
import { ByteSink } from './byte-sink.js';
import { attempt } from './durable.js';
import type { FileSystem } from './files.js';
import { alignToPage, encodeHeader, PAGE_BYTES, requireLittleEndian, type Section, type SectionFileKind } from './section-layout.js'; // prettier-ignore

interface OpenSection {
  readonly name: string;
  readonly offset: number;
  readonly hash: Hash;
}

export class SectionWriter {
  private readonly done: Section[] = [];
  private open: OpenSection | null = null;

  private constructor(
    private readonly kind: SectionFileKind,
    private readonly sink: ByteSink,
  ) {}

  /** Makes the file; there must be none at `path`. */
  static async create(path: string, kind: SectionFileKind, files: FileSystem): Promise<SectionWriter> {
    requireLittleEndian();
    const sink = await ByteSink.create(path, files);
    const writer = new SectionWriter(kind, sink);
    await sink.write(new Uint8Array(PAGE_BYTES));
    return writer;
  }

  /** Ends the current section and starts another. */
  async begin(name: string): Promise<void> {
    await this.end();
    this.open = { name, offset: this.sink.bytes, hash: createHash('sha256') };
  }

  /** Appends to the current section. The bytes may be changed again once the promise has resolved. */
  async append(bytes: Uint8Array): Promise<void> {
    if (this.open === null) throw new Error('bytes outside a section');
    this.open.hash.update(bytes);
    await this.sink.write(bytes);
  }

  /** Writes the header and closes the file. The caller makes it durable. */
  async close(): Promise<void> {
    try {
      await this.end();
      await this.sink.flush();
      await this.sink.writeAt(encodeHeader(this.kind, this.done, this.sink.bytes), 0);
    } catch (error) {
      await attempt(this.abort());
      throw error;
    }
    await this.sink.close();
  }

  /** Closes an unfinished file and leaves it as it is. */
  abort(): Promise<void> {
    return this.sink.abort();
  }

  private async end(): Promise<void> {
    if (this.open === null) return;
    const { name, offset, hash } = this.open;
    const bytes = this.sink.bytes - offset;
    this.open = null;
    this.done.push({ name, offset, bytes, sha256: hash.digest('hex') });
    await this.sink.write(new Uint8Array(alignToPage(offset + bytes) - offset - bytes));
  }
}
