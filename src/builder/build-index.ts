/**
 * Builds a sealed version from Arrow files.
 *
 *   plan       open every input, check schemas, estimate memory and disk
 *   ingest     one pass over the rows: validate, and write vectors, ids and attributes into staging
 *   graph      one graph per shard, on threads
 *   probe      open what was written, search known rows
 *   seal       sync, read and hash every file again, write the manifest, rename staging to the version
 *   calibrate  optional: which ef reaches which recall, into a note of the version
 *
 * All of it runs under the index's build lock. Nothing is visible before the rename. A build that crashes leaves
 * staging, which the next build removes. Fails with the input's errors (65), `insufficient_memory`, `disk_full`,
 * `index_busy`.
 */
import { availableMemoryBytes } from '../base/machine.js';
import { ShortlistError } from '../base/errors.js';
import type { Metric } from '../base/metric.js';
import { EventLoopYielder } from '../base/event-loop-yielder.js';
import { engineOf } from '../engine/engines.js';
import type { EngineName, GraphParameters } from '../engine/engine.js';
import { countBadRows } from '../ingest/bad-rows.js';
import { planIngest, type IngestPlan } from '../ingest/plan.js';
import { readRows, type IngestReport } from '../ingest/read-rows.js';
import type { Calibration } from '../retrieve/load/calibration.js';
import { probeShard } from '../retrieve/load/probe.js';
import { openShard } from '../retrieve/load/shards.js';
import { readCurrent } from '../version/state/catalog.js';
import { attempt } from '../version/disk/durable.js';
import { nodeFiles, type FileSystem } from '../version/disk/files.js';
import { withLock, type Lock, type LockOptions } from '../version/locks/lock.js';
import { versionBytes, type Manifest, type ManifestDraft } from '../version/sealed/manifest.js';
import { findManifest } from '../version/sealed/manifest-file.js';
import { indexPath } from '../version/disk/paths.js';
import { cleanStaging } from '../version/sealed/version-folders.js';
import { SectionFile } from '../version/disk/section-file.js';
import { typeName } from '../version/sealed/type-name.js';
import { readShardFile } from '../version/sealed/version-reader.js';
import { VersionWriter } from '../version/sealed/version-writer.js';
import { calibrateBuilt } from '../evaluate/calibrate/calibrate-built.js';
import { estimateDiskBytes, requireDisk, requireMappable, requireMemory, type BuildSize } from './estimate.js';
import { buildGraphs, type GraphJob } from './graphs.js';
import { RejectsFile } from './rejects-file.js';
import { TOOL_VERSION } from '../base/tool-version.js';

type OnBuildProgress = (stage: string, done: number, total: number, unit: string) => void;

/** One bad row in a hundred is normal for a feed; more point to a fault that a build must not hide. */
export const DEFAULT_MAX_REJECTED = 0.01;

export interface BuildOptions {
  readonly root: string;
  readonly index: string;
  /** Files, folders and globs, read in this order. */
  readonly inputs: readonly string[];
  readonly idColumn?: string | undefined;
  readonly vectorColumn?: string | undefined;
  readonly attributes: 'all' | 'none' | readonly string[];
  readonly metric: Metric;
  readonly shards: number;
  readonly engine: EngineName;
  readonly parameters: GraphParameters;
  readonly threads: number;
  /** Calibrate the version; default false. */
  readonly calibrate?: boolean | undefined;
  /** Components that every vector must have; default: the most frequent length. */
  readonly dim?: number | undefined;
  /** Keep decimal attributes as float64; default false. */
  readonly castDecimals?: boolean | undefined;
  readonly onBadRow: 'fail' | 'skip';
  /** Largest share of rows that `skip` may leave out; default DEFAULT_MAX_REJECTED. */
  readonly maxRejected?: number | undefined;
  /** File for the rows left out; default: in the version's notes. */
  readonly rejectsPath?: string | undefined;
  /** Default: the free memory. */
  readonly memoryLimitBytes?: number | undefined;
  readonly onProgress?: OnBuildProgress | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** For tests. */
  readonly files?: FileSystem | undefined;
  readonly now?: (() => Date) | undefined;
  readonly lock?: Omit<LockOptions, 'files' | 'signal'> | undefined;
}

export interface BuildResult {
  readonly manifest: Manifest;
  readonly bytes: number;
  /** From the start of the build to its end, calibration included. */
  readonly seconds: number;
  /** Seconds of each stage, including stages after sealing. */
  readonly stages: Readonly<Record<string, number>>;
  /** Null if it was not requested or could not be measured. */
  readonly calibration: Calibration | null;
  /** Null if no row was left out. */
  readonly rejectsPath: string | null;
}

export function buildIndex(options: BuildOptions): Promise<BuildResult> {
  const { root, index, signal } = options;
  const files = options.files ?? nodeFiles;
  const work = (lock: Lock): Promise<BuildResult> => new Build(options, files, lock).run();
  return withLock(root, index, 'build', `shortlist build ${index}`, work, { ...options.lock, files, signal });
}

