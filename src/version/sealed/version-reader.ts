/**
 * Opens the files of a version. Takes names; returns the manifest, and reads ids, vectors and attributes on demand.
 *
 * Before anything is used, the directory must hold exactly the files of the manifest, each with its size and digest.
 * Then each structure is checked while it is read, so that hostile bytes with a right digest end as `file_corrupt` too.
 * The engine checks its own files.
 */
import { join } from 'node:path';
import { ShortlistError } from '../../base/errors.js';
import { IdTable } from '../../base/id-table.js';
import { closing, hashRange, type HashProgress } from '../disk/durable.js';
import { nodeFiles, type FileSystem } from '../disk/files.js';
import { versionBytes, type FileEntry, type Manifest } from './manifest.js';
import { readManifest } from './manifest-file.js';
import { IDS_FILE, MANIFEST_FILE, shardFile, versionPath } from '../disk/paths.js';
import { fileCorrupt, SectionFile } from '../disk/section-file.js';
import { idTypeOf } from './type-name.js';

export interface OpenVersionOptions {
  /** Whether every file is read and its digest compared; default true. Else only names and sizes are compared. */
  readonly hash?: boolean | undefined;
  readonly onProgress?: ((bytesDone: number, bytesTotal: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Awaited after each part that was hashed, with its size. */
  readonly pace?: ((bytes: number) => Promise<void>) | undefined;
  readonly files?: FileSystem | undefined;
}

/** A version whose directory holds the files of its manifest. */
export interface VersionFiles {
  readonly directory: string;
  readonly manifest: Manifest;
}

/** Maps `length` float32 values of a file from byte `offset` on. */
type MapVectors = (path: string, offset: number, length: number) => Float32Array;

/** The rows of one shard, in shared memory or mapped. */
interface ShardRows {
  readonly count: number;
  /** Ordinal of each row, ascending. */
  readonly ordinals: Uint32Array;
  /** count x dim values. */
  readonly vectors: Float32Array;
  /** Where the vectors start in the shard's file. */
  readonly vectorsOffset: number;
}

/** @throws version_not_found, manifest_corrupt, format_unsupported, file_missing, file_unexpected, file_corrupt */
export async function openVersionFiles(
  root: string,
  index: string,
  version: string,
  options: OpenVersionOptions = {},
): Promise<VersionFiles> {
  const files = options.files ?? nodeFiles;
  const manifest = await readManifest(root, index, version, files);
  const directory = versionPath(root, index, version);
  for await (const problem of findFileProblems(directory, manifest, options)) throw problem;
  return { directory, manifest };
}

/** Every difference between the directory and its manifest, one after the other. */
export async function* findFileProblems(
  directory: string,
  manifest: Manifest,
  options: OpenVersionOptions,
): AsyncGenerator<ShortlistError, void, undefined> {
  const files = options.files ?? nodeFiles;
  const present = await findListingProblems(directory, manifest, files);
  yield* present.problems;
  if (options.hash === false) return;
  const total = versionBytes(manifest);
  let done = 0;
  const onBytes = (bytes: number): void => options.onProgress?.((done += bytes), total);
  for (const entry of present.sound) {
    const problem = await findDigestProblem(directory, entry, files, {
      onBytes,
      signal: options.signal,
      pace: options.pace,
    });
    if (problem !== null) yield problem;
  }
}

/** Checks names, kinds and sizes. @returns also the entries that are worth reading */
async function findListingProblems(
  directory: string,
  manifest: Manifest,
  files: FileSystem,
): Promise<{ problems: ShortlistError[]; sound: FileEntry[] }> {
  const found = new Map((await files.list(directory)).map((entry) => [entry.name, entry.kind]));
  const problems: ShortlistError[] = [];
  const sound: FileEntry[] = [];
  for (const entry of manifest.files) {
    const path = join(directory, entry.name);
    const kind = found.get(entry.name);
    const size = kind === 'file' ? (await files.stat(path)).bytes : null;
    if (kind === undefined) problems.push(fileMissing(path));
    else if (size === null) problems.push(fileCorrupt(path, 'is not a regular file'));
    else if (size !== entry.bytes) problems.push(fileCorrupt(path, `has ${size} bytes, not ${entry.bytes}`));
    else sound.push(entry);
    found.delete(entry.name);
  }
  found.delete(MANIFEST_FILE);
  for (const name of found.keys()) problems.push(fileUnexpected(join(directory, name)));
  return { problems, sound };
}

async function findDigestProblem(
  directory: string,
  entry: FileEntry,
  files: FileSystem,
  progress: HashProgress,
): Promise<ShortlistError | null> {
  const path = join(directory, entry.name);
  const file = await files.open(path, 'read');
  const found = await closing(file, () => hashRange(file, 0, entry.bytes, progress));
  return found.sha256 === entry.sha256 ? null : fileCorrupt(path, 'differs from its checksum in the manifest');
}

function fileMissing(path: string): ShortlistError {
  const message = `${path} is missing; restore the file or build the version again`;
  return new ShortlistError('file_missing', message, { file: path });
}

function fileUnexpected(path: string): ShortlistError {
  const message = `${path} is not in the manifest of its version; move it out of the directory`;
  return new ShortlistError('file_unexpected', message, { file: path });
}

export async function readIds({ directory, manifest }: VersionFiles, files: FileSystem = nodeFiles): Promise<IdTable> {
  const path = join(directory, IDS_FILE);
  return SectionFile.use(path, 'ids', files, async (file) => {
    const sections = new Map<string, Uint8Array>();
    for (const { name, bytes } of file.sections) {
      if (bytes > MAX_BYTE_VIEW) throw fileCorrupt(path, `has ${bytes} bytes of ${name}`);
      sections.set(name, new Uint8Array(await file.read(name)));
    }
    const get = (name: string): Uint8Array => {
      const bytes = sections.get(name);
      if (bytes === undefined) throw fileCorrupt(path, `lacks the section ${name}`);
      return bytes;
    };
    return withFile(path, () => IdTable.fromSections(idTypeOf(manifest.id.type), manifest.count, get));
  });
}

/** Longest Uint8Array of Node 20. */
const MAX_BYTE_VIEW = 2 ** 32 - 1;

/** Adds the file to the error of a check that does not know it. */
function withFile<T>(path: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof ShortlistError) || 'file' in error.details) throw error;
    throw fileCorrupt(path, `is damaged: ${error.message}`);
  }
}

