/**
 * One task of an array job: reads the input, keeps the rows of its shard, and builds the shard's files. Takes a plan;
 * leaves a part (part-folder.ts), which assemble.ts makes a version of, with the parts of the other shards.
 *
 * It may run again, and twice at once: a part that is there is not built again, and two tasks give the same bytes. Bad
 * rows are no failure of a task: the part says what they are, and `assemble` judges those of all parts together. Where
 * a shard's own bad rows are too many already, its graph is not built. Memory is that of the shard, whatever the
 * input.
 */
import { join } from 'node:path';
import { availableMemoryBytes } from '../../base/machine.js';
import { EventLoopYielder } from '../../base/event-loop-yielder.js';
import { engineOf } from '../../engine/engines.js';
import { readPart, type PartReport } from '../../ingest/read-part.js';
import { closing, hashRange } from '../../version/disk/durable.js';
import { nodeFiles, type FileSystem } from '../../version/disk/files.js';
import { shardFile } from '../../version/disk/paths.js';
import { MANIFEST_FORMAT, type FileEntry } from '../../version/sealed/manifest.js';
import { rowFilesOf, vectorsFile } from '../../version/sealed/shard-files.js';
import { ShardWriter } from '../../version/sealed/shard-writer.js';
import { typeName } from '../../version/sealed/type-name.js';
import { DEFAULT_MAX_REJECTED, type BuildOptions } from '../build-options.js';
import { locateVectors, probeBuilt } from '../built-shard.js';
import { requireDisk, estimateDiskBytes, requireMappable, requireMemory, type BuildSize } from '../estimate.js';
import { peakMemoryBytes } from '../forecast/past-builds.js';
import { buildGraphs } from '../graphs.js';
import { StageClock } from '../stage-clock.js';
import type { BuildPlan } from './build-plan.js';
import { PartFolder, REJECTED_FILE, REJECTS_FILE, type Part } from './part-folder.js';

interface PartOptions extends Pick<BuildOptions, 'root' | 'threads' | 'memoryLimitBytes' | 'onProgress' | 'signal' | 'files'> {
  readonly shard: number;
} // prettier-ignore

interface PartResult {
  readonly part: Part;
  /** True if the part was there already. */
  readonly reused: boolean;
}

/** @throws input_corrupt, insufficient_memory, disk_full, io_error, interrupted */
export async function buildPart(plan: BuildPlan, options: PartOptions): Promise<PartResult> {
  const files = options.files ?? nodeFiles;
  const folder = new PartFolder(options.root, plan.options.index, plan.id, files);
  const there = await folder.read(options.shard);
  if (there !== null) return { part: there, reused: true };
  const work = await folder.begin(options.shard);
  try {
    const part = await new PartBuild(plan, options, work, files).run();
    return { part: await folder.finish(work, part), reused: false };
  } catch (error) {
    await folder.abandon(work);
    throw error;
  }
}

class PartBuild {
  private readonly clock = new StageClock();

  constructor(
    private readonly plan: BuildPlan,
    private readonly options: PartOptions,
    private readonly work: string,
    private readonly files: FileSystem,
  ) {}

  async run(): Promise<Part> {
    const { shard } = this.options;
    const { dim } = this.plan.ingest;
    if (dim !== null) await this.requireResources(dim);
    const { report, count } = await this.clock.measure('ingest', () => this.ingest());
    const isRefused = report.badRows.total > this.allowedBadRows;
    const figures = count > 0 && !isRefused ? await this.buildGraph(report.dim!, count) : {};
    const names = rowFilesOf({ format: MANIFEST_FORMAT, attributes: this.attributes }, shard);
    if (count > 0) names.push(this.graphFile);
    return {
      shard,
      count,
      dim: count > 0 ? report.dim : null,
      figures,
      files: isRefused ? [] : await this.clock.measure('hash', () => this.entriesOf(names)),
      norm: report.norm,
      bad_rows: report.badRows,
      sources: [...report.hashes],
      stages: this.clock.seconds,
      peak_memory_bytes: peakMemoryBytes(),
    };
  }

  private get attributes() {
    return this.plan.ingest.attributes.map(({ name, type, label, nullable }) => ({ name, type: typeName(type), label, nullable })); // prettier-ignore
  }

  private get graphFile(): string {
    return shardFile(this.options.shard, engineOf(this.plan.options.engine).fileSuffix);
  }

