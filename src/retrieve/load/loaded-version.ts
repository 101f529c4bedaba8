/**
 * One version in memory, open for search: ids, attributes, vectors and shards. A file that is damaged ends in a coded
 * error that names it, before native code reads it.
 */
import { join } from 'node:path';
import { ShortlistError } from '../../base/errors.js';
import type { IdTable } from '../../base/id-table.js';
import { shardOf } from '../../base/hash.js';
import { engineOf } from '../../engine/engines.js';
import type { Manifest } from '../../version/sealed/manifest.js';
import { readAttributes, type AttributeStore } from '../../version/sealed/attribute-store.js';
import { shardFile } from '../../version/disk/paths.js';
import { fileCorrupt } from '../../version/disk/section-file.js';
import {
  graphPaths,
  openVersionFiles,
  readIds,
  readShard,
  type VersionFiles,
} from '../../version/sealed/version-reader.js';
import { findCalibration, type CalibrationState } from './calibration.js';
import { FilterIndex } from '../filter/filter-index.js';
import { engineSettings, openShard, type LoadedShard, type RowPlace } from './shards.js';

export interface LoadedVersion {
  readonly manifest: Manifest;
  readonly ids: IdTable;
  /** Null where the index has no attributes. */
  readonly attributes: AttributeStore | null;
  readonly filters: FilterIndex;
  readonly shards: readonly LoadedShard[];
  /** Path of each shard's graph; null for a shard without rows. */
  readonly graphPaths: readonly (string | null)[];
  /** Memory of the version in bytes; grows with the filters that are used. */
  readonly residentBytes: number;
  calibration(): CalibrationState;
  /** Reads the calibration again; `evaluate --calibrate` may have replaced it. */
  refreshCalibration(): Promise<void>;
  /** Returns -1 for an unknown id. */
  ordinalOf(id: string): number;
  readonly locate: (ordinal: number) => RowPlace;
  /** A copy of the stored vector: unit length under cosine. */
  vectorOf(ordinal: number): Float32Array;
  close(): void;
}

interface LoadOptions {
  /** Compare every file with its digest first; otherwise only sizes and structure are checked. */
  readonly hash?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export async function loadVersion(
  root: string,
  index: string,
  version: string,
  options: LoadOptions = {},
): Promise<LoadedVersion> {
  const { hash = false, signal } = options;
  const files = await openVersionFiles(root, index, version, { hash, signal });
  const { manifest } = files;
  const ids = await readIds(files);
  const attributes = await readAttributes(files, engineOf(engineSettings(manifest).name).mapping?.bytes);
  const shards: LoadedShard[] = [];
  try {
    for (let position = 0; position < manifest.shards.length; position++) {
      signal?.throwIfAborted();
      shards.push(await loadShard(files, position));
    }
    requireDistinctOrdinals(files, shards);
  } catch (error) {
    for (const shard of shards) shard.graph.close();
    throw error;
  }
  const paths = manifest.shards.map((_, position) => graphPath(files, position));
  const find = () => findCalibration(root, index, version);
  return assemble({ manifest, ids, attributes, shards, graphPaths: paths }, await find(), find);
}

async function loadShard(files: VersionFiles, position: number): Promise<LoadedShard> {
  const { manifest } = files;
  const engine = engineSettings(manifest);
  const { mapping } = engineOf(engine.name);
  const rows = await readShard(files, position, undefined, mapping?.vectors);
  const { metric, dim } = manifest;
  const file =
    mapping === null ? undefined : { path: shardPath(files.directory, position), offset: rows.vectorsOffset };
  const vectors = { metric, dim, count: rows.count, values: rows.vectors, file };
  return openShard(graphPath(files, position), engine, { vectors, ordinals: rows.ordinals });
}

/** Checks that no two shards share an ordinal. Each shard's ordinals ascend and have the right number already. */
function requireDistinctOrdinals({ directory, manifest }: VersionFiles, shards: readonly LoadedShard[]): void {
  if (shards.length === 1) return;
  const seen = new Uint32Array(Math.ceil(manifest.count / 32));
  for (const [position, { ordinals }] of shards.entries()) {
    for (const ordinal of ordinals) {
      const bit = 1 << (ordinal & 31);
      if ((seen[ordinal >>> 5]! & bit) !== 0)
        throw fileCorrupt(shardPath(directory, position), `has the ordinal ${ordinal}, which another shard also has`);
      seen[ordinal >>> 5]! |= bit;
    }
  }
}

function shardPath(directory: string, position: number): string {
  return join(directory, shardFile(position));
}

function graphPath(files: VersionFiles, position: number): string | null {
  return graphPaths(files, position)[0] ?? null;
}

type Parts = Pick<LoadedVersion, 'manifest' | 'ids' | 'attributes' | 'shards' | 'graphPaths'>;

function assemble(parts: Parts, found: CalibrationState, find: () => Promise<CalibrationState>): LoadedVersion {
  const { ids, attributes, shards, manifest } = parts;
  const filters = new FilterIndex({ count: manifest.count, attributes, ids, shards });
  const loadedBytes = residentBytes(parts);
  let calibration = found;
  const locate = (ordinal: number) => {
    const shard = shards.length === 1 ? 0 : shardOf(ids.hash(ordinal), shards.length);
    const { ordinals } = shards[shard]!;
    const row = findRow(ordinals, ordinal);
    if (ordinals[row] !== ordinal)
      throw damagedRow(manifest, ordinal, `is not in shard ${shard}, where its id belongs`);
    return { shard, row };
  };
  return {
    ...parts,
    filters,
    get residentBytes() {
      return loadedBytes + filters.residentBytes;
    },
    calibration: () => calibration,
    refreshCalibration: async () => {
      calibration = await find();
    },
    ordinalOf: (id) => ids.find(id),
    locate,
    vectorOf: (ordinal) => {
      const { shard, row } = locate(ordinal);
      const vector = shards[shard]!.graph.vectors.values.slice(row * manifest.dim, (row + 1) * manifest.dim);
      if (!vector.every(Number.isFinite)) throw damagedRow(manifest, ordinal, 'has a vector that is not finite');
      return vector;
    },
    close: () => shards.forEach((shard) => shard.graph.close()),
  };
}

function damagedRow({ index, version }: Manifest, ordinal: number, problem: string): ShortlistError {
  const message = `the item at ordinal ${ordinal} of ${index}@${version} ${problem}; restore the version or build it again`;
  return new ShortlistError('file_corrupt', message, { index, version, ordinal });
}

/** Binary search: ordinals ascend. In a version with one shard, each ordinal is its own row. */
function findRow(ordinals: Uint32Array, ordinal: number): number {
  if (ordinals[ordinal] === ordinal) return ordinal;
  let low = 0;
  let high = ordinals.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ordinals[middle]! < ordinal) low = middle + 1;
    else high = middle;
  }
  return low;
}

function residentBytes({ ids, attributes, shards }: Parts): number {
  const shardBytes = shards.map(
    ({ graph, ordinals }) => graph.residentBytes + graph.vectors.values.byteLength + ordinals.byteLength,
  );
  return ids.residentBytes + (attributes?.residentBytes ?? 0) + shardBytes.reduce((sum, bytes) => sum + bytes, 0);
}
