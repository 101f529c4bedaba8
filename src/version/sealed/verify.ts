/**
 * Lists everything that is wrong with a version's files: names, sizes and digests, then their contents, which must
 * agree with each other and be what a build could have written. Engines check their graphs themselves.
 *
 * Vectors are checked as they are read; ids and ordinals are held in memory meanwhile. It yields to the event loop, so
 * that a busy process can run it.
 */
import { join } from 'node:path';
import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import { EXIT, ShortlistError } from '../../base/errors.js';
import { shardOf } from '../../base/hash.js';
import type { IdTable } from '../../base/id-table.js';
import { readAttributes } from './attribute-store.js';
import { nodeFiles, type FileSystem } from '../disk/files.js';
import { readManifest } from './manifest-file.js';
import { versionPath } from '../disk/paths.js';
import { fileCorrupt, SectionFile } from '../disk/section-file.js';
import { shardFilesOf } from './shard-files.js';
import { VectorCheck } from './vector-check.js';
import {
  findFileProblems,
  readIdFile,
  readShard,
  type OpenVersionOptions,
  type VersionFiles,
} from './version-reader.js';

/** No problems: the version is sound. Throws only problems that are not the version's, such as `io_error`. */
export async function findVersionProblems(
  root: string,
  index: string,
  version: string,
  options: OpenVersionOptions = {},
): Promise<ShortlistError[]> {
  const files = options.files ?? nodeFiles;
  const problems: ShortlistError[] = [];
  const manifest = await collect(problems, () => readManifest(root, index, version, files));
  if (manifest === undefined) return problems;
  const directory = versionPath(root, index, version);
  for await (const problem of findFileProblems(directory, manifest, options)) problems.push(problem);
  // Checking the contents of a damaged file would only report the damage again, less clearly.
  const damaged = new Set(problems.map((problem) => problem.details['file']));
  const isSound = (name: string): boolean => !damaged.has(join(directory, name));
  await checkStructures(
    { directory, manifest },
    options.shards ?? [...manifest.shards.keys()],
    isSound,
    problems,
    files,
  );
  return problems;
}

async function checkStructures(
  version: VersionFiles,
  shards: readonly number[],
  isSound: (name: string) => boolean,
  problems: ShortlistError[],
  files: FileSystem,
): Promise<void> {
  const { manifest } = version;
  const owners = new Uint8Array(manifest.count);
  const parts = manifest.shards.map((_, shard) => shardFilesOf(manifest, shard));
  const whole = shards.filter((shard) => isSound(parts[shard]!.vectors) && isSound(parts[shard]!.ordinals)); // prettier-ignore
  const before = problems.length;
  let ids: IdTable | undefined;
  for (const shard of shards) {
    // Format 1 has the ids of all shards in one file, which is read once.
    const hasOwn = manifest.format !== 1 || shard === shards[0];
    if (hasOwn) ids = isSound(parts[shard]!.ids) ? await collect(problems, () => readSoundIds(version, shard, files)) : undefined; // prettier-ignore
    const own = ids;
    if (whole.includes(shard)) await collect(problems, () => checkShard(version, shard, owners, own, files));
  }
  // The ordinals of a shard with a problem were not all seen.
  if (whole.length === manifest.shards.length && problems.length === before) {
    await collect(problems, () => requireOwners(version, owners));
  }
  const sound = shards.filter((shard) => isSound(parts[shard]!.attributes ?? ''));
  if (manifest.attributes.length === 0) return;
  if (manifest.format !== 1)
    for (const shard of sound) await collect(problems, () => readAttributes(version, { shards: [shard] })); // prettier-ignore
  else if (sound.length > 0) await collect(problems, () => readAttributes(version));
}

/** Ids or ordinals checked between two yields to the event loop: about half a millisecond. */
const STEP_ROWS = 4096;

/** Calls `work` for [0 .. count) in steps, and yields to the event loop after each. */
async function inSteps(count: number, work: (from: number, to: number) => void): Promise<void> {
  for (let from = 0; from < count; from += STEP_ROWS) {
    work(from, Math.min(count, from + STEP_ROWS));
    await yieldToEventLoop();
  }
}

async function readSoundIds(version: VersionFiles, shard: number, files: FileSystem): Promise<IdTable> {
  const path = join(version.directory, shardFilesOf(version.manifest, shard).ids);
  await SectionFile.use(path, 'ids', files, (file) => file.checkDigests());
  const ids = await readIdFile(version, shard, files);
  await inSteps(ids.count, (from, to) => {
    const problem = ids.findIndexProblem(from, to);
    if (problem !== null) throw fileCorrupt(path, `is damaged: ${problem}`);
  });
  return ids;
}

/** Marks the ordinals of a shard. Each must belong to this shard by its id and to no other. Vectors must be sound. */
async function checkShard(
  version: VersionFiles,
  shard: number,
  owners: Uint8Array,
  ids: IdTable | undefined,
  files: FileSystem,
): Promise<void> {
  const { manifest } = version;
  const names = shardFilesOf(manifest, shard);
  const path = join(version.directory, names.ordinals);
  const vectorsPath = join(version.directory, names.vectors);
  const vectors = new VectorCheck(vectorsPath, manifest.metric, manifest.dim);
  await SectionFile.use(vectorsPath, 'shard', files, (file) =>
    file.checkDigests((section, part) => {
      if (section === 'vectors') vectors.check(part);
    }),
  );
  // The vectors have been checked: only ordinals are read.
  const { ordinals } = await readShard(version, shard, files, () => new Float32Array(0));
  await inSteps(ordinals.length, (from, to) => {
    for (let row = from; row < to; row++) {
      const ordinal = ordinals[row]!;
      if (owners[ordinal] !== 0) throw fileCorrupt(path, `has the ordinal ${ordinal}, which another shard has too`);
      owners[ordinal] = 1;
      const id = manifest.format === 1 ? ordinal : row;
      if (ids !== undefined && shardOf(ids.hash(id), manifest.shards.length) !== shard) {
        throw fileCorrupt(path, `has the id ${ids.text(id)}, which belongs to another shard`);
      }
    }
  });
}

function requireOwners({ directory, manifest }: VersionFiles, owners: Uint8Array): Promise<void> {
  const lost = owners.indexOf(0);
  if (lost === -1) return Promise.resolve();
  const path = join(directory, shardFilesOf(manifest, 0).ordinals);
  throw fileCorrupt(path, `and the other shards lack the ordinal ${lost}`);
}

/** Runs a check. Collects its error if the version is at fault, and throws any other. */
async function collect<T>(problems: ShortlistError[], check: () => Promise<T>): Promise<T | undefined> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof ShortlistError) || error.exit !== EXIT.badIndex) throw error;
    problems.push(error);
    return undefined;
  }
}
