/**
 * Builds a sealed version from files of vectors.
 *
 *   plan       open every input, check schemas, estimate memory and disk
 *   ingest     one pass over the rows: validate, and write vectors, ids and attributes into staging
 *   graph      one graph per shard, on threads
 *   probe      open what was written, search known rows
 *   seal       sync, read and hash every file again, write the manifest, rename staging to the version
 *   calibrate  optional: which ef reaches which recall, into a note of the version
 *
 * All of it runs under the index's build lock. Nothing is visible before the rename. A build that is killed leaves
 * staging: the next one of the same input and options continues after the last complete stage or graph
 * (unfinished.ts), any other removes it. Fails with the input's errors (65), `insufficient_memory`, `disk_full`,
 * `index_busy`.
 */
import { availableMemoryBytes } from '../base/machine.js';
import { ShortlistError } from '../base/errors.js';
import { EventLoopYielder } from '../base/event-loop-yielder.js';
import { engineOf } from '../engine/engines.js';
import { planIngest, type IngestPlan } from '../ingest/plan.js';
import { readRows, type IngestReport } from '../ingest/read-rows.js';
import type { Calibration } from '../retrieve/load/calibration.js';
import { readCurrent } from '../version/state/catalog.js';
import { attempt } from '../version/disk/durable.js';
import { nodeFiles, type FileSystem } from '../version/disk/files.js';
import { withLock, type Lock } from '../version/locks/lock.js';
import { discardBuild } from '../version/sealed/checkpoint.js';
import { versionBytes, type Manifest } from '../version/sealed/manifest.js';
import { findManifest } from '../version/sealed/manifest-file.js';
import { indexPath } from '../version/disk/paths.js';
import { cleanStaging } from '../version/sealed/version-folders.js';
import { RowsWriter } from '../version/sealed/rows-writer.js';
import type { VersionWriter, VersionWriterOptions } from '../version/sealed/version-writer.js';
import { calibrateBuilt } from '../evaluate/calibrate/calibrate-built.js';
import { DEFAULT_MAX_REJECTED, type BuildOptions, type BuildResult } from './build-options.js';
import { locateVectors, probeBuilt } from './built-shard.js';
import { estimateDiskBytes, requireDisk, requireMappable, requireMemory, type BuildSize } from './estimate.js';
import { foresee } from './forecast/foresee.js';
import { processorName } from './forecast/forecast.js';
import { keepCost, peakMemoryBytes, type Planned } from './forecast/past-builds.js';
import { buildGraphs, type GraphJob } from './graphs.js';
import { buildKey, manifestDraft } from './manifest-draft.js';
import { RejectsFile } from './rejects-file.js';
import { roundMs, secondsSince, StageClock } from './stage-clock.js';
import { findUnfinished, giveUp, type BuildNotes, type Unfinished, type WrittenRows } from './unfinished.js';

export function buildIndex(options: BuildOptions): Promise<BuildResult> {
  const { root, index, signal } = options;
  const files = options.files ?? nodeFiles;
  const work = (lock: Lock): Promise<BuildResult> => new Build(options, files, lock).run();
  return withLock(root, index, 'build', `shortlist build ${index}`, work, { ...options.lock, files, signal });
}

/** What the input became. */
interface IngestedRows {
  readonly writer: VersionWriter;
  readonly report: IngestReport;
}

class Build {
  private readonly startedMs = performance.now();
  private readonly clock = new StageClock();
  private resumed = false;
  private planned: Planned | null = null;

  constructor(
    private readonly options: BuildOptions,
    private readonly files: FileSystem,
    private readonly lock: Lock,
  ) {}

