/** The folders of an index that hold versions: sealed, in staging, and in the trash. */
import { join } from 'node:path';
import { listIfPresent, removeTree } from '../disk/durable.js';
import type { FileSystem } from '../disk/files.js';
import { indexPath, stagingPath, TRASH_PREFIX } from '../disk/paths.js';
import { isVersionName } from './version-name.js';

/** Directories with the name of a version, oldest first, sound or not. */
export async function listVersionNames(root: string, index: string, files: FileSystem): Promise<string[]> {
  const entries = await listIfPresent(indexPath(root, index), files);
  return entries.filter(({ name, kind }) => kind !== 'file' && isVersionName(name)).map(({ name }) => name);
}

/** Deletes what earlier builds left in staging. The caller holds the build lock, so no other build is running. */
export async function cleanStaging(root: string, index: string, files: FileSystem): Promise<void> {
  await removeTree(stagingPath(root, index), files);
  await emptyTrash(root, index, files);
}

export async function emptyTrash(root: string, index: string, files: FileSystem): Promise<void> {
  const directory = indexPath(root, index);
  for (const { name } of await listIfPresent(directory, files)) {
    if (name.startsWith(TRASH_PREFIX)) await removeTree(join(directory, name), files);
  }
}