/** The rows of one shard of a version. */
export async function readShard(
  { directory, manifest }: VersionFiles,
  shard: number,
  files: FileSystem = nodeFiles,
  map?: MapVectors,
): Promise<ShardRows> {
  const path = join(directory, shardFile(shard));
  const rows = await readShardFile(path, manifest.dim, files, map);
  const { count } = manifest.shards[shard]!;
  if (rows.count !== count) throw fileCorrupt(path, `has ${rows.count} rows, not ${count}`);
  requireAscending(path, rows.ordinals, manifest.count);
  return rows;
}

/** The rows of a shard's section file, also in staging. @param map maps the vectors; without it they are read */
export async function readShardFile(
  path: string,
  dim: number,
  files: FileSystem = nodeFiles,
  map?: MapVectors,
): Promise<ShardRows> {
  return SectionFile.use(path, 'shard', files, async (file) => {
    const count = file.size('ordinals') / 4;
    if (!Number.isInteger(count) || file.size('vectors') !== count * dim * 4) {
      throw fileCorrupt(path, `has ${file.size('vectors')} bytes of vectors for ${count} rows of ${dim} values`);
    }
    const ordinals = new Uint32Array(await file.read('ordinals'));
    const vectorsOffset = file.offset('vectors');
    const vectors = map?.(path, vectorsOffset, count * dim) ?? new Float32Array(await file.read('vectors'));
    return { count, ordinals, vectors, vectorsOffset };
  });
}

function requireAscending(path: string, ordinals: Uint32Array, count: number): void {
  let before = -1;
  for (let row = 0; row < ordinals.length; row++) {
    const ordinal = ordinals[row]!;
    if (ordinal <= before) throw fileCorrupt(path, `has the ordinal ${ordinal} of row ${row} out of order`);
    before = ordinal;
  }
  if (before >= count) throw fileCorrupt(path, `has the ordinal ${before}, but the version has ${count} rows`);
}

/** Paths of the engine's files of one shard; none if the shard has no rows. */
export function graphPaths({ directory, manifest }: VersionFiles, shard: number): string[] {
  return manifest.shards[shard]!.files.slice(1).map((name) => join(directory, name));
}

/** Estimated memory of a version in bytes, before it is loaded: the sizes of its files. */
export function estimateResidentBytes(manifest: Manifest): {
  vectors: number;
  graphs: number;
  ids: number;
  attributes: number;
  total: number;
} {
  // prettier-ignore
  const bytesOf = (names: readonly string[]): number =>
    manifest.files.reduce((sum, file) => sum + (names.includes(file.name) ? file.bytes : 0), 0);
  const vectors = bytesOf(manifest.shards.map((shard) => shard.files[0]!));
  const graphs = bytesOf(manifest.shards.flatMap((shard) => shard.files.slice(1)));
  const ids = bytesOf([IDS_FILE]);
  const total = versionBytes(manifest);
  return { vectors, graphs, ids, attributes: total - vectors - graphs - ids, total };
}
