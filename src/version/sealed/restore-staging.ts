/**
 * Checks what an unfinished build left in its staging directory against its checkpoint, reading every file once.
 * Files that the checkpoint does not name are deleted: they were being written.
 */
import { join } from 'node:path';
import { ShortlistError } from '../../base/errors.js';
import type { Checkpoint, GraphCheckpoint } from './checkpoint.js';
import { closing, hashRange, listIfPresent, openIfPresent, removeTree } from '../disk/durable.js';
import type { FileSystem } from '../disk/files.js';
import { ATTRIBUTES_FILE, IDS_FILE, shardFile } from '../disk/paths.js';
import { SectionFile } from '../disk/section-file.js';
import type { SectionFileKind } from '../disk/section-layout.js';

/** @returns the checkpoint without damaged graphs; null if the rows are damaged, which everything depends on */
export async function restoreStaging(
  directory: string,
  checkpoint: Checkpoint,
  files: FileSystem,
  signal?: AbortSignal,
): Promise<Checkpoint | null> {
  const { counts, attributes } = checkpoint;
  const rows = counts.map((_, shard) => shardFile(shard));
  for (const name of rows) if (!(await isSectionFile(join(directory, name), 'shard', files, signal))) return null;
  if (!(await isSectionFile(join(directory, IDS_FILE), 'ids', files, signal))) return null;
  if (attributes !== null && !(await hasDigest(join(directory, ATTRIBUTES_FILE), attributes, files, signal)))
    return null;
  const graphs: (GraphCheckpoint | null)[] = [];
  for (const graph of checkpoint.graphs) {
    graphs.push(graph !== null && (await isWhole(directory, graph, files, signal)) ? graph : null);
  }
  const known = new Set([...rows, IDS_FILE, ...(attributes === null ? [] : [ATTRIBUTES_FILE])]);
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
  const file = await openIfPresent(path, files);
  if (file === null) return false;
  return closing(file, async () => (await hashRange(file, 0, Infinity, { signal })).sha256 === sha256);
}

async function isSectionFile(
  path: string,
  kind: SectionFileKind,
  files: FileSystem,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  signal?.throwIfAborted();
  try {
    await SectionFile.use(path, kind, files, (file) => file.checkDigests(() => signal?.throwIfAborted()));
    return true;
  } catch (error) {
    if (error instanceof ShortlistError && ['file_missing', 'file_corrupt'].includes(error.code)) return false;
    throw error;
  }
}
