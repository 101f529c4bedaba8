/**
 * Writes the rows of one shard as they come: vectors and attributes go straight to their files. Ordinals stay in
 * memory, 4 bytes a row; after the last row they go into the file of the ids.
 */
import { join } from 'node:path';
import type { ArrowField, Column } from '../../arrow/column.js';
import type { IdTable } from '../../base/id-table.js';
import { MAX_SHARD_ROWS } from '../../base/limits.js';
import { ShortlistError } from '../../base/errors.js';
import { AttributeWriter } from './attribute-writer.js';
import { attempt } from '../disk/durable.js';
import type { FileSystem } from '../disk/files.js';
import { SectionWriter } from '../disk/section-writer.js';
import { writeShardIds } from './ids-writer.js';
import { attributesFile, idsFile, vectorsFile } from './shard-files.js';

interface ShardWriterOptions {
  readonly directory: string;
  readonly shard: number;
  /** Number of shards of the version. */
  readonly shards: number;
  readonly attributes: readonly ArrowField[];
  readonly files: FileSystem;
}

export class ShardWriter {
  private own = new Uint32Array(1024);
  private rows = 0;

  private constructor(
    private readonly options: ShardWriterOptions,
    private readonly vectors: SectionWriter,
    private readonly attributes: AttributeWriter | null,
  ) {}

  static async create(options: ShardWriterOptions): Promise<ShardWriter> {
    const { directory, shard, shards, attributes: fields, files } = options;
    const vectors = await SectionWriter.create(join(directory, vectorsFile(shard)), 'shard', files);
    try {
      await vectors.begin('vectors');
      if (fields.length === 0) return new ShardWriter(options, vectors, null);
      const attributes = await AttributeWriter.create(join(directory, attributesFile(shard)), fields, {
        files,
        shards,
      });
      return new ShardWriter(options, vectors, attributes);
    } catch (error) {
      await attempt(vectors.abort());
      throw error;
    }
  }

  get count(): number {
    return this.rows;
  }

  /** Ordinal of each row, ascending. */
  get ordinals(): Uint32Array {
    return this.own.subarray(0, this.rows);
  }

  /**
   * Appends rows.
   * @param ordinals ascending over all calls
   * @param vectors end to end
   * @param columns attributes of a batch that has these rows
   * @param rows which rows of the columns; null for all
   */
  async append(
    ordinals: Uint32Array,
    vectors: Float32Array,
    columns: readonly Column[],
    rows: Uint32Array | null,
  ): Promise<void> {
    this.reserve(this.rows + ordinals.length);
    this.own.set(ordinals, this.rows);
    this.rows += ordinals.length;
    await this.vectors.append(bytesOf(vectors));
    await this.attributes?.append(columns, rows);
  }

  /** Ends the files of vectors and attributes. @returns SHA-256 of the attributes, hex; null without attributes */
  async close(): Promise<string | null> {
    await this.vectors.close();
    return (await this.attributes?.close()) ?? null;
  }

  /** Writes the ordinals and the ids. @param ids of these rows, in their order */
  async writeIds(ids: IdTable): Promise<void> {
    const { directory, shard, files } = this.options;
    await writeShardIds(join(directory, idsFile(shard)), this.ordinals, ids, files);
  }

  async abort(): Promise<void> {
    await attempt(this.vectors.abort());
    await this.attributes?.abort();
  }

  private reserve(rows: number): void {
    if (rows > MAX_SHARD_ROWS) {
      const path = join(this.options.directory, vectorsFile(this.options.shard));
      const message = `${path} would have more than ${MAX_SHARD_ROWS} rows; build with more shards`;
      throw new ShortlistError('unsupported', message, { file: path, limit: MAX_SHARD_ROWS });
    }
    if (rows <= this.own.length) return;
    const larger = new Uint32Array(Math.min(MAX_SHARD_ROWS, Math.max(rows, 2 * this.own.length)));
    larger.set(this.ordinals);
    this.own = larger;
  }
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
