/**
 * Opens the files of a version. Takes names; returns the manifest, and reads ids, vectors and attributes on demand.
 *
 * Before anything is used, the directory must hold exactly the files of the manifest, each with its size and digest.
 * Then each structure is checked while it is read, so that hostile bytes with a right digest end as `file_corrupt` too.
 * The engine checks its own files.
 */
import { join } from 'node:path';
import { ShortlistError } from '../../base/errors.js';
import { IdTable, type IdType } from '../../base/id-table.js';
import { joinIds, type IdPart } from '../../base/id-table-parts.js';
import { closing, hashRange, type HashProgress } from '../disk/durable.js';
import { nodeFiles, type FileSystem } from '../disk/files.js';
import { versionBytes, type FileEntry, type Manifest } from './manifest.js';
import { readManifest } from './manifest-file.js';
import { MANIFEST_FILE, versionPath } from '../disk/paths.js';
import { fileCorrupt, SectionFile } from '../disk/section-file.js';
import { shardFilesOf, sharedFilesOf } from './shard-files.js';
import { idTypeOf } from './type-name.js';

export interface OpenVersionOptions {
  /** Only the files of these shards are looked at; default: of all. Files of others may be missing. */
  readonly shards?: readonly number[] | undefined;
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
  requireShards(manifest, options.shards ?? []);
  const directory = versionPath(root, index, version);
  for await (const problem of findFileProblems(directory, manifest, options)) throw problem;
  return { directory, manifest };
}

/** @throws usage naming the shard that the version does not have */
function requireShards({ index, version, shards }: Manifest, wanted: readonly number[]): void {
  const missing = wanted.find((shard) => !Object.hasOwn(shards, shard));
  if (missing === undefined) return;
  const has = shards.length === 1 ? 'one shard, 0' : `the shards 0 to ${shards.length - 1}`;
  throw new ShortlistError('usage', `there is no shard ${missing}: ${index}@${version} has ${has}`, { index, version, shard: missing }); // prettier-ignore
}