class Build {
  private readonly startedMs = performance.now();
  private readonly stages: Record<string, number> = {};

  constructor(
    private readonly options: BuildOptions,
    private readonly files: FileSystem,
    private readonly lock: Lock,
  ) {}

  async run(): Promise<BuildResult> {
    const { manifest, rejectsPath } = await this.writeVersion();
    const calibration = await this.calibrate(manifest);
    const stages = { ...manifest.stages, ...this.stages };
    const seconds = secondsSince(this.startedMs);
    return { manifest, bytes: versionBytes(manifest), seconds, stages, calibration, rejectsPath };
  }

  private async calibrate(manifest: Manifest): Promise<Calibration | null> {
    const { root, memoryLimitBytes = availableMemoryBytes(), calibrate } = this.options;
    if (calibrate !== true) return null;
    const options = { ...this.options, memoryLimitBytes, files: this.files };
    return this.measured('calibrate', () => calibrateBuilt(root, manifest, options));
  }

  private async writeVersion(): Promise<Pick<BuildResult, 'manifest' | 'rejectsPath'>> {
    const { root, index, shards, now, rejectsPath } = this.options;
    const rejects = new RejectsFile(root, index, rejectsPath, this.files);
    await rejects.check();
    await cleanStaging(root, index, this.files); // before free disk space is measured
    const plan = await this.timed('plan', () => this.plan());
    const { attributes } = plan;
    const { lock, files } = this;
    const writer = await VersionWriter.create({ root, index, shards, attributes, lock, files, now });
    try {
      const report = await this.timed('ingest', () => this.ingest(plan, writer, rejects));
      await this.timed('graph', () => this.buildGraphs(plan, report, writer));
      await this.timed('probe', () => this.probe(report, writer));
      const manifest = await writer.seal(this.draft(plan, report), this.progress('seal', 'bytes'));
      return { manifest, rejectsPath: await rejects.keep(manifest.version) };
    } catch (error) {
      await attempt(writer.abort());
      await rejects.abort();
      throw error;
    }
  }

  private async plan(): Promise<IngestPlan> {
    const { inputs, idColumn, vectorColumn, attributes, dim, castDecimals, onBadRow, signal, onWarning } = this.options;
    const liveDim = await this.readLiveDim();
    const plan = await planIngest({
      paths: inputs,
      attributes,
      onBadRow,
      ...(dim !== undefined && { dim }),
      ...(castDecimals !== undefined && { castDecimals }),
      ...(liveDim !== null && { liveDim }),
      ...(idColumn !== undefined && { idColumn }),
      ...(vectorColumn !== undefined && { vectorColumn }),
      ...(signal !== undefined && { signal }),
    });
    for (const warning of plan.warnings) onWarning?.(warning);
    if (plan.dim !== null) await this.requireResources(plan, plan.dim);
    return plan;
  }

  /** Dimension of the published version; null if it cannot be read: a new version does not depend on it. */
  private async readLiveDim(): Promise<number | null> {
    const { root, index } = this.options;
    try {
      const current = await readCurrent(root, index, this.files);
      return current === null ? null : ((await findManifest(root, index, current.version, this.files))?.dim ?? null);
    } catch (error) {
      if (error instanceof ShortlistError) return null;
      throw error;
    }
  }

  /** Checks memory and disk before the first row is read, based on the sizes of the inputs. */
  private async requireResources(plan: IngestPlan, dim: number): Promise<void> {
    const { shards, root, index } = this.options;
    const shardRows = this.shardPositions.map(() => Math.ceil(plan.rows / shards));
    const size = this.sizeOf(plan, dim, shardRows);
    this.requireMemory(size);
    const sourceBytes = plan.files.reduce((sum, file) => sum + file.bytes, 0);
    requireDisk(estimateDiskBytes(size, sourceBytes), await this.files.freeBytes(indexPath(root, index)), root);
  }

  private requireMemory(size: BuildSize): void {
    requireMappable(size);
    requireMemory(size, this.options.memoryLimitBytes ?? availableMemoryBytes());
  }

  private sizeOf({ idType }: IngestPlan, dim: number, shardRows: readonly number[]): BuildSize {
    const { engine, parameters, threads } = this.options;
    return { idType, dim, shardRows, engine, m: parameters.m, threads };
  }

  private async ingest(plan: IngestPlan, writer: VersionWriter, rejects: RejectsFile): Promise<IngestReport> {
    const { metric, onBadRow, maxRejected = DEFAULT_MAX_REJECTED, signal } = this.options;
    const { onProgress } = this.progress('ingest', 'rows');
    const onRejects = (lines: string): Promise<void> => rejects.write(lines);
    const reading = readRows(plan, {
      metric,
      onBadRow,
      maxRejected,
      onRejects,
      onProgress,
      ...(signal !== undefined && { signal }),
    });
    await writeBehind(reading.batches, (batch) => writer.append(batch));
    const report = reading.report();
    await writer.finishRows();
    await writer.writeIds(report.ids);
    return report;
  }

