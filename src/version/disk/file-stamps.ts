/**
 * Finds changed files without reading them: by inode, size and times of the last change.
 *
 * It sees whatever is written, truncated, replaced, renamed or removed through the file system of this machine; setting
 * a time back is a change too. Only reading finds the rest: bits lost by the device or in memory, writes of another
 * machine that a network file system has not reported yet, writes to the disk below its file system, and a change
 * within the same tick of the file system's clock (some milliseconds) as an earlier one that was already seen.
 */
import { join } from 'node:path';
import { isMissing, type FileSystem } from './files.js';

interface FileStamp {
  readonly inode: string;
  readonly bytes: number;
  readonly changed: string;
}

/** By name. Missing files are not in it. */
export type FileStamps = ReadonlyMap<string, FileStamp>;

/** Stamps of these files of a directory. @throws io_error */
export async function readStamps(directory: string, names: Iterable<string>, files: FileSystem): Promise<FileStamps> {
  const stamps = new Map<string, FileStamp>();
  for (const name of names) {
    try {
      const { inode, bytes, changed } = await files.stat(join(directory, name));
      stamps.set(name, { inode, bytes, changed });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return stamps;
}

/** A text that differs for every state of the directory; empty if there is none. @throws io_error */
export async function fingerprintDirectory(directory: string, files: FileSystem): Promise<string> {
  try {
    const names = (await files.list(directory)).map(({ name }) => name);
    return JSON.stringify([...(await readStamps(directory, names, files))]);
  } catch (error) {
    if (isMissing(error)) return '';
    throw error;
  }
}

export function sameStamps(a: FileStamps, b: FileStamps): boolean {
  return a.size === b.size && changedFiles(a, b).length === 0;
}

/** Names of files that have another stamp now, or are gone. */
export function changedFiles(before: FileStamps, now: FileStamps): string[] {
  return [...before].flatMap(([name, { inode, bytes, changed }]) => {
    const found = now.get(name);
    const isSame = found?.inode === inode && found.bytes === bytes && found.changed === changed;
    return isSame ? [] : [name];
  });
}
