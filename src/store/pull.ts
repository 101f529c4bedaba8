/**
 * Pulls a version from an object store into a root. It appears by one rename when every file has arrived and has the
 * digest of the manifest; until then its files are in `.pulls`, where the next pull continues. Files that another local
 * version has, with the same digest, are copied from there.
 */
import { constants } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ioError, ShortlistError } from '../base/errors.js';
import { attempt, closing, ensureDirectory, hashRange, listIfPresent, removeTree, replaceFile, statIfPresent } from '../version/disk/durable.js'; // prettier-ignore
import { nodeFiles, type FileSystem } from '../version/disk/files.js';
import { checkName, indexPath, MANIFEST_FILE, pullsPath, versionPath } from '../version/disk/paths.js';
import { unsealJson } from '../version/disk/sealed-json.js';
import { withLock, type Lock } from '../version/locks/lock.js';
import type { FileEntry, Manifest } from '../version/sealed/manifest.js';
import { findManifest, MAX_MANIFEST_BYTES, readManifest } from '../version/sealed/manifest-file.js';
import { makeReadOnly } from '../version/sealed/seal.js';
import { listVersionNames } from '../version/sealed/version-folders.js';
import { shardsOf } from '../version/sealed/shard-files.js';
import { entriesOf, openVersionFiles } from '../version/sealed/version-reader.js';
import { MAX_NOTE_BYTES, notePath, notesDirectory, readNote, writeNote } from '../version/state/notes.js';
import { keyOf } from './documents.js';
import { fetchFiles, type FetchTuning } from './fetch-files.js';
import { readSmall, urlOf, type ObjectStore } from './objects/object-store.js';
import { storeFiles } from './store-files.js';
import { PULLED_NOTES, type Transferred } from './transfer.js';

/** The note of a version that came from a store and may be deleted to make room, since it can be pulled again. */
const PULLED_NOTE = 'pulled';

