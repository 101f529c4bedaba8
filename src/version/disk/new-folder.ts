/**
 * A folder that appears whole or not at all, for what leaves the root. Takes a path where nothing is yet and the work
 * that fills a folder; gives that folder, durable, under its name. The work goes on in a folder beside it whose name
 * starts with TEMPORARY_PREFIX, which a failure removes; only a kill or a loss of power leaves it there.
 */
import { dirname, join, resolve } from 'node:path';
import { ShortlistError } from '../../base/errors.js';
import { attempt, closing, ensureDirectory, removeTree, statIfPresent, temporaryName } from './durable.js';
import { errnoIn, type FileSystem } from './files.js';

/** An empty folder may be there already: a rename replaces it. @throws usage for anything else */
export async function checkNewFolder(path: string, files: FileSystem): Promise<void> {
  const there = await statIfPresent(path, files);
  if (there === null) return;
  if (there.kind !== 'directory') throw notNew(path, 'is there already and is no folder');
  if ((await files.list(path)).length > 0) throw notNew(path, 'is not empty');
}

function notNew(path: string, problem: string): ShortlistError {
  return new ShortlistError('usage', `${path} ${problem}; name a folder that is not there yet`, { file: path });
}

/** @param work fills the folder that it is given the path of, each file synced */
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
    await giveName(temporary, path, files);
    await files.syncDirectory(parent);
    return result;
  } catch (error) {
    await attempt(removeTree(temporary, files));
    throw error;
  }
}

async function giveName(temporary: string, path: string, files: FileSystem): Promise<void> {
  try {
    await files.rename(temporary, resolve(path));
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(errnoIn(error) ?? '')) throw notNew(path, 'was made meanwhile');
    throw error;
  }
}

/** Makes one file, durable but for its name. @param fill gives the bytes front to back. @returns how many they were */
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
