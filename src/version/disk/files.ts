/**
 * The file system as this folder and builder/ use it: a port, so that a test can fail any operation, or end the process
 * at it, and look at what is left.
 *
 * Takes paths; returns open files, entries and sizes. Hides node:fs and its partial reads and writes. Every error of
 * the operating system becomes `io_error` or `disk_full`, with the path and the errno in its details.
 */
import { type FileHandle, open as openFile } from 'node:fs/promises';
import * as fs from 'node:fs/promises';
import { constants, type BigIntStats } from 'node:fs';
import { ioError, ShortlistError } from '../../base/errors.js';

type EntryKind = 'file' | 'directory' | 'other';

interface DirectoryEntry {
  readonly name: string;
  /** Of the entry itself: a symbolic link is `other`. */
  readonly kind: EntryKind;
}

export interface FileStat {
  readonly kind: EntryKind;
  readonly bytes: number;
  readonly mtimeMs: number;
  /** Device and inode number: another file at the same path has another. */
  readonly inode: string;
  /** Times of the last change of contents and of status, in nanoseconds. Nobody can set the second back. */
  readonly changed: string;
  /** Permission bits, such as 0o644. */
  readonly mode: number;
}

/** `create` makes a new file and fails with EEXIST if there is one; `change` opens an existing file for writing. */
export type OpenMode = 'read' | 'create' | 'change';

export interface OpenFile {
  /** Fills `into` from `position` on. @returns the bytes read: fewer than asked only at the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Appends all of `bytes` at the current position. */
  write(bytes: Uint8Array): Promise<void>;
  /** Writes all of `bytes` at `position`; the current position stays. */
  writeAt(bytes: Uint8Array, position: number): Promise<void>;
  sync(): Promise<void>;
  stat(): Promise<FileStat>;
  close(): Promise<void>;
}

export interface FileSystem {
  open(path: string, mode: OpenMode): Promise<OpenFile>;
  /** Replaces a file at `to`. */
  rename(from: string, to: string): Promise<void>;
  /** A second name for a file; fails with EEXIST if `to` exists. */
  link(from: string, to: string): Promise<void>;
  removeFile(path: string): Promise<void>;
  /** Fails with EEXIST if `path` exists and with ENOENT if its parent does not. */
  makeDirectory(path: string): Promise<void>;
  /** Fails with ENOTEMPTY if it is not empty. */
  removeDirectory(path: string): Promise<void>;
  /** Sorted by name, by code units. */
  list(path: string): Promise<DirectoryEntry[]>;
  /** Of the entry itself: links are not followed. */
  stat(path: string): Promise<FileStat>;
  setMode(path: string, mode: number): Promise<void>;
  /** Makes renames, links and removals in this directory survive a loss of power. */
  syncDirectory(path: string): Promise<void>;
  /** Bytes that this process may still write to the file system that holds `path`. */
  freeBytes(path: string): Promise<number>;
}

/** Errnos of a system that is short of descriptors, memory or threads. */
const SHORTAGE_ERRNOS = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'ENOBUFS']);

/** Whether the error is about the state of the system, not about the file. */
export function isShortage(error: unknown): boolean {
  return SHORTAGE_ERRNOS.has(errnoIn(error) ?? '');
}

/** The errno of an error of this port, or null. */
export function errnoIn(error: unknown): string | null {
  if (!(error instanceof ShortlistError)) return null;
  const errno = error.details['errno'];
  return typeof errno === 'string' ? errno : null;
}

/** Whether the error says that the path does not exist. */
export function isMissing(error: unknown): boolean {
  const errno = errnoIn(error);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}

/** read(2) and write(2) transfer at most 2 GiB less a page per call. */
const MAX_TRANSFER_BYTES = 2 ** 30;

/** A pipe that nobody writes is opened at once, and not waited for: what is no file is refused later. */
const READ = constants.O_RDONLY | constants.O_NONBLOCK;

const FLAGS: Readonly<Record<OpenMode, string | number>> = { read: READ, create: 'wx+', change: 'r+' };

/** The real file system. */
export const nodeFiles: FileSystem = {
  async open(path, mode) {
    return new NodeFile(path, await callSystem('open', path, () => openFile(path, FLAGS[mode])));
  },
  rename: (from, to) => callSystem(`rename ${from} to`, to, () => fs.rename(from, to)),
  link: (from, to) => callSystem(`link ${from} to`, to, () => fs.link(from, to)),
  removeFile: (path) => callSystem('remove', path, () => fs.unlink(path)),
  makeDirectory: (path) => callSystem('make the directory', path, () => fs.mkdir(path)),
  removeDirectory: (path) => callSystem('remove the directory', path, () => fs.rmdir(path)),
  async list(path) {
    const entries = await callSystem('list', path, () => fs.readdir(path, { withFileTypes: true }));
    return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) })).sort(byName);
  },
  async stat(path) {
    return toStat(await callSystem('get the status of', path, () => fs.lstat(path, { bigint: true })));
  },
  setMode: (path, mode) => callSystem('set the permissions of', path, () => fs.chmod(path, mode)),
  async syncDirectory(path) {
    const directory = await callSystem('open', path, () => openFile(path, 'r'));
    try {
      await callSystem('sync', path, () => directory.sync());
    } finally {
      await directory.close();
    }
  },
  async freeBytes(path) {
    const { bavail, bsize } = await callSystem('get the free space of', path, () => fs.statfs(path));
    return bavail * bsize;
  },
};

class NodeFile implements OpenFile {
  constructor(
    private readonly path: string,
    private readonly handle: FileHandle,
  ) {}

  async read(into: Uint8Array, position: number): Promise<number> {
    let done = 0;
    while (done < into.length) {
      const wanted = Math.min(into.length - done, MAX_TRANSFER_BYTES);
      const read = () => this.handle.read(into, done, wanted, position + done);
      const { bytesRead } = await callSystem('read', this.path, read);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.writeAll(bytes, null);
  }

  writeAt(bytes: Uint8Array, position: number): Promise<void> {
    return this.writeAll(bytes, position);
  }

  sync(): Promise<void> {
    return callSystem('sync', this.path, () => this.handle.sync());
  }

  async stat(): Promise<FileStat> {
    return toStat(await callSystem('get the status of', this.path, () => this.handle.stat({ bigint: true })));
  }

  close(): Promise<void> {
    return callSystem('close', this.path, () => this.handle.close());
  }

  private async writeAll(bytes: Uint8Array, position: number | null): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const wanted = Math.min(bytes.length - done, MAX_TRANSFER_BYTES);
      const at = position === null ? null : position + done;
      const { bytesWritten } = await callSystem('write', this.path, () => this.handle.write(bytes, done, wanted, at));
      done += bytesWritten;
    }
  }
}

/** Runs a call to the operating system. @throws what `ioError` makes of its error */
async function callSystem<T>(action: string, path: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw ioError(action, path, error);
  }
}

function kindOf(entry: { isFile(): boolean; isDirectory(): boolean }): EntryKind {
  return entry.isFile() ? 'file' : entry.isDirectory() ? 'directory' : 'other';
}

function toStat(stat: BigIntStats): FileStat {
  return {
    kind: kindOf(stat),
    bytes: Number(stat.size),
    mtimeMs: Number(stat.mtimeNs) / 1e6,
    inode: `${stat.dev}:${stat.ino}`,
    changed: `${stat.mtimeNs}:${stat.ctimeNs}`,
    mode: Number(stat.mode) & 0o777,
  };
}

function byName(a: DirectoryEntry, b: DirectoryEntry): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
