/** The forecast of a build for one machine: whether it fits, and with how many shards. */
import { constants } from 'node:buffer';
import { estimateIdTableBytes } from '../../base/id-table.js';
import { MAX_SHARD_ROWS, MAX_SHARDS } from '../../base/limits.js';
import { engineOf } from '../../engine/engines.js';
import { estimateBuildBytes } from '../estimate.js';
import { forecastBuild, type Forecast } from './forecast.js';
import type { BuildShape } from './model.js';
import type { PastBuild } from './past-builds.js';

export interface MachinePlan {
  /** With the number of shards that was chosen. */
  readonly shape: BuildShape;
  readonly forecast: Forecast;
  /** Memory below which a build refuses to start. */
  readonly requiredBytes: number;
  /** Memory of a server for one version, mapped files included. */
  readonly serveBytes: number;
  /** Memory that the build may use. */
  readonly memoryBytes: number;
  readonly fits: boolean;
}

/** @param shards null: the fewest with which the build fits; if it never does, the given shape's */
export function forecastMachine(
  shape: BuildShape,
  shards: number | null,
  past: readonly PastBuild[],
  memoryBytes: number,
): MachinePlan {
  const chosen = { ...shape, shards: shards ?? fewestShards(shape, memoryBytes) ?? shape.shards };
  const { rows, attributeBytes, idType, idBytes } = chosen;
  const forecast = forecastBuild(chosen, past);
  return {
    shape: chosen,
    forecast,
    requiredBytes: requiredBytes(chosen),
    serveBytes: forecast.diskBytes.value + estimateIdTableBytes(idType, rows, idBytes) + rows * attributeBytes * 0.1,
    memoryBytes,
    fits: fits(chosen, memoryBytes),
  };
}

function fewestShards(shape: BuildShape, memoryBytes: number): number | null {
  for (let shards = 1; shards <= MAX_SHARDS; shards++) if (fits({ ...shape, shards }, memoryBytes)) return shards;
  return null;
}

/** Shards differ in size by some per cent. */
const UNEVEN = 1.1;

/** Usable share of the memory, as for a build. */
const SAFE_SHARE = 0.95;

function fits(shape: BuildShape, memoryBytes: number): boolean {
  const largest = (UNEVEN * shape.rows) / shape.shards;
  const isMappable = engineOf(shape.engine).mapping === null || largest * shape.dim * 4 <= constants.MAX_LENGTH;
  return isMappable && largest <= MAX_SHARD_ROWS && requiredBytes(shape) <= memoryBytes * SAFE_SHARE;
}

function requiredBytes({ rows, shards, ...shape }: BuildShape): number {
  const shardRows = Array.from({ length: shards }, () => Math.ceil(rows / shards));
  return estimateBuildBytes({ ...shape, shardRows });
}
