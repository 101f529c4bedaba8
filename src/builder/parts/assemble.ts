/**
 * Makes a version of the parts that the tasks of an array job have left. It has the bytes of a build on one machine.
 *
 * The bad rows of all parts are judged together, as a build judges them. If there are some, the ordinals of later rows
 * are lower than their numbers, and the files of ids are written anew; all other files are linked, not copied. Then the
 * version is sealed: every file is read and compared with what its task wrote. Parts stay until `forgetParts`, so that
 * an assembly that was killed is run again; one that was killed after the seal finds its version (assembled.ts).
 */
import { availableMemoryBytes } from '../../base/machine.js';
import { ShortlistError } from '../../base/errors.js';
import { engineOf } from '../../engine/engines.js';
import type { BadRows } from '../../ingest/bad-rows.js';
import { noRows, refusal } from '../../ingest/read-rows.js';
import { sourcesOf } from '../../ingest/row-pass.js';
import { calibrateBuilt } from '../../evaluate/calibrate/calibrate-built.js';
import { nodeFiles, type FileSystem } from '../../version/disk/files.js';
import { withLock, type Lock } from '../../version/locks/lock.js';
import { discardBuild } from '../../version/sealed/checkpoint.js';
import { versionBytes, type Manifest } from '../../version/sealed/manifest.js';
import { VersionWriter } from '../../version/sealed/version-writer.js';
import { DEFAULT_MAX_REJECTED, type BuildOptions, type BuildResult } from '../build-options.js';
import { peakMemoryBytes } from '../forecast/past-builds.js';
import { manifestDraft } from '../manifest-draft.js';
import { RejectsFile } from '../rejects-file.js';
import { secondsSince, StageClock } from '../stage-clock.js';
import { findAssembled, noteAssembly } from './assembled.js';
import type { BuildPlan } from './build-plan.js';
import { joinBadRows, mergeRejects } from './join-rejects.js';
import { PartFolder, type Part } from './part-folder.js';
import { stageParts } from './stage-parts.js';

type AssembleOptions = Pick<
  BuildOptions,
  'root' | 'threads' | 'calibrate' | 'rejectsPath' | 'memoryLimitBytes' | 'onProgress' | 'signal' | 'files' | 'now' | 'lock'
>; // prettier-ignore

/** @throws bad_rows, no_rows, parts_missing, file_corrupt, index_busy, disk_full */
export function assembleParts(plan: BuildPlan, options: AssembleOptions): Promise<BuildResult> {
  const { index } = plan.options;
  const files = options.files ?? nodeFiles;
  const work = (lock: Lock): Promise<BuildResult> => new Assembly(plan, options, files, lock).run();
  return withLock(options.root, index, 'build', `shortlist assemble ${index}`, work, { ...options.lock, files, signal: options.signal }); // prettier-ignore
}

/** Deletes the parts of a plan, once its version needs nothing more. */
export function forgetParts(root: string, plan: BuildPlan): Promise<void> {
  return new PartFolder(root, plan.options.index, plan.id, nodeFiles).remove();
}

class Assembly {
  private readonly startedMs = performance.now();
  private readonly clock = new StageClock();
  private readonly folder: PartFolder;

  constructor(
    private readonly plan: BuildPlan,
    private readonly options: AssembleOptions,
    private readonly files: FileSystem,
    private readonly lock: Lock,
  ) {
    this.folder = new PartFolder(options.root, plan.options.index, plan.id, files);
  }

  async run(): Promise<BuildResult> {
    const { root } = this.options;
    const { index } = this.plan.options;
    const { parts, missing } = await this.readParts();
    const done = await findAssembled(root, index, this.plan.id, missing.length === 0 ? parts : null, this.files);
    if (done === null && missing.length > 0) throw partsMissing(index, missing);
    const rejects = new RejectsFile(root, index, this.options.rejectsPath, this.files);
    const manifest = done ?? (await this.assemble(parts, rejects));
    const calibration = await this.calibrate(manifest);
    return {
      manifest,
      bytes: versionBytes(manifest),
      seconds: secondsSince(this.startedMs),
      stages: { ...manifest.stages, ...this.clock.seconds },
      resumed: done !== null,
      planned: null,
      peakBytes: peakMemoryBytes(),
      calibration,
      rejectsPath: manifest.rejects.total > 0 ? await rejects.find(manifest.version) : null,
    };
  }

  private async assemble(parts: readonly Part[], rejects: RejectsFile): Promise<Manifest> {
    const badRows = joinBadRows(parts.map(({ bad_rows: bad }) => bad), this.plan.ingest); // prettier-ignore
    this.judge(parts, badRows);
    await rejects.check();
    const manifest = await this.writeVersion(parts, badRows, rejects);
    await noteAssembly(this.options.root, manifest, this.plan.id, parts, this.files);
    return manifest;
  }

