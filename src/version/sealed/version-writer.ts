/**
 * Writes one version. Takes batches of rows, the table of ids and what an engine writes; leaves a sealed version under
 * its final name. All work happens in `<root>/<index>/.staging/<uuid>/`, which no reader looks at; one rename at the
 * end makes it a version. The caller holds the build lock.
 *
 * Order of calls: `append` for each batch, `finishRows`, `writeIds`, an engine at `graphPath`, `seal`. Or `abort`, at
 * any time.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { ArrowField, Column } from '../../arrow/column.js';
import type { IdTable } from '../../base/id-table.js';
import { AttributeWriter } from './attribute-writer.js';
import { attempt, ensureDirectory, removeTree } from '../disk/durable.js';
import { nodeFiles, type FileSystem } from '../disk/files.js';
import type { Lock } from '../locks/lock.js';
import type { Manifest, ManifestDraft, ShardEntry } from './manifest.js';
import { ATTRIBUTES_FILE, graphFile, IDS_FILE, shardFile, stagingPath } from '../disk/paths.js';
import { splitByShard, type RowBatch } from './placement.js';
import { cleanStaging } from './version-folders.js';
import { sealVersion, type SealProgress } from './seal.js';
import { SectionWriter } from '../disk/section-writer.js';
import { ShardWriter } from './shard-writer.js';
import { typeName } from './type-name.js';

interface VersionWriterOptions {
  readonly root: string;
  readonly index: string;
  readonly shards: number;
  /** Columns of each batch, in this order. */
  readonly attributes: readonly ArrowField[];
  /** The build lock of the index. */
  readonly lock: Lock;
  readonly files?: FileSystem | undefined;
  readonly now?: (() => Date) | undefined;
}

interface VersionBatch extends RowBatch {
  readonly attributes: readonly Column[];
}

export class VersionWriter {
  /** The staging directory. */
  readonly directory: string;
  private readonly shards: ShardWriter[] = [];
  private attributes: AttributeWriter | null = null;
  private readonly graphs: string[][];
  private readonly figures: Readonly<Record<string, number>>[];
  /** SHA-256 of files by name, if known from writing them. */
  private readonly written = new Map<string, string>();
  private dim = 0;
  private rows = 0;

  private constructor(
    private readonly options: VersionWriterOptions,
    private readonly files: FileSystem,
  ) {
    this.directory = join(stagingPath(options.root, options.index), randomUUID());
    this.graphs = Array.from({ length: options.shards }, () => []);
    this.figures = Array.from({ length: options.shards }, () => ({}));
  }

  /** Starts a version, after deleting what earlier builds left in staging. */
  static async create(options: VersionWriterOptions): Promise<VersionWriter> {
    const files = options.files ?? nodeFiles;
    await cleanStaging(options.root, options.index, files);
    const writer = new VersionWriter(options, files);
    await ensureDirectory(writer.directory, files);
    try {
      await writer.open();
    } catch (error) {
      await attempt(writer.abort());
      throw error;
    }
    return writer;
  }

  /** Rows appended. */
  get count(): number {
    return this.rows;
  }

  /** Appends rows to their shards and their attributes, in the order of their ordinals. */
  async append(batch: VersionBatch): Promise<void> {
    if (this.rows === 0) this.dim = batch.dim;
    if (batch.firstOrdinal !== this.rows || batch.dim !== this.dim) {
      throw new Error('the batch has the wrong first ordinal or dimension');
    }
    const parts = splitByShard(batch, this.shards.length);
    for (const [shard, part] of parts.entries()) await this.shards[shard]!.append(part.ordinals, part.vectors);
    await this.attributes?.append(batch.attributes);
    this.rows += batch.rows;
  }

  /** Completes the files of shards and attributes; then engines may read `shardPath`. */
  async finishRows(): Promise<void> {
    for (const shard of this.shards) await shard.close();
    if (this.attributes !== null) this.written.set(ATTRIBUTES_FILE, await this.attributes.close());
  }

  async writeIds(ids: IdTable): Promise<void> {
    if (ids.count !== this.rows) throw new Error(`${ids.count} ids for ${this.rows} rows`);
    const writer = await SectionWriter.create(join(this.directory, IDS_FILE), 'ids', this.files);
    try {
      for (const { name, bytes } of ids.sections()) {
        await writer.begin(name);
        await writer.append(bytes);
      }
    } catch (error) {
      await attempt(writer.abort());
      throw error;
    }
    await writer.close();
  }

  shardPath(shard: number): string {
    return join(this.directory, shardFile(shard));
  }

  shardCount(shard: number): number {
    return this.shards[shard]!.count;
  }

  /** Where the engine writes a file of one shard, one file for each suffix. A shard without rows needs none. */
  graphPath(shard: number, suffix: string): string {
    const name = graphFile(shard, suffix);
    if (!this.graphs[shard]!.includes(name)) this.graphs[shard]!.push(name);
    return join(this.directory, name);
  }

  /** Notes what the engine measured while it built the graph of a shard, for the manifest. */
  setFigures(shard: number, figures: Readonly<Record<string, number>>): void {
    this.figures[shard] = figures;
  }

  /**
   * Makes every file durable, reads all of it back and gives the version its name.
   * @throws file_missing, file_corrupt, index_busy, disk_full, io_error; none of them affects what is published
   */
  async seal(draft: ManifestDraft, progress: SealProgress = {}): Promise<Manifest> {
    const { root, index, lock, attributes, now } = this.options;
    return sealVersion(
      {
        root,
        index,
        lock,
        directory: this.directory,
        files: this.files,
        now: now ?? (() => new Date()),
        written: this.written,
        dim: this.dim,
        count: this.rows,
        shards: this.shardEntries(),
        attributes: attributes.map(({ name, type, label, nullable }) => ({
          name,
          type: typeName(type),
          label,
          nullable,
        })),
      },
      draft,
      progress,
    );
  }

  /** Removes the staging directory. Does nothing after a `seal` that succeeded. */
  async abort(): Promise<void> {
    for (const shard of this.shards) await attempt(shard.abort());
    await attempt(this.attributes?.abort() ?? Promise.resolve());
    await removeTree(this.directory, this.files);
    await attempt(this.files.removeDirectory(stagingPath(this.options.root, this.options.index)));
  }

  private async open(): Promise<void> {
    for (let shard = 0; shard < this.options.shards; shard++) {
      this.shards.push(await ShardWriter.create(this.shardPath(shard), this.files));
    }
    if (this.options.attributes.length === 0) return;
    const path = join(this.directory, ATTRIBUTES_FILE);
    this.attributes = await AttributeWriter.create(path, this.options.attributes, this.files);
  }

  private shardEntries(): ShardEntry[] {
    return this.shards.map(({ count }, shard) => ({
      files: [shardFile(shard), ...(count > 0 ? this.graphs[shard]! : [])],
      count,
      figures: this.figures[shard]!,
    }));
  }
}
