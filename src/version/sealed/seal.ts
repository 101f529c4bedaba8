/**
 * Turns a staging directory into a version: fsync and re-read every file, write the manifest last, rename, fsync.
 *
 * What is read back comes from the page cache, so this proves what the file system took, not what the disk keeps; an
 * engine that reports success on a full disk, and any file nobody meant to write, are found here.
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
import {
  ATTRIBUTES_FILE,
  IDS_FILE,
  indexPath,
  MANIFEST_FILE,
  shardFile,
  stagingPath,
  versionPath,
} from '../disk/paths.js';
import { sealJson } from '../disk/sealed-json.js';
import { fileCorrupt, SectionFile } from '../disk/section-file.js';
import type { SectionFileKind } from '../disk/section-layout.js';
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
  /** SHA-256 of files as they were written, by name, where known. */
  readonly written: ReadonlyMap<string, string>;
  readonly dim: number;
  readonly count: number;
  readonly shards: readonly ShardEntry[];
  readonly attributes: readonly AttributeEntry[];
}

export async function sealVersion(staged: Staged, draft: ManifestDraft, progress: SealProgress): Promise<Manifest> {
  const startedAt = performance.now();
  const entries = await settleFiles(staged, progress);
  const stages = { ...draft.stages, seal: Math.round(performance.now() - startedAt) / 1000 };
  const manifest = await composeManifest(staged, { ...draft, stages }, entries);
  await writeReadOnly(join(staged.directory, MANIFEST_FILE), sealJson(manifest), staged.files);
  await staged.files.syncDirectory(staged.directory);
  await giveName(staged, manifest.version);
  return manifest;
}

/** Every file of the version, durable and read back. */
async function settleFiles(staged: Staged, { onProgress, signal }: SealProgress): Promise<FileEntry[]> {
  const names = await checkListing(staged);
  const sizes = await Promise.all(names.map((name) => staged.files.stat(join(staged.directory, name))));
  const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  const onBytes = (bytes: number): void => onProgress?.((done += bytes), total);
  const entries: FileEntry[] = [];
  for (const name of names) entries.push(await settleFile(staged, name, { onBytes, signal }));
  return entries;
}

/** Names of the files, sorted, which are exactly those that the version's parts have. */
async function checkListing(staged: Staged): Promise<string[]> {
  const expected = [IDS_FILE, ...staged.shards.flatMap((shard) => shard.files)];
  if (staged.attributes.length > 0) expected.push(ATTRIBUTES_FILE);
  const found = (await staged.files.list(staged.directory)).map((entry) => entry.name);
  const missing = expected.find((name) => !found.includes(name));
  if (missing !== undefined) {
    const path = join(staged.directory, missing);
    throw new ShortlistError('file_missing', `${path} was not written; run the build again`, { file: path });
  }
  const extra = found.find((name) => !expected.includes(name));
  if (extra !== undefined) {
    const path = join(staged.directory, extra);
    const message = `${path} appeared during the build; keep other programs out of the root and run the build again`;
    throw new ShortlistError('file_unexpected', message, { file: path });
  }
  return expected.sort();
}

async function settleFile(
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
  const kind = sectionKind(name);
  if (kind !== null) await SectionFile.use(path, kind, files, requireWritten);
  return { name, bytes, sha256 };
}

/** The header has the digests of what was given to the writer. */
async function requireWritten(file: SectionFile): Promise<void> {
  const [problem] = await file.digestProblems();
  if (problem !== undefined) throw fileCorrupt(file.path, problem);
}

/** What a file of a version holds if it is a section file, null for others. */
function sectionKind(name: string): SectionFileKind | null {
  if (name === IDS_FILE) return 'ids';
  return name === shardFile(Number(/^shard-(\d+)\.bin$/.exec(name)?.[1])) ? 'shard' : null;
}

async function composeManifest(staged: Staged, draft: ManifestDraft, entries: FileEntry[]): Promise<Manifest> {
  const { root, index, files, dim, count, shards, attributes } = staged;
  const content = contentDigest(entries);
  const now = staged.now();
  const version = nextVersionName(now, content, await listVersionNames(root, index, files));
  const { tool_version, metric, id, vector, engine, seed, options, sources, rejects, duplicates, stages } = draft;
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
    files: entries,
    content: `sha256:${content}`,
    stages,
  };
  // What a reader would refuse must not be written: a FieldError here is a bug in the caller.
  checkManifest(new Fields(JSON.parse(JSON.stringify(manifest))));
  return manifest;
}

async function giveName({ root, index, directory, lock, files }: Staged, version: string): Promise<void> {
  const target = versionPath(root, index, version);
  await lock.assertHeld();
  // rename(2) replaces an empty directory, and a version is never written over.
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

const NO_MODES = new Set(['EPERM', 'ENOTSUP', 'ENOSYS']);

/**
 * Takes write permission away, as a guard against accidents. Who may read stays as the umask had it, and the directory
 * stays writable: rename needs that, and `rm -r` should work.
 */
async function makeReadOnly(path: string, files: FileSystem): Promise<void> {
  const { mode } = await files.stat(path);
  try {
    await files.setMode(path, mode & 0o444);
  } catch (error) {
    // Some network and FAT file systems keep no modes.
    if (!NO_MODES.has(errnoIn(error) ?? '')) throw error;
  }
}
