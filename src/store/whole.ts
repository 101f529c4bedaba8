/**
 * Whether the store has a version completely: its manifest, which is written last, and every file that it names, with
 * its size, and its digest where the store knows it. Listings are not asked.
 */
import { EXIT, ShortlistError } from '../base/errors.js';
import { TaskQueue } from '../base/task-queue.js';
import { joinPath, versionPath } from '../version/disk/paths.js';
import type { FileEntry, Manifest } from '../version/sealed/manifest.js';
import { readManifest } from '../version/sealed/manifest-file.js';
import { keyOf } from './documents.js';
import { type ObjectInfo, type ObjectStore } from './objects/object-store.js';
import { storeFiles } from './store-files.js';

/** Requests for the status of a file at once: 256 shards have more than 500 files. */
const PARALLEL = 16;

/** @throws version_not_found, manifest_corrupt, format_unsupported, file_missing, file_corrupt */
export async function requireWhole(
  store: ObjectStore,
  index: string,
  version: string,
  signal?: AbortSignal,
): Promise<Manifest> {
  const manifest = await readManifest(store.url, index, version, storeFiles(store));
  const found = await statusOf(store, index, version, manifest.files, signal);
  manifest.files.forEach((entry, position) => {
    const url = joinPath(versionPath(store.url, index, version), entry.name);
    const problem = problemOf(entry, found[position]!);
    if (problem === null) return;
    const code = found[position] === null ? 'file_missing' : 'file_corrupt';
    throw new ShortlistError(code, `${url} ${problem}; push the version again`, { file: url, index, version });
  });
  return manifest;
}

/** False also for a version that the store does not have at all. */
export async function isWhole(
  store: ObjectStore,
  index: string,
  version: string,
  signal?: AbortSignal,
): Promise<boolean> {
  try {
    await requireWhole(store, index, version, signal);
    return true;
  } catch (error) {
    if (error instanceof ShortlistError && error.exit === EXIT.badIndex) return false;
    throw error;
  }
}

/** In the order of the entries; null for those that the store does not have. */
export function statusOf(
  store: ObjectStore,
  index: string,
  version: string,
  entries: readonly FileEntry[],
  signal?: AbortSignal,
): Promise<(ObjectInfo | null)[]> {
  const queue = new TaskQueue(PARALLEL);
  const folder = keyOf(store, versionPath(store.url, index, version));
  return Promise.all(entries.map(({ name }) => queue.run(() => store.head(`${folder}/${name}`, signal), signal)));
}

export function problemOf(entry: FileEntry, info: ObjectInfo | null): string | null {
  if (info === null) return 'is missing';
  if (info.bytes !== entry.bytes) return `has ${info.bytes} bytes, not ${entry.bytes}`;
  return info.sha256 === null || info.sha256 === entry.sha256 ? null : 'has another checksum than in the manifest';
}