  /** With more of them the whole input is refused, whatever other shards have. */
  private get allowedBadRows(): number {
    const { onBadRow, maxRejected = DEFAULT_MAX_REJECTED } = this.plan.options;
    return onBadRow === 'fail' ? 0 : maxRejected * this.plan.ingest.rows;
  }

  private sizeOf(dim: number, rows: number): BuildSize {
    const { engine, parameters } = this.plan.options;
    return { idType: this.plan.ingest.idType, dim, shardRows: [rows], engine, m: parameters.m, threads: 1 };
  }

  private async requireResources(dim: number): Promise<void> {
    const { ingest, options } = this.plan;
    const size = this.sizeOf(dim, Math.ceil(ingest.rows / options.shards));
    this.requireMemory(size);
    const sourceBytes = ingest.files.reduce((sum, file) => sum + file.bytes, 0) / options.shards;
    requireDisk(estimateDiskBytes(size, sourceBytes), await this.files.freeBytes(this.work), this.work);
  }

  private requireMemory(size: BuildSize): void {
    requireMappable(size);
    requireMemory(size, this.options.memoryLimitBytes ?? availableMemoryBytes());
  }

  private async ingest(): Promise<{ report: PartReport; count: number }> {
    const { plan, work, files } = this;
    const { shard, signal } = this.options;
    const { metric, shards } = plan.options;
    const writer = await ShardWriter.create({
      directory: work,
      shard,
      shards,
      attributes: plan.ingest.attributes,
      files,
    });
    const rejects = await files.open(join(work, REJECTS_FILE), 'create');
    const report = await closing(rejects, async () => {
      const onRejects = (lines: string): Promise<void> => rejects.write(Buffer.from(lines));
      const { onProgress } = this.progress('ingest', 'rows');
      const { partitions } = plan;
      const reading = readPart(plan.ingest, { metric, shard, shards, partitions, onRejects, onProgress, signal });
      for await (const { numbers, vectors, attributes } of reading.batches) {
        await writer.append(numbers, vectors, attributes, null);
      }
      await rejects.sync();
      return reading.report();
    });
    await writer.close();
    await writer.writeIds(report.ids);
    await this.writeRejected(report.rejected);
    return { report, count: writer.count };
  }

  private async writeRejected(numbers: Uint32Array): Promise<void> {
    const file = await this.files.open(join(this.work, REJECTED_FILE), 'create');
    await closing(file, async () => {
      await file.write(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength));
      await file.sync();
    });
  }

  /** @returns what the engine measured */
  private async buildGraph(dim: number, count: number): Promise<Part['figures']> {
    const { work, files } = this;
    const { shard, threads, signal } = this.options;
    const { engine, metric, parameters, index } = this.plan.options;
    this.requireMemory(this.sizeOf(dim, count));
    const vectorsPath = join(work, vectorsFile(shard));
    const graphPath = join(work, this.graphFile);
    const vectors = await locateVectors(vectorsPath, files);
    let figures: Part['figures'] = {};
    const { onProgress } = this.progress('graph', 'rows');
    await this.clock.measure('graph', () =>
      buildGraphs([{ shard, engine, metric, dim, count, vectors, parameters, threads, graphPath }], {
        threads,
        signal,
        onProgress: (done) => onProgress(done, count),
        onBuilt: (_, found) => Promise.resolve(void (figures = found)),
      }),
    );
    const name = `shard ${shard} of the new version of ${index}`;
    const settings = { name: engine, parameters };
    await this.clock.measure('probe', () =>
      probeBuilt({ vectorsPath, graphPath, engine: settings, metric, dim, name }, files, new EventLoopYielder(signal)),
    );
    return figures;
  }

  /** Makes the files durable. */
  private async entriesOf(names: readonly string[]): Promise<FileEntry[]> {
    const entries: FileEntry[] = [];
    for (const name of names) {
      this.options.signal?.throwIfAborted();
      const file = await this.files.open(join(this.work, name), 'read');
      entries.push(await closing(file, async () => {
        await file.sync();
        return { name, ...(await hashRange(file, 0, Infinity, { signal: this.options.signal })) };
      })); // prettier-ignore
    }
    return entries;
  }

  private progress(stage: string, unit: string) {
    return { onProgress: (done: number, total: number) => this.options.onProgress?.(stage, done, total, unit) };
  }
}
