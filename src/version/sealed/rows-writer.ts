/**
 * The first half of writing a version: its rows. Takes batches of rows, then the table of their ids; leaves the files
 * of vectors, attributes and ids of each shard in a new staging directory, and a VersionWriter for what follows. The
 * caller holds the build lock.
 *
 * Order of calls: `append` for each batch, `finish`. Or `abort`, at any time before `finish` has succeeded.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Column } from '../../arrow/column.js';
import type { IdTable } from '../../base/id-table.js';
import { pickIds } from '../../base/id-table-parts.js';
import { discardBuild } from './checkpoint.js';
import { attempt, ensureDirectory } from '../disk/durable.js';
import { nodeFiles, type FileSystem } from '../disk/files.js';
import { stagingPath } from '../disk/paths.js';
import { splitByShard, type RowBatch } from './placement.js';
import { ShardWriter } from './shard-writer.js';
import { cleanStaging } from './version-folders.js';
import { VersionWriter, type VersionWriterOptions } from './version-writer.js';

interface VersionBatch extends RowBatch {
  readonly attributes: readonly Column[];
}

export class RowsWriter {
  /** The staging directory. */
  readonly directory: string;
  private readonly shards: ShardWriter[] = [];
  private dim = 0;
  private rows = 0;

  private constructor(
    private readonly options: VersionWriterOptions,
    private readonly files: FileSystem,
  ) {
    this.directory = join(stagingPath(options.root, options.index), randomUUID());
  }

  /** Starts a version, after deleting what earlier builds left in staging. */
  static async create(options: VersionWriterOptions): Promise<RowsWriter> {
    const files = options.files ?? nodeFiles;
    await cleanStaging(options.root, options.index, files);
    const writer = new RowsWriter(options, files);
    await ensureDirectory(writer.directory, files);
    try {
      await writer.open();
    } catch (error) {
      await attempt(writer.abort());
      throw error;
    }
    return writer;
  }

  /** Appends rows to their shards and their attributes, in the order of their ordinals. */
  async append(batch: VersionBatch): Promise<void> {
    if (this.rows === 0) this.dim = batch.dim;
    if (batch.firstOrdinal !== this.rows || batch.dim !== this.dim) {
      throw new Error('the batch has the wrong first ordinal or dimension');
    }
    const parts = splitByShard(batch, this.shards.length);
    for (const [shard, { ordinals, vectors, rows }] of parts.entries()) {
      await this.shards[shard]!.append(ordinals, vectors, batch.attributes, rows);
    }
    this.rows += batch.rows;
  }

  /** Completes the files of all rows, and writes the ids. */
  async finish(ids: IdTable): Promise<VersionWriter> {
    if (ids.count !== this.rows) throw new Error(`${ids.count} ids for ${this.rows} rows`);
    const attributes: string[] = [];
    for (const shard of this.shards) {
      const digest = await shard.close();
      if (digest !== null) attributes.push(digest);
    }
    for (const shard of this.shards)
      await shard.writeIds(this.shards.length === 1 ? ids : pickIds(ids, shard.ordinals));
    const { directory, dim } = this;
    return new VersionWriter(this.options, {
      directory,
      dim,
      counts: this.shards.map(({ count }) => count),
      attributes: attributes.length === 0 ? null : attributes,
    });
  }

  /** Removes the staging directory. */
  async abort(): Promise<void> {
    const { root, index } = this.options;
    for (const shard of this.shards) await attempt(shard.abort());
    await discardBuild(root, index, this.files);
  }

  private async open(): Promise<void> {
    const { directory, files } = this;
    const { shards, attributes } = this.options;
    for (let shard = 0; shard < shards; shard++) {
      this.shards.push(await ShardWriter.create({ directory, shard, shards, attributes, files }));
    }
  }
}
