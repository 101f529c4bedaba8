/** Writes the attributes of a shard as rows come: an uncompressed Arrow IPC file (batches: attribute-batches.ts). */
import { createHash } from 'node:crypto';
import type { ArrowField, Column } from '../../arrow/column.js';
import { ArrowWriter } from '../../arrow/write/writer.js';
import { ByteSink } from '../disk/byte-sink.js';
import { attempt } from '../disk/durable.js';
import type { FileSystem } from '../disk/files.js';
import { AttributeBatches } from './attribute-batches.js';

export class AttributeWriter {
  private readonly hash = createHash('sha256');
  private readonly writer: ArrowWriter;
  private readonly batches: AttributeBatches;

  private constructor(
    fields: readonly ArrowField[],
    private readonly sink: ByteSink,
    shards: number,
  ) {
    this.batches = new AttributeBatches(shards);
    this.writer = new ArrowWriter('file', { fields }, async (bytes) => {
      this.hash.update(bytes);
      await sink.write(bytes);
    });
  }

  /** @param options.shards how many shards are written at a time */
  static async create(
    path: string,
    fields: readonly ArrowField[],
    { files, shards }: { readonly files: FileSystem; readonly shards: number },
  ): Promise<AttributeWriter> {
    return new AttributeWriter(fields, await ByteSink.create(path, files), shards);
  }

  /** @param columns one a field, with equal numbers of rows @param rows which of them, ascending; null for all */
  async append(columns: readonly Column[], rows: Uint32Array | null = null): Promise<void> {
    for (const batch of this.batches.add(columns, rows)) await this.writer.write(batch);
  }

  /** Ends the file. @returns the SHA-256 of its bytes, hex */
  async close(): Promise<string> {
    try {
      const last = this.batches.finish();
      if (last !== null) await this.writer.write(last);
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
