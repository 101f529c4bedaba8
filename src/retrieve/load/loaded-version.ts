/**
 * One version in memory, open for search: ids, attributes, vectors and shards. A file that is damaged ends in a coded
 * error that names it, before native code reads it.
 */
import { join } from 'node:path';
import { ShortlistError } from '../../base/errors.js';
import type { IdTable } from '../../base/id-table.js';
import type { ShardVectors } from '../../engine/engine.js';
import { engineOf } from '../../engine/engines.js';
import type { Manifest } from '../../version/sealed/manifest.js';
import { readAttributes, type AttributeStore } from '../../version/sealed/attribute-store.js';
import { fileCorrupt } from '../../version/disk/section-file.js';
import { RowPlaces, type RowPlace } from '../../version/sealed/row-places.js';
import { shardFilesOf } from '../../version/sealed/shard-files.js';
import {
  graphPaths,
  openVersionFiles,
  readIds,
  readShard,
  type VersionFiles,
} from '../../version/sealed/version-reader.js';
import { findCalibration, type CalibrationState } from './calibration.js';
import { FilterIndex } from '../filter/filter-index.js';
import { localOrdinals } from './local-ordinals.js';
import { engineSettings, openShard, type LoadedShard } from './shards.js';

export interface LoadedVersion {
  /** Of the whole version, also where only some shards are loaded. */
  readonly manifest: Manifest;
  /** Rows that are loaded. Their ordinals are 0 to `count`. */
  readonly count: number;
  /** Number of each loaded shard in the version. */
  readonly shardNumbers: readonly number[];
  /** The ordinal that each row has in the whole version; null if all shards are loaded. */
  readonly inputOrdinals: Uint32Array | null;
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
  /** Numbers of the shards to load; default: all. Only their files are looked at. */
  readonly shards?: readonly number[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** @throws also no_shards for shards that the version does not have */
export async function loadVersion(
  root: string,
  index: string,
  version: string,
  options: LoadOptions = {},
): Promise<LoadedVersion> {
  const { hash = false, signal } = options;
  const files = await openVersionFiles(root, index, version, { hash, signal, shards: options.shards });
  const { manifest } = files;
  const shardNumbers = options.shards ?? [...manifest.shards.keys()];
  const rows = await readRows(files, shardNumbers, signal);
  const places = RowPlaces.of(rows.ordinals, rows.onRepeated);
  const ids = await readIds(files, undefined, { shards: shardNumbers, ordinals: rows.ordinals });
  const map = engineOf(engineSettings(manifest).name).mapping?.bytes;
  const attributes = await readAttributes(files, { map, shards: shardNumbers, places });
  const shards: LoadedShard[] = [];
  try {
    for (const [position, shard] of shardNumbers.entries()) {
      signal?.throwIfAborted();
      shards.push(await loadShard(files, shard, rows.vectors[position]!, rows.ordinals[position]!));
    }
  } catch (error) {
    for (const shard of shards) shard.graph.close();
    throw error;
  }
  const paths = shardNumbers.map((shard) => graphPath(files, shard));
  const find = () => findCalibration(root, index, version);
  const { inputOrdinals } = rows;
  return assemble(
    { manifest, shardNumbers, inputOrdinals, places, ids, attributes, shards, graphPaths: paths },
    await find(),
    find,
  );
}

interface Rows {
  readonly vectors: readonly ShardVectorData[];
  readonly ordinals: readonly Uint32Array[];
  readonly inputOrdinals: Uint32Array | null;
  readonly onRepeated: (ordinal: number, position: number) => never;
}

type ShardVectorData = Pick<ShardVectors, 'count' | 'values' | 'file'>;

/** The vectors and ordinals of some shards. */
async function readRows(
  files: VersionFiles,
  shards: readonly number[],
  signal: AbortSignal | undefined,
): Promise<Rows> {
  const { manifest, directory } = files;
  const { mapping } = engineOf(engineSettings(manifest).name);
  const vectors: ShardVectorData[] = [];
  const ordinals: Uint32Array[] = [];
  for (const shard of shards) {
    signal?.throwIfAborted();
    const rows = await readShard(files, shard, undefined, mapping?.vectors);
    const path = join(directory, shardFilesOf(manifest, shard).vectors);
    vectors.push({
      count: rows.count,
      values: rows.vectors,
      file: mapping === null ? undefined : { path, offset: rows.vectorsOffset },
    });
    ordinals.push(rows.ordinals);
  }
  const onRepeated = (ordinal: number, position: number): never => {
    const path = join(directory, shardFilesOf(manifest, shards[position]!).ordinals);
    throw fileCorrupt(path, `has the ordinal ${ordinal}, which another shard also has`);
  };
  if (shards.length === manifest.shards.length) return { vectors, ordinals, inputOrdinals: null, onRepeated };
  const local = localOrdinals(ordinals, manifest.count, onRepeated);
  return { vectors, ordinals: local.ordinals, inputOrdinals: local.global, onRepeated };
}

async function loadShard(
  files: VersionFiles,
  shard: number,
  data: ShardVectorData,
  ordinals: Uint32Array,
): Promise<LoadedShard> {
  const { metric, dim } = files.manifest;
  return openShard(graphPath(files, shard), engineSettings(files.manifest), {
    vectors: { metric, dim, ...data },
    ordinals,
  });
}

function graphPath(files: VersionFiles, shard: number): string | null {
  return graphPaths(files, shard)[0] ?? null;
}

type Parts = Pick<
  LoadedVersion,
  'manifest' | 'shardNumbers' | 'inputOrdinals' | 'ids' | 'attributes' | 'shards' | 'graphPaths'
> & { readonly places: RowPlaces };

function assemble(parts: Parts, found: CalibrationState, find: () => Promise<CalibrationState>): LoadedVersion {
  const { places, ids, attributes, shards, manifest } = parts;
  const filters = new FilterIndex({
    count: places.count,
    attributes,
    ids,
    shards,
    // Format 1 has attributes by ordinal.
    places: manifest.format === 1 || places.isIdentity ? undefined : places,
  });
  const loadedBytes = residentBytes(parts);
  let calibration = found;
  return {
    ...parts,
    count: places.count,
    filters,
    get residentBytes() {
      return loadedBytes + filters.residentBytes;
    },
    calibration: () => calibration,
    refreshCalibration: async () => {
      calibration = await find();
    },
    ordinalOf: (id) => ids.find(id),
    locate: (ordinal) => places.locate(ordinal),
    vectorOf: (ordinal) => {
      const { shard, row } = places.locate(ordinal);
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

function residentBytes({ ids, attributes, shards, places }: Parts): number {
  const shardBytes = shards.map(
    ({ graph, ordinals }) => graph.residentBytes + graph.vectors.values.byteLength + ordinals.byteLength,
  );
  const shared = ids.residentBytes + (attributes?.residentBytes ?? 0) + places.residentBytes;
  return shardBytes.reduce((sum, bytes) => sum + bytes, shared);
}
