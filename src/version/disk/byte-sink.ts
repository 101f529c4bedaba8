/** Appends to a new file through a buffer, so that many small writes cost few calls, and counts the bytes. */
import type { FileSystem, OpenFile } from './files.js';

/** The buffers of 256 shards take 64 MiB, and a write is large enough for a disk to stream. */
const BUFFER_BYTES = 256 * 1024;

export class ByteSink {
  private readonly buffer = new Uint8Array(BUFFER_BYTES);
  private buffered = 0;
  private written = 0;
  private open = true;

  private constructor(private readonly file: OpenFile) {}

  /** Makes the file; there must be none at `path`. */
  static async create(path: string, files: FileSystem): Promise<ByteSink> {
    return new ByteSink(await files.open(path, 'create'));
  }

  /** Bytes written, flushed or not. */
  get bytes(): number {
    return this.written;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.buffered + bytes.length > BUFFER_BYTES) await this.flush();
    if (bytes.length >= BUFFER_BYTES) await this.file.write(bytes);
    else {
      this.buffer.set(bytes, this.buffered);
      this.buffered += bytes.length;
    }
    this.written += bytes.length;
  }

  async flush(): Promise<void> {
    const { buffered } = this;
    this.buffered = 0;
    if (buffered > 0) await this.file.write(this.buffer.subarray(0, buffered));
  }

  /** Overwrites what was flushed at `position`. */
  writeAt(bytes: Uint8Array, position: number): Promise<void> {
    return this.file.writeAt(bytes, position);
  }

  /** Flushes and closes. */
  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.abort();
    }
  }

  /** Closes without flushing; does nothing when closed. */
  async abort(): Promise<void> {
    if (!this.open) return;
    this.open = false;
    await this.file.close();
  }
}
