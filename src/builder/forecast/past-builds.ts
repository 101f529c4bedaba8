/**
 * What past builds took: from the manifests of a root's versions (sizes, seconds of stages), and from the note `cost`
 * beside each (machine, memory, calibration, what the build had foreseen). The note is not in the manifest, since equal
 * builds have equal manifests. Versions without it are left out.
 */
import { estimateIdTableBytes } from '../../base/id-table.js';
import { ENGINE_NAMES } from '../../engine/engines.js';
import { attempt } from '../../version/disk/durable.js';
import type { Fields } from '../../version/disk/fields.js';
import { listIndexes, listVersions, surveyVersions, writeNote } from '../../version/state/catalog.js';
import { readCheckedNote } from '../../version/state/notes.js';
import { nodeFiles, type FileSystem } from '../../version/disk/files.js';
import { versionBytes, type Manifest } from '../../version/sealed/manifest.js';
import { idTypeOf } from '../../version/sealed/type-name.js';
import { estimateResidentBytes } from '../../version/sealed/version-reader.js';
import { byStage, type BuildCost, type BuildShape } from './model.js';

/** Newest builds of each index that are looked at. */
const BUILDS_PER_INDEX = 16;

const COST_NOTE = 'cost';

export interface PastBuild {
  readonly index: string;
  readonly version: string;
  readonly cpu: string;
  readonly shape: BuildShape;
  readonly cost: BuildCost;
  /** What the build foresaw; null if it did not. */
  readonly planned: Planned | null;
}

/** What a build foresees. */
export interface Planned {
  readonly seconds: number;
  readonly memory_bytes: number;
  readonly disk_bytes: number;
}

/** The note. */
interface CostNote {
  /** Model of the processor, as the operating system names it. */
  readonly cpu: string;
  readonly threads: number;
  /** Largest resident memory of the process, mapped files included. */
  readonly peak_memory_bytes: number;
  /** Null without a calibration. */
  readonly calibrate_seconds: number | null;
  readonly planned: Planned | null;
}

export async function readPastBuilds(root: string, files: FileSystem = nodeFiles): Promise<PastBuild[]> {
  const builds: PastBuild[] = [];
  for (const index of await listIndexes(root, files)) {
    const { versions } = await surveyVersions(root, index, files);
    for (const { manifest } of versions.slice(-BUILDS_PER_INDEX)) {
      const note = await readCost(root, manifest, files);
      const build = note === null ? null : pastBuild(manifest, note);
      if (build !== null) builds.push(build);
    }
  }
  return builds;
}

/** Writes the note of a build. It only makes later forecasts better, so a failure is no error. */
export async function keepCost(
  root: string,
  { index, version }: Manifest,
  cost: Omit<CostNote, 'peak_memory_bytes'>,
  files: FileSystem,
): Promise<void> {
  const note: CostNote = { ...cost, peak_memory_bytes: peakMemoryBytes() };
  await attempt(writeNote(root, index, version, COST_NOTE, note, files));
}

/** Largest resident memory that this process has had. */
export function peakMemoryBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

/** Null if there is none, or it is damaged. */
function readCost(root: string, { index, version }: Manifest, files: FileSystem): Promise<CostNote | null> {
  return readCheckedNote(root, index, version, COST_NOTE, checkCost, files).catch(() => null);
}

function checkCost(fields: Fields): CostNote {
  return {
    cpu: fields.text('cpu'),
    threads: fields.integer('threads', 1),
    peak_memory_bytes: fields.integer('peak_memory_bytes', 1),
    calibrate_seconds: fields.raw('calibrate_seconds') === null ? null : fields.number('calibrate_seconds'),
    planned: fields.raw('planned') === null ? null : checkPlanned(fields.object('planned')),
  };
}

function checkPlanned(fields: Fields): Planned {
  return {
    seconds: fields.number('seconds'),
    memory_bytes: fields.integer('memory_bytes', 1),
    disk_bytes: fields.integer('disk_bytes', 1),
  };
}

/** Null for an engine or a parameter that is not known here. */
function pastBuild(manifest: Manifest, note: CostNote): PastBuild | null {
  const { index, version, stages } = manifest;
  const { cpu, threads, calibrate_seconds: calibrate, peak_memory_bytes: memoryBytes, planned } = note;
  const shape = shapeOf(manifest, threads, calibrate !== null);
  if (shape === null) return null;
  const seconds = byStage((stage) => (stage === 'calibrate' ? (calibrate ?? 0) : (stages[stage] ?? 0)));
  return { index, version, cpu, shape, cost: { memoryBytes, diskBytes: versionBytes(manifest), seconds }, planned };
}

/** The shape of the newest version of an index, whether or not its build left a note; null if there is no version. */
export async function newestShape(
  root: string,
  index: string,
  options: Pick<BuildShape, 'threads' | 'calibrate'>,
): Promise<BuildShape | null> {
  if (!(await listIndexes(root)).includes(index)) return null;
  const newest = (await listVersions(root, index)).at(-1);
  return newest === undefined ? null : shapeOf(newest.manifest, options.threads, options.calibrate);
}

/** The shape of the build that a manifest describes; null for an engine or a parameter that is not known here. */
export function shapeOf(manifest: Manifest, threads: number, calibrate: boolean): BuildShape | null {
  const { count: rows, dim, engine, shards, id } = manifest;
  const name = ENGINE_NAMES.find((known) => known === engine.name);
  const { m, ef_construction: efConstruction } = engine.parameters;
  if (name === undefined || typeof m !== 'number' || typeof efConstruction !== 'number') return null;
  const idType = idTypeOf(id.type);
  const { ids, attributes } = estimateResidentBytes(manifest);
  const beside = estimateIdTableBytes(idType, rows, 0) + (manifest.format === 1 ? 0 : 4 * rows);
  const idBytes = idType.kind === 'int' ? 8 : Math.max(1, (ids - beside) / rows);
  const attributeBytes = attributes / rows;
  return { rows, dim, engine: name, m, efConstruction, shards: shards.length, threads, calibrate, idType, idBytes, attributeBytes }; // prettier-ignore
}