/** Every difference between the directory and its manifest, one after the other. */
export async function* findFileProblems(
  directory: string,
  manifest: Manifest,
  options: OpenVersionOptions,
): AsyncGenerator<ShortlistError, void, undefined> {
  const files = options.files ?? nodeFiles;
  const wanted = entriesOf(manifest, options.shards);
  const present = await findListingProblems(directory, manifest, wanted, files);
  yield* present.problems;
  if (options.hash === false) return;
  const total = wanted.reduce((sum, { bytes }) => sum + bytes, 0);
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

/** The files that some shards need. @param shards default: all */
export function entriesOf(manifest: Manifest, shards?: readonly number[]): readonly FileEntry[] {
  if (shards === undefined) return manifest.files;
  const names = new Set([...sharedFilesOf(manifest), ...shards.flatMap((shard) => manifest.shards[shard]!.files)]);
  return manifest.files.filter(({ name }) => names.has(name));
}

/** Checks names, kinds and sizes. @returns also the entries that are worth reading */
async function findListingProblems(
  directory: string,
  manifest: Manifest,
  wanted: readonly FileEntry[],
  files: FileSystem,
): Promise<{ problems: ShortlistError[]; sound: FileEntry[] }> {
  const found = new Map((await files.list(directory)).map((entry) => [entry.name, entry.kind]));
  const problems: ShortlistError[] = [];
  const sound: FileEntry[] = [];
  for (const entry of wanted) {
    const path = join(directory, entry.name);
    const kind = found.get(entry.name);
    const size = kind === 'file' ? (await files.stat(path)).bytes : null;
    if (kind === undefined) problems.push(fileMissing(path));
    else if (size === null) problems.push(fileCorrupt(path, 'is not a regular file'));
    else if (size !== entry.bytes) problems.push(fileCorrupt(path, `has ${size} bytes, not ${entry.bytes}`));
    else sound.push(entry);
  }
  for (const { name } of manifest.files) found.delete(name);
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

/** Some shards of a version, and the ordinals that their rows have. */
interface ShardSelection {
  readonly shards: readonly number[];
  /** For each shard, ascending; together 0 to their number, each once. */
  readonly ordinals: readonly Uint32Array[];
}

/** The ids of a version, by ordinal. @param selection of some shards; format 1 has the ids of all */
export async function readIds(
  version: VersionFiles,
  files: FileSystem = nodeFiles,
  selection?: ShardSelection,
): Promise<IdTable> {
  const { manifest } = version;
  const type = idTypeOf(manifest.id.type);
  const shards = selection?.shards ?? [...manifest.shards.keys()];
  if (manifest.format === 1) return readIdFile(version, 0, files);
  const parts: IdPart[] = [];
  for (const [position, shard] of shards.entries()) {
    const ids = await readIdFile(version, shard, files);
    const ordinals = selection?.ordinals[position] ?? (await readOrdinals(version, shard, files));
    parts.push({ shard, ids, ordinals });
  }
  return manifest.shards.length === 1 ? parts[0]!.ids : joinIds(type, parts, manifest.shards.length);
}

/** The ids of one file: those of a shard, by row; in format 1 those of all shards, by ordinal. */
export async function readIdFile(version: VersionFiles, shard: number, files: FileSystem): Promise<IdTable> {
  const { directory, manifest } = version;
  const path = join(directory, shardFilesOf(manifest, shard).ids);
  const type: IdType = idTypeOf(manifest.id.type);
  const count = manifest.format === 1 ? manifest.count : manifest.shards[shard]!.count;
  return SectionFile.use(path, 'ids', files, async (file) => {
    const sections = new Map<string, Uint8Array>();
    for (const { name, bytes } of file.sections) {
      if (name === 'ordinals') continue;
      if (bytes > MAX_BYTE_VIEW) throw fileCorrupt(path, `has ${bytes} bytes of ${name}`);
      sections.set(name, new Uint8Array(await file.read(name)));
    }
    const get = (name: string): Uint8Array => {
      const bytes = sections.get(name);
      if (bytes === undefined) throw fileCorrupt(path, `lacks the section ${name}`);
      return bytes;
    };
    return withFile(path, () => IdTable.fromSections(type, count, get));
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
  version: VersionFiles,
  shard: number,
  files: FileSystem = nodeFiles,
  map?: MapVectors,
): Promise<ShardRows> {
  const { directory, manifest } = version;
  const path = join(directory, shardFilesOf(manifest, shard).vectors);
  const rows = await readVectors(path, manifest.dim, files, map);
  const { count } = manifest.shards[shard]!;
  if (rows.count !== count) throw fileCorrupt(path, `has ${rows.count} rows, not ${count}`);
  return { ...rows, ordinals: await readOrdinals(version, shard, files) };
}

/** The ordinal of each row of a shard, ascending. */
export async function readOrdinals(
  { directory, manifest }: VersionFiles,
  shard: number,
  files: FileSystem = nodeFiles,
): Promise<Uint32Array> {
  const { count } = manifest.shards[shard]!;
  const path = join(directory, shardFilesOf(manifest, shard).ordinals);
  return SectionFile.use(path, manifest.format === 1 ? 'shard' : 'ids', files, async (file) => {
    if (file.size('ordinals') !== 4 * count) throw fileCorrupt(path, `has ${file.size('ordinals')} bytes of ordinals for ${count} rows`); // prettier-ignore
    const ordinals = new Uint32Array(await file.read('ordinals'));
    requireAscending(path, ordinals, manifest.count);
    return ordinals;
  });
}

/** The vectors of a shard's section file, also in staging. @param map maps the vectors; without it they are read */
export async function readVectors(
  path: string,
  dim: number,
  files: FileSystem = nodeFiles,
  map?: MapVectors,
): Promise<Omit<ShardRows, 'ordinals'>> {
  return SectionFile.use(path, 'shard', files, async (file) => {
    const bytes = file.size('vectors');
    const count = bytes / (4 * dim);
    if (!Number.isInteger(count)) throw fileCorrupt(path, `has ${bytes} bytes of vectors of ${dim} values`);
    const vectorsOffset = file.offset('vectors');
    const vectors = map?.(path, vectorsOffset, count * dim) ?? new Float32Array(await file.read('vectors'));
    return { count, vectors, vectorsOffset };
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
  return shardFilesOf(manifest, shard).graph.map((name) => join(directory, name));
}

/** Estimated memory of a version in bytes, before it is loaded: the sizes of its files. */
export function estimateResidentBytes(manifest: Manifest): {
  vectors: number;
  graphs: number;
  ids: number;
  attributes: number;
  places: number;
  total: number;
} {
  const parts = manifest.shards.map((_, shard) => shardFilesOf(manifest, shard));
  // With several shards a server keeps the position of each row.
  const places = manifest.shards.length > 1 ? 4 * manifest.count : 0;
  const bytesOf = (names: readonly (string | null)[]): number => {
    const wanted = new Set(names);
    return manifest.files.reduce((sum, { name, bytes }) => sum + (wanted.has(name) ? bytes : 0), 0);
  };
  return {
    vectors: bytesOf(parts.map((part) => part.vectors)),
    graphs: bytesOf(parts.flatMap((part) => part.graph)),
    ids: bytesOf(parts.map((part) => part.ids)),
    attributes: bytesOf(parts.map((part) => part.attributes)),
    places,
    total: versionBytes(manifest) + places,
  };
}
