/** What a build will cost, from its options and inputs before a row is read, and from the builds before it. */
import type { IngestPlan } from '../../ingest/plan.js';
import type { FileSystem } from '../../version/disk/files.js';
import type { BuildShape } from './model.js';
import { forecastBuild } from './forecast.js';
import { readPastBuilds, type Planned } from './past-builds.js';

type ShapeOptions = Pick<BuildShape, 'engine' | 'm' | 'efConstruction' | 'shards' | 'threads' | 'calibrate'>;

/** Text of a UUID; ids are rarely longer. */
export const DEFAULT_ID_BYTES = 36;

/**
 * Sizes of ids and attributes are those of the version before, else what the files have beside vectors.
 * @param dim of the plan, which is known where this is asked
 */
export function plannedShape(
  options: ShapeOptions,
  plan: IngestPlan,
  dim: number,
  before: Pick<BuildShape, 'idBytes' | 'attributeBytes'> | null,
): BuildShape {
  const { rows, idType } = plan;
  const idBytes = idType.kind === 'int' ? 8 : (before?.idBytes ?? DEFAULT_ID_BYTES);
  const fileBytes = plan.files.reduce((sum, { bytes }) => sum + bytes, 0);
  const beside = Math.max(0, fileBytes / Math.max(1, rows) - 4 * dim - idBytes);
  const attributeBytes = plan.attributes.length === 0 ? 0 : (before?.attributeBytes ?? beside);
  return { ...options, rows, dim, idType, idBytes, attributeBytes };
}

/** For the manifest, and to be told when the build has ended. */
export async function foresee(
  root: string,
  index: string,
  options: ShapeOptions,
  plan: IngestPlan,
  dim: number,
  files: FileSystem,
): Promise<Planned> {
  const past = await readPastBuilds(root, files);
  const before = past.findLast((build) => build.index === index)?.shape ?? null;
  const { seconds, memoryBytes, diskBytes } = forecastBuild(plannedShape(options, plan, dim, before), past);
  return {
    seconds: Math.round(1000 * seconds.value) / 1000,
    memory_bytes: Math.round(memoryBytes.value),
    disk_bytes: Math.round(diskBytes.value),
  };
}
