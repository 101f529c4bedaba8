/**
 * Pushes a version to an object store: every file, the notes that servers read, and the manifest last, so that a push
 * that is killed leaves no version. A push that is repeated sends only what the store lacks.
 *
 * Each file is compared with its digest while it is sent: a damaged one does not appear in the store.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { ShortlistError } from '../base/errors.js';
import { closing, readSmallFile } from '../version/disk/durable.js';
import { nodeFiles, type FileSystem, type OpenFile } from '../version/disk/files.js';
import { joinPath, MANIFEST_FILE, versionPath } from '../version/disk/paths.js';
import { unsealJson } from '../version/disk/sealed-json.js';
import { fileCorrupt } from '../version/disk/section-file.js';
import { versionBytes, type FileEntry, type Manifest } from '../version/sealed/manifest.js';
import { MAX_MANIFEST_BYTES } from '../version/sealed/manifest-file.js';
import { openVersionFiles } from '../version/sealed/version-reader.js';
import { MAX_NOTE_BYTES, notePath } from '../version/state/notes.js';
import { keyOf } from './documents.js';
import { PULLED_NOTES, type Transferred } from './transfer.js';
import { readSmall, urlOf, type Content, type ObjectStore } from './objects/object-store.js';
import { problemOf, statusOf } from './whole.js';

interface PushOptions {
  /** Sends every file, also those that the store has. */
  readonly overwrite?: boolean | undefined;
  readonly onProgress?: ((bytesDone: number, bytesTotal: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly files?: FileSystem | undefined;
}

/** @throws index_not_found, version_not_found, file_missing, file_corrupt, manifest_corrupt, store_unavailable, ... */
export async function pushVersion(
  root: string,
  index: string,
  version: string,
  store: ObjectStore,
  options: PushOptions = {},
): Promise<Transferred> {
  const { overwrite = false, onProgress, signal, files = nodeFiles } = options;
  const { directory, manifest } = await openVersionFiles(root, index, version, { hash: false, files });
  const folder = keyOf(store, versionPath(store.url, index, version));
  await store.requireConditions(`${folder}/${MANIFEST_FILE}`, signal); // before anything large is sent
  const missing = overwrite ? manifest.files : await findMissing(store, manifest, signal);
  const bytes = versionBytes(manifest);
  let done = bytes - sum(missing);
  const reused = done;
  for (const entry of missing) {
    const onPart = (part: number): void => onProgress?.((done += part), bytes);
    const content = contentOf(join(directory, entry.name), entry, files, onPart, signal);
    await store.put(`${folder}/${entry.name}`, content, signal);
  }
  await pushNotes(root, manifest, store, files);
  signal?.throwIfAborted();
  await pushManifest(join(directory, MANIFEST_FILE), `${folder}/${MANIFEST_FILE}`, store, { overwrite, files, signal });
  return { index, version, bytes, reused, files: manifest.files.length };
}

function sum(entries: readonly FileEntry[]): number {
  return entries.reduce((total, { bytes }) => total + bytes, 0);
}

/** Files that the store lacks, or of which it does not say that they have the same bytes. */
async function findMissing(store: ObjectStore, manifest: Manifest, signal?: AbortSignal): Promise<FileEntry[]> {
  const { index, version, files } = manifest;
  const status = await statusOf(store, index, version, files, signal);
  return files.filter((entry, position) => {
    const info = status[position]!;
    return problemOf(entry, info) !== null || info.sha256 === null;
  });
}

function contentOf(
  path: string,
  { bytes, sha256 }: FileEntry,
  files: FileSystem,
  onPart: (bytes: number) => void,
  signal: AbortSignal | undefined,
): Content {
  return { bytes, sha256, parts: (partBytes) => readParts(path, { bytes, sha256 }, partBytes, files, onPart, signal) };
}

/** @throws file_corrupt at the end, if the bytes are not those of the manifest */
async function* readParts(
  path: string,
  expected: Pick<FileEntry, 'bytes' | 'sha256'>,
  partBytes: number,
  files: FileSystem,
  onPart: (bytes: number) => void,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const file = await files.open(path, 'read');
  try {
    yield* checkedParts(file, path, expected, partBytes, onPart, signal);
  } finally {
    await file.close();
  }
}

async function* checkedParts(
  file: OpenFile,
  path: string,
  { bytes, sha256 }: Pick<FileEntry, 'bytes' | 'sha256'>,
  partBytes: number,
  onPart: (bytes: number) => void,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for (let at = 0; at < bytes;) {
    signal?.throwIfAborted();
    const part = new Uint8Array(Math.min(partBytes, bytes - at));
    const read = await file.read(part, at);
    hash.update(part.subarray(0, read));
    at += read;
    // The last part is held back until the whole file has proved to be right.
    const isLast = at >= bytes || read === 0;
    if (isLast && (at !== bytes || hash.digest('hex') !== sha256)) {
      throw fileCorrupt(path, 'differs from its checksum in the manifest');
    }
    yield part.subarray(0, read);
    onPart(read);
  }
}

/** A note that is damaged stays behind: it says nothing. */
async function pushNotes(root: string, { index, version }: Manifest, store: ObjectStore, files: FileSystem) {
  for (const name of PULLED_NOTES) {
    const bytes = await readSmallFile(notePath(root, index, version, name, 'json'), MAX_NOTE_BYTES, files);
    if (bytes === null || unsealJson(bytes) === null) continue;
    await putSmall(store, keyOf(store, notePath(store.url, index, version, name, 'json')), bytes);
  }
}

export function putSmall(store: ObjectStore, key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return store.put(key, { bytes: bytes.length, sha256, parts: () => onePart(bytes) }, signal);
}

// eslint-disable-next-line @typescript-eslint/require-await -- an iteration of one part
async function* onePart(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** @throws manifest_corrupt if the store has another manifest under this name */
async function pushManifest(
  path: string,
  key: string,
  store: ObjectStore,
  { overwrite, files, signal }: { overwrite: boolean; files: FileSystem; signal: AbortSignal | undefined },
): Promise<void> {
  const file = await files.open(path, 'read');
  const bytes = await closing(file, async () => {
    const whole = new Uint8Array((await file.stat()).bytes);
    return whole.subarray(0, await file.read(whole, 0));
  });
  if (overwrite) {
    await putSmall(store, key, bytes, signal);
    return;
  }
  if (await store.putIf(key, bytes, null, signal)) return;
  const found = await readSmall(store, key, MAX_MANIFEST_BYTES, signal);
  if (found !== null && Buffer.compare(found.bytes, bytes) === 0) return;
  const url = urlOf(store, key);
  const message = `${url} is not the manifest of the version that is pushed; replace it with: shortlist push --overwrite`;
  throw new ShortlistError('manifest_corrupt', message, { file: joinPath(url) });
}
