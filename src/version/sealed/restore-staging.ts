/**
 * Checks what an unfinished build left in its staging directory against its checkpoint, reading every file once.
 * Files that the checkpoint does not name are deleted: they were being written.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { ShortlistError } from '../../base/errors.js';
import type { Checkpoint, GraphCheckpoint } from './checkpoint.js';
import { closing, hashRange, listIfPresent, openIfPresent, removeTree, statIfPresent } from '../disk/durable.js';
import type { FileSystem } from '../disk/files.js';
import { SectionFile } from '../disk/section-file.js';
import { PAGE_BYTES, type SectionFileKind } from '../disk/section-layout.js';
import { attributesFile, idsFile, sectionKindOf, vectorsFile } from './shard-files.js';

/** @returns the checkpoint without damaged graphs; null if the rows are damaged, which everything depends on */
export async function restoreStaging(
  directory: string,
  checkpoint: Checkpoint,
  files: FileSystem,
  signal?: AbortSignal,
): Promise<Checkpoint | null> {
  const { counts, attributes, headers } = checkpoint;
  const names = sectionFiles(counts.length);
  if ((await statIfPresent(directory, files))?.kind !== 'directory') return null; // not a link out of staging
  for (const [position, name] of names.entries()) {
    if (!(await isSectionFile(join(directory, name), sectionKindOf(name)!, headers[position], files, signal))) return null; // prettier-ignore
  }
  for (const [shard, sha256] of (attributes ?? []).entries()) {
    if (!(await hasDigest(join(directory, attributesFile(shard)), sha256, files, signal))) return null;
  }
  const graphs: (GraphCheckpoint | null)[] = [];
  for (const graph of checkpoint.graphs) {
    graphs.push(graph !== null && (await isWhole(directory, graph, files, signal)) ? graph : null);
  }
  const known = new Set([...names, ...(attributes ?? []).map((_, shard) => attributesFile(shard))]);
  for (const graph of graphs) for (const { name } of graph?.files ?? []) known.add(name);
  for (const { name } of await listIfPresent(directory, files)) {
    if (!known.has(name)) await removeTree(join(directory, name), files);
  }
  return { ...checkpoint, graphs };
}

async function isWhole(
  directory: string,
  graph: GraphCheckpoint,
  files: FileSystem,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  for (const { name, sha256 } of graph.files) {
    if (!(await hasDigest(join(directory, name), sha256, files, signal))) return false;
  }
  return true;
}

async function hasDigest(
  path: string,
  sha256: string,
  files: FileSystem,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  return unlessUnreadable(async () => {
    const file = await openIfPresent(path, files);
    if (file === null) return false;
    return closing(file, async () => (await hashRange(file, 0, Infinity, { signal })).sha256 === sha256);
  });
}

/** What cannot be read (a bad sector, a folder in place of the file) is as good as gone. */
async function unlessUnreadable(work: () => Promise<boolean>): Promise<boolean> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ShortlistError && ['file_missing', 'file_corrupt', 'io_error'].includes(error.code)) return false; // prettier-ignore
    throw error;
  }
}

async function isSectionFile(
  path: string,
  kind: SectionFileKind,
  header: string | undefined,
  files: FileSystem,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  signal?.throwIfAborted();
  return unlessUnreadable(async () => {
    if ((await headerDigest(path, files)) !== header) return false;
    await SectionFile.use(path, kind, files, (file) => file.checkDigests(() => signal?.throwIfAborted()));
    return true;
  });
}

/** For each shard vectors, then ids. */
function sectionFiles(shards: number): string[] {
  return Array.from({ length: shards }, (_, shard) => [vectorsFile(shard), idsFile(shard)]).flat();
}

/** As a checkpoint has them. */
export async function headerDigests(directory: string, shards: number, files: FileSystem): Promise<string[]> {
  const digests: string[] = [];
  for (const name of sectionFiles(shards)) digests.push(await headerDigest(join(directory, name), files));
  return digests;
}

async function headerDigest(path: string, files: FileSystem): Promise<string> {
  const page = new Uint8Array(PAGE_BYTES);
  const file = await files.open(path, 'read');
  await closing(file, () => file.read(page, 0));
  return createHash('sha256').update(page).digest('hex');
}
