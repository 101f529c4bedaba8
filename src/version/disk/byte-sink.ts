/** Appends to a new file through a buffer, so that many small writes cost few calls. Counts what it is given. */
import type { FileSystem, OpenFile } from './files.js';

/** With 256 shards the buffers take 64 MiB; a disk sees writes large enough to stream. */
const BUFFER_BYTES = 256 * 1024;

export class ByteSink {
  private readonly file: OpenFile;
  private readonly buffer = new Uint8Array(BUFFER_BYTES);
  private filled = 0;
  private given = 0;
  private open = true;

  private constructor(file: OpenFile) {
    this.file = file;
  }

  /** Makes the file; there must be none at `path`. */
  static async create(path: string, files: FileSystem): Promise<ByteSink> {
    return new ByteSink(await files.open(path, 'create'));
  }

  /** Bytes given so far, flushed or not. */
  get bytes(): number {
    return this.given;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.filled + bytes.length > BUFFER_BYTES) await this.flush();
    if (bytes.length >= BUFFER_BYTES) await this.file.write(bytes);
    else {
      this.buffer.set(bytes, this.filled);
      this.filled += bytes.length;
    }
    this.given += bytes.length;
  }

  async flush(): Promise<void> {
    const { filled } = this;
    this.filled = 0;
    if (filled > 0) await this.file.write(this.buffer.subarray(0, filled));
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
