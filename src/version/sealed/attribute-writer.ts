/** Writes attributes.arrow as a stream: an uncompressed Arrow IPC file, one record batch for each of the build. */
import { createHash } from 'node:crypto';
import type { ArrowField, Column } from '../../arrow/column.js';
import { ArrowWriter } from '../../arrow/write/writer.js';
import { ByteSink } from '../disk/byte-sink.js';
import { attempt } from '../disk/durable.js';
import type { FileSystem } from '../disk/files.js';

export class AttributeWriter {
  private readonly hash = createHash('sha256');
  private readonly writer: ArrowWriter;

  private constructor(
    fields: readonly ArrowField[],
    private readonly sink: ByteSink,
  ) {
    this.writer = new ArrowWriter('file', { fields }, async (bytes) => {
      this.hash.update(bytes);
      await sink.write(bytes);
    });
  }

  static async create(path: string, fields: readonly ArrowField[], files: FileSystem): Promise<AttributeWriter> {
    return new AttributeWriter(fields, await ByteSink.create(path, files));
  }

  /** @param columns one a field, with equal numbers of rows */
  append(columns: readonly Column[]): Promise<void> {
    return this.writer.write(columns);
  }

  /** Ends the file. @returns the SHA-256 of its bytes, hex */
  async close(): Promise<string> {
    try {
      await this.writer.close();
    } catch (error) {
      await attempt(this.abort());
      throw error;
    }
    await this.sink.close();
    return this.hash.digest('hex');
  }

  abort(): Promise<void> {
    return this.sink.abort();
  }
}