interface PullOptions {
  /** Numbers of the shards whose files are pulled; default and empty: all. */
  readonly shards?: readonly number[] | undefined;
  readonly onProgress?: ((bytesDone: number, bytesTotal: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly files?: FileSystem | undefined;
  readonly tuning?: Partial<FetchTuning> | undefined;
  /** Called before anything is fetched, with the size of what is to come. */
  readonly makeRoom?: ((bytes: number) => Promise<void>) | undefined;
}

interface Pull {
  readonly store: ObjectStore;
  readonly root: string;
  readonly manifest: Manifest;
  /** The files to pull. */
  readonly entries: readonly FileEntry[];
  readonly manifestBytes: Uint8Array;
  readonly files: FileSystem;
  readonly options: PullOptions;
}

/**
 * A version that is there already is left as it is.
 * @throws version_not_found, manifest_corrupt, file_missing, file_corrupt, store_unavailable, index_busy, disk_full
 */
export async function pullVersion(
  store: ObjectStore,
  root: string,
  index: string,
  version: string,
  options: PullOptions = {},
): Promise<Transferred> {
  checkName('index', index);
  const { files = nodeFiles, signal } = options;
  const manifest = await readManifest(store.url, index, version, storeFiles(store));
  const command = `shortlist pull ${index}@${version}`;
  const shards = shardsOf(manifest, options.shards ?? []);
  const entries = entriesOf(manifest, shards);
  const work = async (lock: Lock): Promise<Transferred> => {
    const bytes = sizeOf(entries);
    const result = { index, version, bytes, files: entries.length };
    if (await isThere(root, manifest, shards, files)) {
      // The notes of a version that was built here are at least as new as those in the store.
      if (await wasPulled(root, manifest, files)) await pullNotes(store, root, manifest, files);
      return { ...result, reused: bytes };
    }
    const manifestBytes = await readManifestBytes(store, manifest, signal);
    const reused = await fetchVersion({ store, root, manifest, entries, manifestBytes, files, options }, lock);
    return { ...result, reused };
  };
  return withLock(root, index, 'pull', command, work, { files, signal });
}

/** @throws file_missing, file_corrupt, file_unexpected if the version is damaged here */
async function isThere(
  root: string,
  { index, version, content }: Manifest,
  shards: readonly number[] | undefined,
  files: FileSystem,
): Promise<boolean> {
  const local = await findManifest(root, index, version, files);
  if (local === null) return false;
  if (local.content !== content) {
    const message = `${versionPath(root, index, version)} has other contents than the version of that name in the store; move it away and pull again`;
    throw new ShortlistError('file_corrupt', message, { file: versionPath(root, index, version) });
  }
  try {
    await openVersionFiles(root, index, version, { hash: false, files, shards });
  } catch (error) {
    if (!(error instanceof ShortlistError) || error.code !== 'file_missing') throw error;
    const message = `${error.message}; if ${root} was pulled for other shards, use a root of its own for each set of shards`;
    throw new ShortlistError(error.code, message, error.details, { cause: error });
  }
  return true;
}

function sizeOf(entries: readonly FileEntry[]): number {
  return entries.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Whether the version came from a store, which has it still. */
export async function wasPulled(
  root: string,
  { index, version }: Pick<Manifest, 'index' | 'version'>,
  files: FileSystem = nodeFiles,
): Promise<boolean> {
  return (await readNote(root, index, version, PULLED_NOTE, files).catch(() => null)) !== null;
}

async function readManifestBytes(
  store: ObjectStore,
  { index, version }: Manifest,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const key = `${keyOf(store, versionPath(store.url, index, version))}/${MANIFEST_FILE}`;
  const found = await readSmall(store, key, MAX_MANIFEST_BYTES, signal);
  if (found !== null) return found.bytes;
  throw new ShortlistError('file_missing', `${urlOf(store, key)} was removed meanwhile`, { file: urlOf(store, key) });
}

/** @returns the bytes that were here already */
async function fetchVersion(pull: Pull, lock: Lock): Promise<number> {
  const { store, root, manifest, entries, files, options } = pull;
  const { index, version } = manifest;
  const total = sizeOf(entries);
  await options.makeRoom?.(total);
  const directory = join(pullsPath(root, index), version);
  await ensureDirectory(directory, files);
  await requireSpace(directory, total, files);
  await copyLocalFiles(pull, directory);
  let done = 0;
  const onBytes = (bytes: number): void => options.onProgress?.((done += bytes), total);
  const folder = keyOf(store, versionPath(store.url, index, version));
  const { signal, tuning } = options;
  const received = await fetchFiles(store, folder, directory, entries, files, { onBytes, signal, tuning });
  await placeVersion(pull, directory, lock);
  return Math.max(0, total - received);
}

/** What is there of an earlier pull takes its place already. */
async function requireSpace(directory: string, bytes: number, files: FileSystem): Promise<void> {
  const sizes = await Promise.all(
    (await files.list(directory)).map(async ({ name }) => (await statIfPresent(join(directory, name), files))?.bytes ?? 0), // prettier-ignore
  );
  const wanted = bytes - sizes.reduce((sum, size) => sum + size, 0);
  const free = await files.freeBytes(directory);
  if (free >= wanted) return;
  const message = `${directory} has ${free} bytes of free space, and the version needs ${wanted}; free some and try again`;
  throw new ShortlistError('disk_full', message, { file: directory, bytes: wanted, free });
}

/** Files of other local versions with the same digest. A copy shares its blocks where the file system can. */
async function copyLocalFiles({ root, manifest, entries, files, options }: Pull, directory: string): Promise<void> {
  const { index } = manifest;
  const known = new Map<string, string>();
  for (const version of await listVersionNames(root, index, files)) {
    const other = await findManifest(root, index, version, files).catch(() => null);
    for (const { name, sha256 } of other?.files ?? []) {
      known.set(sha256, join(versionPath(root, index, version), name));
    }
  }
  for (const entry of entries) {
    const source = known.get(entry.sha256);
    if (source === undefined || (await statIfPresent(join(directory, entry.name), files)) !== null) continue;
    await copyChecked(source, directory, entry, files, options.signal);
  }
}

/** A copy that is not what it should be does not stay: the file is then fetched. */
async function copyChecked(
  source: string,
  directory: string,
  { name, bytes, sha256 }: FileEntry,
  files: FileSystem,
  signal: AbortSignal | undefined,
): Promise<void> {
  const copy = join(directory, `.copy-${name}`);
  await attempt(files.removeFile(copy));
  try {
    await copyFile(source, copy, constants.COPYFILE_FICLONE).catch((error: unknown) => {
      throw ioError('copy', source, error);
    });
    const file = await files.open(copy, 'read');
    const found = await closing(file, async () => {
      await file.sync();
      return hashRange(file, 0, bytes + 1, { signal });
    });
    if (found.sha256 === sha256) await files.rename(copy, join(directory, name));
  } finally {
    await attempt(files.removeFile(copy));
  }
}

/** The manifest is written last, and the rename makes the version. */
async function placeVersion(pull: Pull, directory: string, lock: Lock): Promise<void> {
  const { store, root, manifest, entries, manifestBytes, files } = pull;
  const { index, version } = manifest;
  const target = versionPath(root, index, version);
  const wanted = new Set([MANIFEST_FILE, ...entries.map(({ name }) => name)]);
  await replaceFile(join(directory, MANIFEST_FILE), manifestBytes, files);
  for (const { name } of await files.list(directory)) {
    if (wanted.has(name)) await makeReadOnly(join(directory, name), files);
    else await removeTree(join(directory, name), files);
  }
  await files.syncDirectory(directory);
  await pullNotes(store, root, manifest, files);
  await writeNote(root, index, version, PULLED_NOTE, { format: 1, from: store.url, at: new Date().toISOString() }, files); // prettier-ignore
  await lock.assertHeld();
  await files.rename(directory, target);
  await files.syncDirectory(indexPath(root, index));
  // What other pulls have left was not continued by this one.
  for (const { name } of await listIfPresent(pullsPath(root, index), files)) {
    await attempt(removeTree(join(pullsPath(root, index), name), files));
  }
  await attempt(files.removeDirectory(pullsPath(root, index)));
}

/** Notes change after the version: a gate verdict, a new calibration. A damaged one is not taken. */
async function pullNotes(
  store: ObjectStore,
  root: string,
  { index, version }: Pick<Manifest, 'index' | 'version'>,
  files: FileSystem,
): Promise<void> {
  for (const name of PULLED_NOTES) {
    const key = keyOf(store, notePath(store.url, index, version, name, 'json'));
    const found = await readSmall(store, key, MAX_NOTE_BYTES);
    if (found === null || unsealJson(found.bytes) === null) continue;
    await ensureDirectory(notesDirectory(root, index, version), files);
    await replaceFile(notePath(root, index, version, name, 'json'), found.bytes, files);
  }
}