  async run(): Promise<BuildResult> {
    const { root, index } = this.options;
    const { manifest, rejectsPath } = await this.writeVersion();
    const calibration = await this.calibrate(manifest);
    await this.keepCost(manifest, calibration === null ? null : this.clock.seconds['calibrate']!);
    // The next build removes it too.
    if (this.options.publishes !== true) await attempt(discardBuild(root, index, this.files));
    const { resumed, planned } = this;
    const stages = { ...manifest.stages, ...this.clock.seconds };
    const seconds = secondsSince(this.startedMs);
    const bytes = versionBytes(manifest);
    const peakBytes = peakMemoryBytes();
    return { manifest, bytes, seconds, stages, resumed, planned, peakBytes, calibration, rejectsPath };
  }

  private async calibrate(manifest: Manifest): Promise<Calibration | null> {
    const { root, memoryLimitBytes = availableMemoryBytes(), calibrate } = this.options;
    if (calibrate !== true) return null;
    const options = { ...this.options, memoryLimitBytes, files: this.files };
    return this.clock.measure('calibrate', () => calibrateBuilt(root, manifest, options));
  }

  private async writeVersion(): Promise<Pick<BuildResult, 'manifest' | 'rejectsPath'>> {
    const { root, index, rejectsPath } = this.options;
    const rejects = new RejectsFile(root, index, rejectsPath, this.files);
    await rejects.check();
    const plan = await this.timed('plan', () => this.plan());
    const key = buildKey(this.options, plan);
    const unfinished = await this.findUnfinished(key, plan, rejects);
    this.resumed = unfinished !== null;
    if (unfinished?.sealed === true) return unfinished;
    if (unfinished === null) this.planned = await this.foresee(plan);
    const { writer, draft } = unfinished ?? (await this.writeRows(key, plan, rejects));
    Object.assign(this.clock.seconds, draft.stages);
    try {
      await this.timed('graph', () => this.buildGraphs(plan, writer));
      await this.timed('probe', () => this.probe(writer));
      const manifest = await writer.seal({ ...draft, stages: this.clock.seconds }, this.progress('seal', 'bytes'));
      return { manifest, rejectsPath: await rejects.keep(manifest.version) };
    } catch (error) {
      throw await giveUp(error, writer, rejects, this.options.signal);
    }
  }

  private async findUnfinished(key: string, plan: IngestPlan, rejects: RejectsFile): Promise<Unfinished | null> {
    const { resume = true, signal, onNote = () => undefined } = this.options;
    if (!resume) return null;
    return findUnfinished(this.writerOptions(plan), { key, files: this.files, rejects, signal, onNote });
  }

  /** Null if there are no vectors, or past builds cannot be read: a build does not depend on it. */
  private async foresee(plan: IngestPlan): Promise<Planned | null> {
    const { root, index, engine, parameters, shards, threads, calibrate = false } = this.options;
    if (plan.dim === null) return null;
    const options = { engine, ...parameters, shards, threads, calibrate };
    try {
      return await foresee(root, index, options, plan, plan.dim, this.files);
    } catch (error) {
      if (error instanceof ShortlistError) return null;
      throw error;
    }
  }

  /** A continued build did not do all of its work, so it says nothing about others. */
  private async keepCost(manifest: Manifest, calibrateSeconds: number | null): Promise<void> {
    if (this.resumed) return;
    const { root, threads } = this.options;
    const cost = { cpu: processorName(), threads, calibrate_seconds: calibrateSeconds, planned: this.planned };
    await keepCost(root, manifest, cost, this.files);
  }

  /** After this a build that is killed can be continued. */
  private async writeRows(key: string, plan: IngestPlan, rejects: RejectsFile): Promise<WrittenRows> {
    const rows = await this.startVersion(plan);
    try {
      const { writer, report } = await this.timed('ingest', () => this.ingest(plan, rows, rejects));
      const draft = manifestDraft(this.options, plan, report, { ...this.clock.seconds });
      await writer.keepFor(key, draft, { rejects: await rejects.finish() } satisfies BuildNotes);
      return { writer, draft };
    } catch (error) {
      await attempt(rows.abort());
      await rejects.abort();
      throw error;
    }
  }

