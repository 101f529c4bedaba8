/**
 * Everything that can be wrong with a version's files, found and listed instead of thrown: names, sizes and digests,
 * then what they hold, which must agree with each other and be what a build could have written. Graphs are their
 * engine's to check.
 *
 * Vectors are looked at as they come from the disk; ids and ordinals are in memory for as long as it takes. It takes
 * turns with the event loop, so that a process that does other things can run it.
 */
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
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

/** No problems: the version is sound. Fails only where the problem is not the version's, such as `io_error`. */
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
  // The structures of a file that is damaged already would only say so again, less clearly.
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
  // Of a shard that has a problem the ordinals were not all seen.
  if (shards.length === manifest.shards.length && problems.length === before)
    await collect(problems, () => requireOwners(version, owners));
  if (manifest.attributes.every(() => isSound(ATTRIBUTES_FILE))) {
    await collect(problems, () => readAttributes(version));
  }
}

/** Ids or ordinals that are looked up before others have their turn: about half a millisecond. */
const TURN_ROWS = 4096;

/** Calls `work` for [0, count) in parts. */
async function inTurns(count: number, work: (from: number, to: number) => void): Promise<void> {
  for (let from = 0; from < count; from += TURN_ROWS) {
    work(from, Math.min(count, from + TURN_ROWS));
    await nextTurn();
  }
}

async function readSoundIds(version: VersionFiles, files: FileSystem): Promise<IdTable> {
  const path = join(version.directory, IDS_FILE);
  await SectionFile.use(path, 'ids', files, (file) => requireDigests(file));
  const ids = await readIds(version, files);
  await inTurns(ids.count, (from, to) => {
    const problem = ids.findIndexProblem(from, to);
    if (problem !== null) throw fileCorrupt(path, `is damaged: ${problem}`);
  });
  return ids;
}

/**
 * Marks the ordinals of the shard, each of which must belong there by its id and to no other shard; its vectors must
 * be sound.
 */
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
    requireDigests(file, (section, part) => {
      if (section === 'vectors') vectors.take(part);
    }),
  );
  // Ordinals alone: the vectors have been seen.
  const { ordinals } = await readShard(version, shard, files, () => new Float32Array(0));
  await inTurns(ordinals.length, (from, to) => {
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

async function requireDigests(file: SectionFile, onPart?: (section: string, part: Uint8Array) => void): Promise<void> {
  const [problem] = await file.digestProblems(onPart);
  if (problem !== undefined) throw fileCorrupt(file.path, problem);
}

const ABOUT_THE_VERSION = EXIT.badIndex;

/** Runs a check; what it finds wrong with the version is collected, anything else is thrown. */
async function collect<T>(problems: ShortlistError[], check: () => Promise<T>): Promise<T | undefined> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof ShortlistError) || error.exit !== ABOUT_THE_VERSION) throw error;
    problems.push(error);
    return undefined;
  }
}
