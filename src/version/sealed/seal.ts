/**
 * Turns a staging directory into a version: syncs and re-reads every file, writes the manifest last, renames, syncs.
 *
 * Files are read back from the page cache, so this checks what the file system received, not what the disk keeps. It
 * finds an engine that reports success on a full disk, and any file that nobody meant to write.
 */
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { ShortlistError } from '../../base/errors.js';
import { contentDigest } from './content-digest.js';
import { attempt, closing, hashRange, statIfPresent } from '../disk/durable.js';
import { errnoIn, type FileSystem } from '../disk/files.js';
import type { Lock } from '../locks/lock.js';
import type { AttributeEntry, FileEntry, Manifest, ManifestDraft, ShardEntry } from './manifest.js';
import { listVersionNames } from './version-folders.js';
import { Fields } from '../disk/fields.js';
import { checkManifest } from './manifest-check.js';
import { MANIFEST_FORMAT } from './manifest.js';
import { indexPath, MANIFEST_FILE, stagingPath, versionPath } from '../disk/paths.js';
import { sealJson } from '../disk/sealed-json.js';
import { fileCorrupt, SectionFile } from '../disk/section-file.js';
import { sectionKindOf } from './shard-files.js';
import { nextVersionName } from './version-name.js';

export interface SealProgress {
  readonly onProgress?: ((bytesDone: number, bytesTotal: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Staged {
  readonly root: string;
  readonly index: string;
  readonly directory: string;
  readonly lock: Lock;
  readonly files: FileSystem;
  readonly now: () => Date;
  /** SHA-256 of files by name, if known from writing them. */
  readonly written: ReadonlyMap<string, string>;
  readonly dim: number;
  readonly count: number;
  readonly shards: readonly ShardEntry[];
  readonly attributes: readonly AttributeEntry[];
}

export async function sealVersion(staged: Staged, draft: ManifestDraft, progress: SealProgress): Promise<Manifest> {
  const startedAt = performance.now();
  const entries = await syncFiles(staged, progress);
  const stages = { ...draft.stages, seal: Math.round(performance.now() - startedAt) / 1000 };
  const manifest = await composeManifest(staged, { ...draft, stages }, entries);
  await writeReadOnly(join(staged.directory, MANIFEST_FILE), sealJson(manifest), staged.files);
  await staged.files.syncDirectory(staged.directory);
  await moveIntoPlace(staged, manifest.version);
  return manifest;
}

/** Makes every file of the version durable and reads it back. */
async function syncFiles(staged: Staged, { onProgress, signal }: SealProgress): Promise<FileEntry[]> {
  const names = await checkListing(staged);
  const sizes = await Promise.all(names.map((name) => staged.files.stat(join(staged.directory, name))));
  const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  const onBytes = (bytes: number): void => onProgress?.((done += bytes), total);
  const entries: FileEntry[] = [];
  for (const name of names) entries.push(await syncFile(staged, name, { onBytes, signal }));
  return entries;
}

/** Names of the files, sorted: exactly those that the parts of the version have. */
async function checkListing(staged: Staged): Promise<string[]> {
  const expected = staged.shards.flatMap((shard) => shard.files);
  const found = (await staged.files.list(staged.directory)).map((entry) => entry.name);
  const missing = expected.find((name) => !found.includes(name));
  if (missing !== undefined) {
    const path = join(staged.directory, missing);
    throw new ShortlistError('file_missing', `${path} was not written; run the build again`, { file: path });
  }
  const extra = found.find((name) => !expected.includes(name));
  if (extra !== undefined) {
    const path = join(staged.directory, extra);
    const message = `${path} appeared during the build; keep other programs out of the root and build again`;
    throw new ShortlistError('file_unexpected', message, { file: path });
  }
  return expected.sort();
}

async function syncFile(
  { directory, files, written }: Staged,
  name: string,
  progress: { onBytes: (bytes: number) => void; signal: AbortSignal | undefined },
): Promise<FileEntry> {
  const path = join(directory, name);
  await makeReadOnly(path, files);
  const file = await files.open(path, 'read');
  const { bytes, sha256 } = await closing(file, async () => {
    await file.sync();
    return hashRange(file, 0, (await file.stat()).bytes, progress);
  });
  const known = written.get(name);
  if (known !== undefined && known !== sha256) throw fileCorrupt(path, 'differs from what was written to it');
  const kind = sectionKindOf(name);
  // The header has the digests of what the writer received.
  if (kind !== null) await SectionFile.use(path, kind, files, (section) => section.checkDigests());
  return { name, bytes, sha256 };
}

async function composeManifest(staged: Staged, draft: ManifestDraft, entries: FileEntry[]): Promise<Manifest> {
  const { root, index, files, dim, count, shards, attributes } = staged;
  const content = contentDigest(entries);
  const now = staged.now();
  const version = nextVersionName(now, content, await listVersionNames(root, index, files));
  const { tool_version, metric, id, vector, engine, seed, options, sources, rejects, duplicates, stages } = draft;
  const { input_norm: norm } = draft;
  const manifest: Manifest = {
    format: MANIFEST_FORMAT,
    index,
    version,
    created_at: now.toISOString(),
    tool_version,
    metric,
    dim,
    count,
    shards,
    id,
    vector,
    attributes,
    engine,
    seed,
    options,
    sources,
    rejects,
    duplicates,
    ...(norm !== undefined && { input_norm: norm }),
    files: entries,
    content: `sha256:${content}`,
    stages,
  };
  // What a reader would refuse must not be written. A FieldError here is a bug of the caller.
  checkManifest(new Fields(JSON.parse(JSON.stringify(manifest))));
  return manifest;
}

async function moveIntoPlace({ root, index, directory, lock, files }: Staged, version: string): Promise<void> {
  const target = versionPath(root, index, version);
  await lock.assertHeld();
  // rename(2) would replace an empty directory, and a version is never overwritten.
  if ((await statIfPresent(target, files)) !== null) {
    throw new ShortlistError('file_unexpected', `${target} exists already; run the build again`, { file: target });
  }
  await files.rename(directory, target);
  await files.syncDirectory(indexPath(root, index));
  await attempt(files.removeDirectory(stagingPath(root, index)));
}

async function writeReadOnly(path: string, text: string, files: FileSystem): Promise<void> {
  const file = await files.open(path, 'create');
  await closing(file, async () => {
    await file.write(Buffer.from(text));
    await makeReadOnly(path, files);
    await file.sync();
  });
}

/** Errnos of network and FAT file systems that keep no permissions. */
const NO_MODE_ERRNOS = new Set(['EPERM', 'ENOTSUP', 'ENOSYS']);

/**
 * Removes write permission, as a guard against accidents. Read permission stays as the umask set it. The directory
 * stays writable: rename needs that, and `rm -r` should work.
 */
export async function makeReadOnly(path: string, files: FileSystem): Promise<void> {
  const { mode } = await files.stat(path);
  try {
    await files.setMode(path, mode & 0o444);
  } catch (error) {
    if (!NO_MODE_ERRNOS.has(errnoIn(error) ?? '')) throw error;
  }
}
