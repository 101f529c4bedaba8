/** The shards of a version as a search sees them. They need no id table, so threads can have their own set. */
import { ShortlistError } from '../../base/errors.js';
import { MAX_EF_CONSTRUCTION, MAX_M, MIN_M } from '../../base/limits.js';
import type { EngineName, GraphParameters, ShardIndex, ShardVectors } from '../../engine/engine.js';
import { openExact } from '../../engine/exact/exact.js';
import { engineOf, isEngineName } from '../../engine/engines.js';
import type { Manifest } from '../../version/sealed/manifest.js';

/** The part of a shard that threads share. */
interface ShardData {
  readonly vectors: ShardVectors;
  /** Ordinal of each row, ascending. */
  readonly ordinals: Uint32Array;
}

/** One shard, open for search. */
export interface LoadedShard {
  readonly graph: ShardIndex;
  readonly ordinals: Uint32Array;
}

/** The engine of a version, and the parameters it needs to read its files. */
export interface EngineSettings {
  readonly name: EngineName;
  readonly parameters: GraphParameters;
}

/**
 * Opens the graph of one shard over vectors that are in memory.
 * @param graphPath null for a shard without rows, which has no graph
 * @param without rows to search the graph without, see `GraphEngine.open`
 * @throws file_corrupt naming the file, addon_missing
 */
export async function openShard(
  graphPath: string | null,
  engine: EngineSettings,
  data: ShardData,
  without?: Uint32Array,
): Promise<LoadedShard> {
  const { vectors, ordinals } = data;
  if (graphPath === null) return { graph: openExact(vectors), ordinals };
  return { graph: await engineOf(engine.name).open(graphPath, vectors, engine.parameters, without), ordinals };
}

/** @throws format_unsupported for an engine that this release does not have, manifest_corrupt */
export function engineSettings({ index, version, engine, seed }: Manifest): EngineSettings {
  const { name } = engine;
  if (!isEngineName(name)) {
    const message = `${index}@${version} was built by the engine ${name}, which this release does not have; build it again`;
    throw new ShortlistError('format_unsupported', message, { engine: name });
  }
  const wholeNumber = (parameter: string, min: number, max: number): number => {
    const value = engine.parameters[parameter];
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    throw new ShortlistError(
      'manifest_corrupt',
      `the manifest of ${index}@${version} has ${value === undefined ? 'nothing' : JSON.stringify(value)} as the engine's ${parameter}, ` +
        `not a whole number from ${min} to ${max}; restore the manifest or build the version again`,
      { field: `engine.parameters.${parameter}` },
    );
  };
  const m = wholeNumber('m', MIN_M, MAX_M);
  return { name, parameters: { m, efConstruction: wholeNumber('ef_construction', 1, MAX_EF_CONSTRUCTION), seed } };
}
