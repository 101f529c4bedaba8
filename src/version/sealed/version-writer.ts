/**
 * The second half of writing a version: graphs and the seal. Takes what rows-writer.ts has written, or what a build
 * that was killed has left; leaves a sealed version under its final name. All work happens in
 * `<root>/<index>/.staging/<uuid>/`, which no reader looks at; one rename at the end makes it a version. The caller
 * holds the build lock.
 *
 * Order of calls: an engine at `graphPath` and `finishGraph` for each shard, `seal`. Or `abort`, at any time. After
 * `keepFor`, a build that is killed can be resumed: `resume` gives a writer that has the rows, and the graphs that were
 * finished.
 */
import { basename, join } from 'node:path';
import type { ArrowField } from '../../arrow/column.js';
import { discardBuild, writeCheckpoint, type Checkpoint, type GraphCheckpoint } from './checkpoint.js';
import { attempt, closing, hashRange } from '../disk/durable.js';
import { nodeFiles, type FileSystem } from '../disk/files.js';
import type { Lock } from '../locks/lock.js';
import { MANIFEST_FORMAT, type AttributeEntry, type FileEntry, type Manifest, type ManifestDraft, type ShardEntry } from './manifest.js'; // prettier-ignore
import { shardFile, stagingPath } from '../disk/paths.js';
import { headerDigests, restoreStaging } from './restore-staging.js';
import { sealVersion, type SealProgress } from './seal.js';
import { attributesFile, rowFilesOf, vectorsFile } from './shard-files.js';
import { typeName } from './type-name.js';

export interface VersionWriterOptions {
  readonly root: string;
  readonly index: string;
  readonly shards: number;
  /** Columns of each batch of rows, in this order. */
  readonly attributes: readonly ArrowField[];
  /** The build lock of the index. */
  readonly lock: Lock;
  readonly files?: FileSystem | undefined;
  readonly now?: (() => Date) | undefined;
}

/** The rows of a version in a staging directory, complete. */
export interface WrittenRows {
  readonly directory: string;
  readonly dim: number;
  /** Rows of each shard. */
  readonly counts: readonly number[];
  /** SHA-256 of each shard's attributes; null without attributes. */
  readonly attributes: readonly string[] | null;
  /** SHA-256 of other files by name, where they are known. */
  readonly digests?: ReadonlyMap<string, string> | undefined;
}

export class VersionWriter {
  private readonly graphs: string[][];
  private readonly figures: (Readonly<Record<string, number>> | null)[];
  private readonly files: FileSystem;
  private checkpoint: Checkpoint | null = null;
  private saving: Promise<void> = Promise.resolve();

  /** Use RowsWriter, or `resume`. */
  constructor(
    private readonly options: VersionWriterOptions,
    private readonly rows: WrittenRows,
  ) {
    this.files = options.files ?? nodeFiles;
    this.graphs = rows.counts.map(() => []);
    this.figures = rows.counts.map(() => null);
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
    const { root, index, files = nodeFiles } = options;
    const directory = join(stagingPath(root, index), checkpoint.directory);
    const restored = await restoreStaging(directory, checkpoint, files, signal);
    if (restored === null) {
      await discardBuild(root, index, files);
      return null;
    }
    const writer = new VersionWriter(options, { ...restored, directory });
    writer.restore(restored);
    return writer;
  }

  /** The staging directory. */
  get directory(): string {
    return this.rows.directory;
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
  get dim(): number {
    return this.rows.dim;
  }

  /** Rows of all shards. */
  get count(): number {
    return this.rows.counts.reduce((sum, count) => sum + count, 0);
  }

  /** The file of a shard's vectors. */
  vectorsPath(shard: number): string {
    return join(this.directory, vectorsFile(shard));
  }

  shardCount(shard: number): number {
    return this.rows.counts[shard]!;
  }

  /** Whether the shard has its graph, or needs none. */
  isBuilt(shard: number): boolean {
    return this.shardCount(shard) === 0 || this.figures[shard] !== null;
  }

  /** Where the engine writes a file of one shard, one file for each suffix. A shard without rows needs none. */
  graphPath(shard: number, suffix: string): string {
    const name = shardFile(shard, suffix);
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
   * From here on a build that is killed can be resumed.
   * @param key digest of everything that decides the bytes of the version
   * @param notes what the build itself wants to know again
   */
  async keepFor(key: string, draft: ManifestDraft, notes: Checkpoint['notes']): Promise<void> {
    const { dim, counts, attributes } = this.rows;
    const graphs: (GraphCheckpoint | null)[] = counts.map(() => null);
    const directory = basename(this.directory);
    const headers = await headerDigests(this.directory, counts.length, this.files);
    this.checkpoint = { key, at: '', directory, version: null, dim, counts, headers, attributes, graphs, draft, notes };
    await this.save(() => ({}));
  }

  /**
   * Makes every file durable, reads all of it back and gives the version its name.
   * @throws file_missing, file_corrupt, index_busy, disk_full, io_error; none of them affects what is published
   */
  async seal(draft: ManifestDraft, progress: SealProgress = {}): Promise<Manifest> {
    const { root, index, lock, now } = this.options;
    const manifest = await sealVersion(
      {
        root,
        index,
        lock,
        directory: this.directory,
        files: this.files,
        now: now ?? (() => new Date()),
        written: this.knownDigests(),
        dim: this.dim,
        count: this.count,
        shards: this.shardEntries(),
        attributes: this.attributeEntries(),
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
    await attempt(this.saving);
    await discardBuild(root, index, this.files);
  }

  private restore(checkpoint: Checkpoint): void {
    this.checkpoint = checkpoint;
    for (const [shard, graph] of checkpoint.graphs.entries()) {
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

  private knownDigests(): ReadonlyMap<string, string> {
    const { attributes, digests = [] } = this.rows;
    return new Map([
      ...digests,
      ...(attributes ?? []).map((sha256, shard) => [attributesFile(shard), sha256] as const),
    ]);
  }

  private attributeEntries(): AttributeEntry[] {
    return this.options.attributes.map(({ name, type, label, nullable }) => {
      return { name, type: typeName(type), label, nullable };
    });
  }

  private shardEntries(): ShardEntry[] {
    return this.rows.counts.map((count, shard) => {
      const rows = rowFilesOf({ format: MANIFEST_FORMAT, attributes: this.attributeEntries() }, shard);
      const files = [...rows, ...(count > 0 ? this.graphs[shard]! : [])];
      return { files, count, figures: this.figures[shard] ?? {} };
    });
  }
}
