/**
 * A folder that appears whole or not at all, for what is written outside the root. Takes a path where nothing is yet
 * and work that fills a folder; makes that folder, durable, at the path. The work goes into a temporary folder beside
 * it (TEMPORARY_PREFIX), which a failure removes; only a kill or a loss of power leaves it.
 */
import { dirname, join, resolve } from 'node:path';
import { ShortlistError } from '../../base/errors.js';
import { attempt, closing, ensureDirectory, removeTree, statIfPresent, temporaryName } from './durable.js';
import { errnoIn, type FileSystem } from './files.js';

/** An empty folder may exist: a rename replaces it. @throws usage for anything else */
export async function checkNewFolder(path: string, files: FileSystem): Promise<void> {
  const found = await statIfPresent(path, files);
  if (found === null) return;
  if (found.kind !== 'directory') throw notNew(path, 'exists already and is not a folder');
  if ((await files.list(path)).length > 0) throw notNew(path, 'is not empty');
}

function notNew(path: string, problem: string): ShortlistError {
  return new ShortlistError('usage', `${path} ${problem}; name a folder that does not exist yet`, { file: path });
}

/** @param work fills the folder at the path it gets, and syncs each file */
export async function writeNewFolder<T>(
  path: string,
  files: FileSystem,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  await checkNewFolder(path, files);
  const parent = dirname(resolve(path));
  await ensureDirectory(parent, files);
  const temporary = join(parent, temporaryName());
  try {
    await files.makeDirectory(temporary);
    const result = await work(temporary);
    await files.syncDirectory(temporary);
    await moveIntoPlace(temporary, path, files);
    await files.syncDirectory(parent);
    return result;
  } catch (error) {
    await attempt(removeTree(temporary, files));
    throw error;
  }
}

async function moveIntoPlace(temporary: string, path: string, files: FileSystem): Promise<void> {
  try {
    await files.rename(temporary, resolve(path));
  } catch (error) {
    const isTaken = ['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(errnoIn(error) ?? '');
    if (isTaken) throw notNew(path, 'was created meanwhile');
    throw error;
  }
}

/** Writes and syncs one file. @param fill writes the bytes front to back @returns how many there were */
export async function writeNewFile(
  path: string,
  files: FileSystem,
  fill: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<number> {
  const file = await files.open(path, 'create');
  return closing(file, async () => {
    let written = 0;
    await fill(async (bytes) => {
      await file.write(bytes);
      written += bytes.length;
    });
    await file.sync();
    return written;
  });
}
