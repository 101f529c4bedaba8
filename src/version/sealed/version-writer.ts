/**
 * Writes one version. Takes batches of rows, the table of ids and what an engine writes; leaves a sealed version under
 * its final name. All work happens in `<root>/<index>/.staging/<uuid>/`, which no reader looks at; one rename at the
 * end makes it a version. The caller holds the build lock.
 *
 * Order of calls: `append` for each batch, `finishRows`, `writeIds`, an engine at `graphPath` and `finishGraph`,
 * `seal`. Or `abort`, at any time. After `keepFor`, a build that is killed can be resumed: `resume` gives a writer that
 * has the rows, and the graphs that were finished.
 */
import { randomUUID } from 'node:crypto';
import { basename, join } from 'node:path';
import type { ArrowField, Column } from '../../arrow/column.js';
import type { IdTable } from '../../base/id-table.js';
import { AttributeWriter } from './attribute-writer.js';
import { discardBuild, writeCheckpoint, type Checkpoint, type GraphCheckpoint } from './checkpoint.js';
import { attempt, closing, ensureDirectory, hashRange } from '../disk/durable.js';
import { nodeFiles, type FileSystem } from '../disk/files.js';
import type { Lock } from '../locks/lock.js';
import type { FileEntry, Manifest, ManifestDraft, ShardEntry } from './manifest.js';
import { ATTRIBUTES_FILE, graphFile, IDS_FILE, shardFile, stagingPath } from '../disk/paths.js';
import { splitByShard, type RowBatch } from './placement.js';
import { restoreStaging } from './restore-staging.js';
import { cleanStaging } from './version-folders.js';
import { sealVersion, type SealProgress } from './seal.js';
import { SectionWriter } from '../disk/section-writer.js';
import { ShardWriter } from './shard-writer.js';
import { typeName } from './type-name.js';

export interface VersionWriterOptions {
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
  private readonly figures: (Readonly<Record<string, number>> | null)[];
  /** SHA-256 of files by name, if known from writing them. */
  private readonly written = new Map<string, string>();
  private dim = 0;
  private rows = 0;
  /** Rows of each shard, once all are written. */
  private counts: readonly number[] | null = null;
  private checkpoint: Checkpoint | null = null;
  private saving: Promise<void> = Promise.resolve();

