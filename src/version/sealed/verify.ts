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
import { ATTRIBUTES_FILE, IDS_FILE, shardFile, versionPath } from '../disk/paths.js';
import { fileCorrupt, SectionFile } from '../disk/section-file.js';
import { VectorCheck } from './vector-check.js';
import { findFileProblems, readIds, readShard, type OpenVersionOptions, type VersionFiles } from './version-reader.js';

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
  await checkStructures({ directory, manifest }, isSound, problems, files);
  return problems;
}

async function checkStructures(
  version: VersionFiles,
  isSound: (name: string) => boolean,
  problems: ShortlistError[],
  files: FileSystem,
): Promise<void> {
  const { manifest } = version;
  const ids = isSound(IDS_FILE) ? await collect(problems, () => readSoundIds(version, files)) : undefined;
  const owners = new Uint8Array(manifest.count);
  const shards = manifest.shards.map((_, shard) => shard).filter((shard) => isSound(shardFile(shard)));
  const before = problems.length;
  for (const shard of shards) await collect(problems, () => checkShard(version, shard, owners, ids, files));
  // The ordinals of a shard with a problem were not all seen.
  if (shards.length === manifest.shards.length && problems.length === before) {
    await collect(problems, () => requireOwners(version, owners));
  }
  if (manifest.attributes.every(() => isSound(ATTRIBUTES_FILE))) {
    await collect(problems, () => readAttributes(version));
  }
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

async function readSoundIds(version: VersionFiles, files: FileSystem): Promise<IdTable> {
  const path = join(version.directory, IDS_FILE);
  await SectionFile.use(path, 'ids', files, (file) => file.checkDigests());
  const ids = await readIds(version, files);
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
  const path = join(version.directory, shardFile(shard));
  const vectors = new VectorCheck(path, manifest.metric, manifest.dim);
  await SectionFile.use(path, 'shard', files, (file) =>
    file.checkDigests((section, part) => {
      if (section === 'vectors') vectors.check(part);
    }),
  );
  // The vectors have been checked: only ordinals are read.
  const { ordinals } = await readShard(version, shard, files, () => new Float32Array(0));
  await inSteps(ordinals.length, (from, to) => {
    for (const ordinal of ordinals.subarray(from, to)) {
      if (owners[ordinal] !== 0) throw fileCorrupt(path, `has the ordinal ${ordinal}, which another shard has too`);
      owners[ordinal] = 1;
      if (ids !== undefined && shardOf(ids.hash(ordinal), manifest.shards.length) !== shard) {
        throw fileCorrupt(path, `has the id ${ids.text(ordinal)}, which belongs to another shard`);
      }
    }
  });
}

function requireOwners({ directory }: VersionFiles, owners: Uint8Array): Promise<void> {
  const lost = owners.indexOf(0);
  if (lost === -1) return Promise.resolve();
  throw fileCorrupt(join(directory, shardFile(0)), `and the other shards lack the ordinal ${lost}`);
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