  /** Cleans staging before free disk space is measured, and checks the resources. */
  private async startVersion(plan: IngestPlan): Promise<RowsWriter> {
    const { root, index } = this.options;
    await cleanStaging(root, index, this.files);
    if (plan.dim !== null) await this.requireResources(plan, plan.dim);
    return RowsWriter.create(this.writerOptions(plan));
  }

  private writerOptions({ attributes }: IngestPlan): VersionWriterOptions {
    const { root, index, shards, now } = this.options;
    return { root, index, shards, attributes, lock: this.lock, files: this.files, now };
  }

  private async plan(): Promise<IngestPlan> {
    const { inputs, ids, idColumn, vectorColumn, attributes, dim, castDecimals, onBadRow, signal, onWarning } =
      this.options;
    const liveDim = await this.readLiveDim();
    const plan = await planIngest({
      paths: inputs,
      attributes,
      onBadRow,
      ...(dim !== undefined && { dim }),
      ...(castDecimals !== undefined && { castDecimals }),
      ...(liveDim !== null && { liveDim }),
      ...(ids !== undefined && { ids }),
      ...(idColumn !== undefined && { idColumn }),
      ...(vectorColumn !== undefined && { vectorColumn }),
      ...(signal !== undefined && { signal }),
    });
    for (const warning of plan.warnings) onWarning?.(warning);
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

  private async ingest(plan: IngestPlan, rows: RowsWriter, rejects: RejectsFile): Promise<IngestedRows> {
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
    await writeBehind(reading.batches, (batch) => rows.append(batch));
    const report = reading.report();
    return { writer: await rows.finish(report.ids), report };
  }

  private async buildGraphs(plan: IngestPlan, writer: VersionWriter): Promise<void> {
    const { engine, parameters, metric, threads, signal } = this.options;
    const { dim, count: rows } = writer;
    const open = this.shardPositions.filter((shard) => !writer.isBuilt(shard));
    const counts = this.shardPositions.map((shard) => (open.includes(shard) ? writer.shardCount(shard) : 0));
    this.requireMemory(this.sizeOf(plan, dim, counts));
    const graphs = open.length;
    const perGraph = Math.max(1, Math.floor(threads / Math.max(1, graphs)));
    const jobs: GraphJob[] = [];
    for (const [shard, count] of counts.entries()) {
      if (count === 0) continue; // it has its graph, or no rows and needs none
      const vectors = await locateVectors(writer.vectorsPath(shard), this.files);
      const graphPath = writer.graphPath(shard, engineOf(engine).fileSuffix);
      jobs.push({ shard, engine, metric, dim, count, vectors, parameters, threads: perGraph, graphPath });
    }
    const { onProgress } = this.progress('graph', 'rows');
    const before = rows - counts.reduce((sum, count) => sum + count, 0);
    const startedMs = performance.now();
    const spent = this.clock.seconds['graph'] ?? 0;
    await buildGraphs(jobs, {
      threads,
      signal,
      onProgress: (done) => onProgress(before + done, rows),
      onBuilt: ({ shard }, figures) => {
        const graph = roundMs(spent + secondsSince(startedMs));
        return writer.finishGraph(shard, figures, { ...this.clock.seconds, graph });
      },
    });
  }

  /** Opens what was written as a server would and searches known rows, one shard at a time. */
  private async probe(writer: VersionWriter): Promise<void> {
    const { engine: name, parameters, metric, index } = this.options;
    const { dim } = writer;
    const { onProgress } = this.progress('probe', 'shards');
    const turns = new EventLoopYielder(this.options.signal);
    for (const shard of this.shardPositions) {
      this.options.signal?.throwIfAborted();
      await probeBuilt(
        {
          vectorsPath: writer.vectorsPath(shard),
          graphPath: writer.shardCount(shard) === 0 ? null : writer.graphPath(shard, engineOf(name).fileSuffix),
          engine: { name, parameters },
          metric,
          dim,
          name: `shard ${shard} of the new version of ${index}`,
        },
        this.files,
        turns,
      );
      onProgress(shard + 1, this.options.shards);
    }
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
    return this.clock.measure(stage, work);
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
