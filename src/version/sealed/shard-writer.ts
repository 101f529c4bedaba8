/**
 * Writes the section file of one shard as a stream. Vectors go straight to the file. Ordinals stay in memory, 4 bytes a
 * row, and follow after the last row.
 */
import { MAX_SHARD_ROWS } from '../../base/limits.js';
import { ShortlistError } from '../../base/errors.js';
import type { FileSystem } from '../disk/files.js';
import { SectionWriter } from '../disk/section-writer.js';

export class ShardWriter {
  private ordinals = new Uint32Array(1024);
  private rows = 0;

  private constructor(
    private readonly path: string,
    private readonly writer: SectionWriter,
  ) {}

  static async create(path: string, files: FileSystem): Promise<ShardWriter> {
    const writer = await SectionWriter.create(path, 'shard', files);
    await writer.begin('vectors');
    return new ShardWriter(path, writer);
  }

  get count(): number {
    return this.rows;
  }

  /** Appends rows: their ordinals, ascending over all calls, and their vectors, end to end. */
  async append(ordinals: Uint32Array, vectors: Float32Array): Promise<void> {
    this.reserve(this.rows + ordinals.length);
    this.ordinals.set(ordinals, this.rows);
    this.rows += ordinals.length;
    await this.writer.append(bytesOf(vectors));
  }

  async close(): Promise<void> {
    await this.writer.begin('ordinals');
    await this.writer.append(bytesOf(this.ordinals.subarray(0, this.rows)));
    await this.writer.close();
  }

  abort(): Promise<void> {
    return this.writer.abort();
  }

  private reserve(rows: number): void {
    if (rows > MAX_SHARD_ROWS) {
      const message = `${this.path} would have more than ${MAX_SHARD_ROWS} rows; build with more shards`;
      throw new ShortlistError('unsupported', message, { file: this.path, limit: MAX_SHARD_ROWS });
    }
    if (rows <= this.ordinals.length) return;
    const larger = new Uint32Array(Math.min(MAX_SHARD_ROWS, Math.max(rows, 2 * this.ordinals.length)));
    larger.set(this.ordinals.subarray(0, this.rows));
    this.ordinals = larger;
  }
}

function bytesOf(values: Float32Array | Uint32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