  private async readParts(): Promise<{ parts: Part[]; missing: number[] }> {
    const parts: Part[] = [];
    const missing: number[] = [];
    for (let shard = 0; shard < this.plan.options.shards; shard++) {
      const part = await this.folder.read(shard);
      if (part === null) missing.push(shard);
      else parts.push(part);
    }
    return { parts, missing };
  }

  /** @throws bad_rows or no_rows */
  private judge(parts: readonly Part[], badRows: BadRows): void {
    const { ingest, options } = this.plan;
    const { onBadRow, maxRejected = DEFAULT_MAX_REJECTED } = options;
    const allowed = onBadRow === 'fail' ? 0 : maxRejected * ingest.rows;
    if (badRows.total > allowed) throw refusal(ingest, { onBadRow, maxRejected }, badRows, ingest.rows);
    if (parts.every(({ count }) => count === 0)) throw noRows(ingest, badRows, ingest.rows);
  }

  private async writeVersion(parts: readonly Part[], badRows: BadRows, rejects: RejectsFile): Promise<Manifest> {
    const { root, signal, now } = this.options;
    const { ingest, options } = this.plan;
    await discardBuild(root, options.index, this.files);
    try {
      const staged = await this.clock.measure('stage', () => stageParts(this.place, parts, signal));
      if (badRows.total > 0) await mergeRejects(parts.map(({ shard }) => this.folder.pathOf(shard)), rejects, this.files); // prettier-ignore
      await rejects.finish();
      const { index, shards } = options;
      const common = { root, index, shards, attributes: ingest.attributes, lock: this.lock, files: this.files, now };
      const writer = new VersionWriter(common, staged);
      for (const { shard, count, figures } of parts) {
        if (count > 0) writer.graphPath(shard, engineOf(options.engine).fileSuffix);
        await writer.finishGraph(shard, figures);
      }
      const manifest = await writer.seal(this.draft(parts, badRows), this.progress('seal', 'bytes'));
      await rejects.keep(manifest.version);
      return manifest;
    } catch (error) {
      await discardBuild(root, options.index, this.files);
      await rejects.abort();
      throw error;
    }
  }

  private get place() {
    const { root } = this.options;
    const { options } = this.plan;
    return { root, index: options.index, plan: this.plan, folder: this.folder, files: this.files };
  }

  private draft(parts: readonly Part[], badRows: BadRows) {
    const { ingest, options } = this.plan;
    const hashes = new Map(parts.flatMap(({ sources }) => sources));
    const files = sourcesOf(ingest).map(({ path, bytes, rows }, position) => ({ path, bytes, rows, sha256: hashes.get(position)! })); // prettier-ignore
    const measured = parts.reduce((sum, { norm }) => sum + norm.count, 0);
    const norms = parts.reduce((sum, { norm }) => sum + norm.mean * norm.count, 0);
    const meanNorm = measured === 0 ? 0 : norms / measured;
    return manifestDraft(options, ingest, { files, badRows, meanNorm }, { ...longest(parts), ...this.clock.seconds });
  }

  private async calibrate(manifest: Manifest): Promise<BuildResult['calibration']> {
    const { root, threads, calibrate, memoryLimitBytes = availableMemoryBytes(), signal, onProgress } = this.options;
    if (calibrate !== true) return null;
    const options = { ...this.plan.options, threads, memoryLimitBytes, signal, onProgress, files: this.files };
    return this.clock.measure('calibrate', () => calibrateBuilt(root, manifest, options));
  }

  private progress(stage: string, unit: string) {
    const { onProgress, signal } = this.options;
    return { onProgress: (done: number, total: number) => onProgress?.(stage, done, total, unit), signal };
  }
}

function partsMissing(index: string, missing: readonly number[]): ShortlistError {
  const named = missing.length === 1 ? `shard ${missing[0]!} is` : `shards ${missing.join(', ')} are`;
  const message = `${named} not built yet: run build-shard with the same plan for each, then assemble again`;
  return new ShortlistError('parts_missing', message, { index, shards: missing });
}

/** Seconds of each stage in the task that needed the most: what the array job takes with a machine for each shard. */
function longest(parts: readonly Part[]): Record<string, number> {
  const stages: Record<string, number> = {};
  for (const part of parts) {
    for (const [stage, seconds] of Object.entries(part.stages)) stages[stage] = Math.max(stages[stage] ?? 0, seconds);
  }
  return stages;
}
