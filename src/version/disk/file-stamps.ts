/**
 * Whether files may have changed, told without reading them: by inode, size, and the times of the last change.
 *
 * What this sees: whatever is written, cut off, replaced, renamed or removed through the file system of this machine.
 * What it cannot see, and only reading again can: bits that the device or the memory loses; writes of another machine
 * that a network file system has not told of yet; writes to a disk below its file system; and two changes within one
 * tick of the file system's clock (some milliseconds), of which the first was before the look. Times that are set
 * back are seen, since that is a change too.
 */
import { join } from 'node:path';
import { isMissing, type FileSystem } from './files.js';

interface FileStamp {
  readonly inode: string;
  readonly bytes: number;
  readonly changed: string;
}

/** By name; what is missing is not in it. */
export type FileStamps = ReadonlyMap<string, FileStamp>;

/** Of these files of a directory. @throws io_error */
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

/**
 * All that is in a directory, as one text that another state of it has not; that of a missing one is empty. @throws
 * io_error
 */
export async function fingerprintDirectory(directory: string, files: FileSystem): Promise<string> {
  try {
    const names = (await files.list(directory)).map(({ name }) => name);
    return JSON.stringify([...(await readStamps(directory, names, files))]);
  } catch (error) {
    if (isMissing(error)) return '';
    throw error;
  }
}

export function sameStamps(one: FileStamps, other: FileStamps): boolean {
  return one.size === other.size && changedFiles(one, other).length === 0;
}

/** Names of files that have another stamp now, or none. */
export function changedFiles(before: FileStamps, now: FileStamps): string[] {
  return [...before].flatMap(([name, { inode, bytes, changed }]) => {
    const found = now.get(name);
    const isSame = found?.inode === inode && found.bytes === bytes && found.changed === changed;
    return isSame ? [] : [name];
  });
}