  private async buildGraphs(plan: IngestPlan, report: IngestReport, writer: VersionWriter): Promise<void> {
    const { engine, parameters, metric, threads, signal } = this.options;
    const { dim, rows } = report;
    const counts = this.shardPositions.map((shard) => writer.shardCount(shard));
    this.requireMemory(this.sizeOf(plan, dim, counts));
    const graphs = counts.filter((count) => count > 0).length;
    const perGraph = Math.max(1, Math.floor(threads / Math.max(1, graphs)));
    const jobs: GraphJob[] = [];
    for (const [shard, count] of counts.entries()) {
      if (count === 0) continue; // shards of a small index may be empty; they have no graph
      const vectors = await locateVectors(writer.shardPath(shard), this.files);
      const graphPath = writer.graphPath(shard, engineOf(engine).fileSuffix);
      jobs.push({ shard, engine, metric, dim, count, vectors, parameters, threads: perGraph, graphPath });
    }
    const { onProgress } = this.progress('graph', 'rows');
    const figures = await buildGraphs(jobs, { threads, signal, onProgress: (done) => onProgress(done, rows) });
    jobs.forEach(({ shard }, position) => writer.setFigures(shard, figures[position]!));
  }

  /** Opens what was written as a server would and searches known rows, one shard at a time. */
  private async probe({ dim }: IngestReport, writer: VersionWriter): Promise<void> {
    const { engine: name, parameters, metric, index } = this.options;
    const { onProgress } = this.progress('probe', 'shards');
    const turns = new EventLoopYielder(this.options.signal);
    for (const shard of this.shardPositions) {
      this.options.signal?.throwIfAborted();
      const { fileSuffix, mapping } = engineOf(name);
      const path = writer.shardPath(shard);
      const { count, ordinals, vectors: values } = await readShardFile(path, dim, this.files, mapping?.vectors);
      const graphPath = count === 0 ? null : writer.graphPath(shard, fileSuffix);
      const vectors = { metric, dim, count, values };
      const opened = await openShard(graphPath, { name, parameters }, { vectors, ordinals });
      try {
        await probeShard(opened, `shard ${shard} of the new version of ${index}`, turns);
      } finally {
        opened.graph.close();
      }
      onProgress(shard + 1, this.options.shards);
    }
  }

  private draft(plan: IngestPlan, report: IngestReport): ManifestDraft {
    const { metric, engine, parameters, shards, attributes, dim, castDecimals } = this.options;
    const { onBadRow, maxRejected = DEFAULT_MAX_REJECTED } = this.options;
    const { idField, idType, vectorField } = plan;
    return {
      tool_version: TOOL_VERSION,
      metric,
      id: { column: idField.name, type: typeName(idType), label: idField.label },
      vector: { column: vectorField.name, type: typeName(vectorField.type), label: vectorField.label },
      engine: { name: engine, parameters: { m: parameters.m, ef_construction: parameters.efConstruction } },
      seed: parameters.seed,
      options: {
        shards,
        attributes,
        on_bad_row: onBadRow,
        ...(onBadRow === 'skip' && { max_rejected: maxRejected }),
        ...(dim !== undefined && { dim }),
        ...(castDecimals === true && { cast_decimals: true }),
      },
      sources: report.files,
      rejects: {
        total: report.badRows.total,
        kinds: Object.fromEntries(report.badRows.kinds.map(({ kind, count }) => [kind, count])),
      },
      duplicates: countBadRows(report.badRows, 'duplicate_id'),
      input_norm: report.meanNorm,
      stages: this.stages,
    };
  }

  private get shardPositions(): number[] {
    return Array.from({ length: this.options.shards }, (_, shard) => shard);
  }

  private progress(stage: string, unit: string) {
    const { onProgress, signal } = this.options;
    return { onProgress: (done: number, total: number) => onProgress?.(stage, done, total, unit), signal };
  }

  /** Runs and times a stage, unless the build was interrupted. */
  private timed<T>(stage: string, work: () => Promise<T>): Promise<T> {
    this.options.signal?.throwIfAborted();
    return this.measured(stage, work);
  }

  private async measured<T>(stage: string, work: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    const result = await work();
    this.stages[stage] = secondsSince(startedMs);
    return result;
  }
}

/** Writes each batch while the next one is read and checked. */
async function writeBehind<T>(batches: AsyncIterable<T>, write: (batch: T) => Promise<void>): Promise<void> {
  let writing = Promise.resolve();
  try {
    for await (const batch of batches) {
      await writing;
      writing = write(batch);
      writing.catch(() => undefined); // awaited before the next batch, or at the end
    }
  } catch (error) {
    await attempt(writing);
    throw error;
  }
  await writing;
}

function secondsSince(startedMs: number): number {
  return Math.round(performance.now() - startedMs) / 1000;
}

function locateVectors(path: string, files: FileSystem): Promise<GraphJob['vectors']> {
  return SectionFile.use(path, 'shard', files, (file) => Promise.resolve({ path, offset: file.offset('vectors') }));
}
