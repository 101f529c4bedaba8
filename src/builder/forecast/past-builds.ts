/**
 * What past builds cost, from the manifests of a root's versions and the notes beside them. Versions of releases that
 * did not measure it are left out.
 */
import { estimateIdTableBytes } from '../../base/id-table.js';
import { ENGINE_NAMES } from '../../engine/engines.js';
import { attempt } from '../../version/disk/durable.js';
import type { Fields } from '../../version/disk/fields.js';
import { listIndexes, surveyVersions, writeNote } from '../../version/state/catalog.js';
import { readCheckedNote } from '../../version/state/notes.js';
import { ATTRIBUTES_FILE, IDS_FILE } from '../../version/disk/paths.js';
import { nodeFiles, type FileSystem } from '../../version/disk/files.js';
import { versionBytes, type Manifest, type Planned } from '../../version/sealed/manifest.js';
import { idTypeOf } from '../../version/sealed/type-name.js';
import { byStage, type BuildCost, type BuildShape } from './model.js';

/** Newest builds of each index that are looked at. */
const BUILDS_PER_INDEX = 16;

/** The note with what the stages after the seal cost. */
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

/** What stages after the seal cost, and the largest memory of the whole build. */
interface LateCost {
  readonly calibrate_seconds: number | null;
  readonly peak_memory_bytes: number;
}

export async function readPastBuilds(root: string, files: FileSystem = nodeFiles): Promise<PastBuild[]> {
  const builds: PastBuild[] = [];
  for (const index of await listIndexes(root, files)) {
    const { versions } = await surveyVersions(root, index, files);
    for (const { manifest } of versions.slice(-BUILDS_PER_INDEX)) {
      const late = await readLateCost(root, manifest, files);
      const build = pastBuild(manifest, late);
      if (build !== null) builds.push(build);
    }
  }
  return builds;
}

/** Keeps what stages after the seal cost. Without this note a build tells less, so a failure is no error. */
export async function keepLateCost(
  root: string,
  { index, version }: Manifest,
  calibrateSeconds: number | null,
  files: FileSystem,
): Promise<void> {
  const cost: LateCost = { calibrate_seconds: calibrateSeconds, peak_memory_bytes: peakMemoryBytes() };
  await attempt(writeNote(root, index, version, COST_NOTE, cost, files));
}

/** Largest resident memory that this process has had. */
export function peakMemoryBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

async function readLateCost(root: string, { index, version }: Manifest, files: FileSystem): Promise<LateCost | null> {
  const check = (fields: Fields): LateCost => {
    const seconds = fields.raw('calibrate_seconds') === null ? null : fields.number('calibrate_seconds');
    return { calibrate_seconds: seconds, peak_memory_bytes: fields.integer('peak_memory_bytes') };
  };
  return readCheckedNote(root, index, version, COST_NOTE, check, files).catch(() => null);
}

/** Null if the version was built by a release that did not measure, or has parameters that no engine here has. */
function pastBuild(manifest: Manifest, late: LateCost | null): PastBuild | null {
  const { index, version, machine, stages, count } = manifest;
  if (machine === undefined) return null;
  const shape = shapeOf(manifest, machine.threads, late?.calibrate_seconds != null);
  if (shape === null) return null;
  const calibrate = late?.calibrate_seconds ?? 0;
  const seconds = byStage((stage) => (stage === 'calibrate' ? calibrate : (stages[stage] ?? 0)));
  const memoryBytes = Math.max(machine.peak_memory_bytes, late?.peak_memory_bytes ?? 0);
  const cost = { memoryBytes, diskBytes: versionBytes(manifest), seconds };
  return count === 0 ? null : { index, version, cpu: machine.cpu, shape, cost, planned: machine.planned ?? null };
}

/** The shape of the build that a manifest describes; null for an engine or a parameter that is not known here. */
export function shapeOf(manifest: Manifest, threads: number, calibrate: boolean): BuildShape | null {
  const { count: rows, dim, engine, shards, files, id } = manifest;
  const name = ENGINE_NAMES.find((known) => known === engine.name);
  const { m, ef_construction: efConstruction } = engine.parameters;
  if (name === undefined || typeof m !== 'number' || typeof efConstruction !== 'number') return null;
  const sizeOf = (file: string): number => files.find((entry) => entry.name === file)?.bytes ?? 0;
  const idType = idTypeOf(id.type);
  const slots = estimateIdTableBytes(idType, rows, 0);
  const idBytes = idType.kind === 'int' ? 8 : Math.max(1, (sizeOf(IDS_FILE) - slots) / rows);
  const attributeBytes = sizeOf(ATTRIBUTES_FILE) / rows;
  return { rows, dim, engine: name, m, efConstruction, shards: shards.length, threads, calibrate, idType, idBytes, attributeBytes }; // prettier-ignore
}