  private constructor(
    private readonly options: VersionWriterOptions,
    private readonly files: FileSystem,
    name: string = randomUUID(),
  ) {
    this.directory = join(stagingPath(options.root, options.index), name);
    this.graphs = Array.from({ length: options.shards }, () => []);
    this.figures = Array.from({ length: options.shards }, () => null);
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

  /**
   * Continues the version of a checkpoint, whose files are read and checked.
   * @returns null if its rows are not whole; nothing is left of them then
   */
  static async resume(
    options: VersionWriterOptions,
    checkpoint: Checkpoint,
    signal?: AbortSignal,
  ): Promise<VersionWriter | null> {
    const files = options.files ?? nodeFiles;
    const writer = new VersionWriter(options, files, checkpoint.directory);
    const restored = await restoreStaging(writer.directory, checkpoint, files, signal);
    if (restored === null) {
      await writer.abort();
      return null;
    }
    writer.restore(restored);
    return writer;
  }

  /** Whether a build that ends now can be resumed. */
  get isKept(): boolean {
    return this.checkpoint !== null;
  }

  get graphCounts(): { readonly built: number; readonly total: number } {
    const withRows = this.figures.filter((_, shard) => this.shardCount(shard) > 0);
    return { built: withRows.filter((figures) => figures !== null).length, total: withRows.length };
  }

  /** Components of a vector. */
  get dimension(): number {
    return this.dim;
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
    this.counts = this.shards.map(({ count }) => count);
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

  /** Rows of a shard, after `finishRows`. */
  shardCount(shard: number): number {
    if (this.counts === null) throw new Error('the rows are not finished');
    return this.counts[shard]!;
  }

  /** Whether the shard has its graph, or needs none. */
  isBuilt(shard: number): boolean {
    return this.shardCount(shard) === 0 || this.figures[shard] !== null;
  }

  /** Where the engine writes a file of one shard, one file for each suffix. A shard without rows needs none. */
  graphPath(shard: number, suffix: string): string {
    const name = graphFile(shard, suffix);
    if (!this.graphs[shard]!.includes(name)) this.graphs[shard]!.push(name);
    return join(this.directory, name);
  }

  /**
   * The graph of a shard is complete.
   * @param figures what the engine measured while it built the graph, for the manifest
   * @param stages seconds of the stages of the build until now
   */
  async finishGraph(
    shard: number,
    figures: Readonly<Record<string, number>>,
    stages: ManifestDraft['stages'] = {},
  ): Promise<void> {
    this.figures[shard] = figures;
    if (this.checkpoint === null) return;
    const files: FileEntry[] = [];
    for (const name of this.graphs[shard]!) files.push(await this.hashFile(name));
    await this.save(({ graphs, draft }) => ({
      graphs: graphs.with(shard, { figures, files }),
      draft: { ...draft, stages: { ...draft.stages, ...stages } },
    }));
  }

  /**
   * From here on a build that is killed can be resumed: all rows and ids are written.
   * @param key digest of everything that decides the bytes of the version
   * @param notes what the build itself wants to know again
   */
  async keepFor(key: string, draft: ManifestDraft, notes: Checkpoint['notes']): Promise<void> {
    const none: (GraphCheckpoint | null)[] = Array.from({ length: this.options.shards }, () => null);
    this.checkpoint = {
      key,
      at: '',
      directory: basename(this.directory),
      version: null,
      dim: this.dim,
      counts: this.counts!,
      attributes: this.written.get(ATTRIBUTES_FILE) ?? null,
      graphs: none,
      draft,
      notes,
    };
    await this.save(() => ({}));
  }

  /**
   * Makes every file durable, reads all of it back and gives the version its name.
   * @throws file_missing, file_corrupt, index_busy, disk_full, io_error; none of them affects what is published
   */
  async seal(draft: ManifestDraft, progress: SealProgress = {}): Promise<Manifest> {
    const { root, index, lock, attributes, now } = this.options;
    const manifest = await sealVersion(
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
    // Without this a later build starts over, which is no reason to fail now.
    if (this.checkpoint !== null) await attempt(this.save(() => ({ version: manifest.version })));
    return manifest;
  }

  /** Removes the staging directory. Does nothing after a `seal` that succeeded. */
  async abort(): Promise<void> {
    const { root, index } = this.options;
    for (const shard of this.shards) await attempt(shard.abort());
    await attempt(this.attributes?.abort() ?? Promise.resolve());
    await attempt(this.saving);
    await discardBuild(root, index, this.directory, this.files);
  }

  private async open(): Promise<void> {
    for (let shard = 0; shard < this.options.shards; shard++) {
      this.shards.push(await ShardWriter.create(this.shardPath(shard), this.files));
    }
    if (this.options.attributes.length === 0) return;
    const path = join(this.directory, ATTRIBUTES_FILE);
    this.attributes = await AttributeWriter.create(path, this.options.attributes, this.files);
  }

  private restore(checkpoint: Checkpoint): void {
    const { dim, counts, attributes, graphs } = checkpoint;
    this.checkpoint = checkpoint;
    this.dim = dim;
    this.counts = counts;
    this.rows = counts.reduce((sum, count) => sum + count, 0);
    if (attributes !== null) this.written.set(ATTRIBUTES_FILE, attributes);
    for (const [shard, graph] of graphs.entries()) {
      if (graph === null) continue;
      this.figures[shard] = graph.figures;
      this.graphs[shard] = graph.files.map(({ name }) => name);
    }
  }

  private async hashFile(name: string): Promise<FileEntry> {
    const file = await this.files.open(join(this.directory, name), 'read');
    return closing(file, async () => ({ name, ...(await hashRange(file, 0, Infinity)) }));
  }

  /** Replaces the checkpoint, one change after the other: graphs are finished side by side. */
  private save(change: (checkpoint: Checkpoint) => Partial<Checkpoint>): Promise<void> {
    const { root, index } = this.options;
    this.saving = this.saving.then(async () => {
      const at = new Date().toISOString();
      this.checkpoint = { ...this.checkpoint!, at, ...change(this.checkpoint!) };
      await writeCheckpoint(root, index, this.checkpoint, this.files);
    });
    return this.saving;
  }

  private shardEntries(): ShardEntry[] {
    return Array.from({ length: this.options.shards }, (_, shard) => {
      const count = this.shardCount(shard);
      const files = [shardFile(shard), ...(count > 0 ? this.graphs[shard]! : [])];
      return { files, count, figures: this.figures[shard] ?? {} };
    });
  }
}
