/**
 * An object store as the file system of a root, to read: what reads CURRENT, HISTORY, aliases, notes and manifests on a
 * disk reads them here too. The URL of the store is the root. A file is read whole when it is opened, so that nobody
 * sees the halves of two states. There are no folders but those that listings show.
 *
 * What changes a store does not come this way: it needs tags (documents.ts).
 */
import { ShortlistError } from '../base/errors.js';
import type { FileStat, FileSystem, OpenFile } from '../version/disk/files.js';
import { MAX_MANIFEST_BYTES } from '../version/sealed/manifest-file.js';
import { keyOf } from './documents.js';
import { readSmall, type ObjectStore } from './objects/object-store.js';

export function storeFiles(store: ObjectStore): FileSystem {
  return {
    ...readOnly,
    async open(path, mode) {
      if (mode !== 'read') return noWrite();
      const found = await readSmall(store, keyOf(store, path), MAX_MANIFEST_BYTES);
      if (found === null) throw missing(path);
      return new ReadObject(path, found.bytes, found.tag);
    },
    async list(path) {
      const key = keyOf(store, path);
      const { objects, folders } = await store.list(key === '' ? '' : `${key}/`);
      const entries = [
        ...objects.map((name) => ({ name, kind: 'file' as const })),
        ...folders.map((name) => ({ name, kind: 'directory' as const })),
      ];
      return entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    },
    async stat(path) {
      const info = await store.head(keyOf(store, path));
      if (info === null) throw missing(path);
      return statOf(path, info.bytes, info.tag);
    },
  };
}

class ReadObject implements OpenFile {
  constructor(
    private readonly path: string,
    private readonly bytes: Uint8Array,
    private readonly tag: string,
  ) {}

  read(into: Uint8Array, position: number): Promise<number> {
    const part = this.bytes.subarray(position, position + into.length);
    into.set(part);
    return Promise.resolve(part.length);
  }

  stat(): Promise<FileStat> {
    return Promise.resolve(statOf(this.path, this.bytes.length, this.tag));
  }

  write = noWrite;
  writeAt = noWrite;
  sync = noWrite;

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function statOf(path: string, bytes: number, tag: string): FileStat {
  return { kind: 'file', bytes, mtimeMs: 0, inode: path, changed: tag, mode: 0o444 };
}

function missing(path: string): ShortlistError {
  return new ShortlistError('io_error', `there is no ${path}`, { file: path, errno: 'ENOENT' });
}

/** A bug: the commands that change a store use its own operations. */
function noWrite(): Promise<never> {
  throw new Error('a store was written like a file system');
}

const readOnly: FileSystem = {
  open: noWrite,
  rename: noWrite,
  link: noWrite,
  removeFile: noWrite,
  makeDirectory: noWrite,
  removeDirectory: noWrite,
  list: noWrite,
  stat: noWrite,
  setMode: noWrite,
  syncDirectory: noWrite,
  freeBytes: noWrite,
};
