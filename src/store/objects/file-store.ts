/**
 * A folder as an object store, for a network file system and for tests. It has the layout of a root, and is one: local
 * commands may use the same folder.
 *
 * A write is a temporary file and a rename. A conditional write compares and replaces under the publish lock of the
 * index, which the key begins with; the lock holds between machines and against local commands. The tag of an object is
 * its digest if the object is small, and else its inode with size and times.
 */
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { attempt, closing, ensureDirectory, listIfPresent, openIfPresent, removeFileDurably, replaceFile, statIfPresent, TEMPORARY_PREFIX, temporaryName } from '../../version/disk/durable.js'; // prettier-ignore
import { errnoIn, nodeFiles, type FileSystem, type OpenFile } from '../../version/disk/files.js';
import { withLock, type Lock } from '../../version/locks/lock.js';
import { storeError, type Content, type GetOptions, type Listing, type ObjectBody, type ObjectInfo, type ObjectStore } from './object-store.js'; // prettier-ignore

/** Objects up to this size have their digest as tag: all that are written on a condition. */
const MAX_DIGEST_BYTES = 16 * 2 ** 20;

const READ_BYTES = 2 ** 20;
const PART_BYTES = 8 * 2 ** 20;

/** A conditional write takes milliseconds: waiting longer than this means that a process is stuck. */
const WAIT_FOR_LOCK_MS = 30_000;

export class FileStore implements ObjectStore {
  constructor(
    readonly url: string,
    private readonly folder: string,
    private readonly files: FileSystem = nodeFiles,
  ) {}

  async get(key: string, options: GetOptions = {}): Promise<ObjectBody | 'unchanged' | null> {
    const file = await this.openObject(key);
    if (file === null) return null;
    try {
      const { bytes, tag } = await this.describe(file);
      if (tag === options.unlessTag) {
        await file.close();
        return 'unchanged';
      }
      return { bytes, tag, body: readBody(file, options.from ?? 0, Math.min(bytes, options.to ?? bytes), options.signal) }; // prettier-ignore
    } catch (error) {
      await attempt(file.close());
      throw error;
    }
  }

  async head(key: string): Promise<ObjectInfo | null> {
    const file = await this.openObject(key);
    return file === null ? null : closing(file, () => this.describe(file));
  }

  async put(key: string, content: Content): Promise<void> {
    await this.requireFolder();
    const path = this.pathOf(key);
    const directory = dirname(path);
    await ensureDirectory(directory, this.files);
    const temporary = join(directory, temporaryName());
    try {
      const file = await this.files.open(temporary, 'create');
      await closing(file, async () => {
        for await (const part of content.parts(PART_BYTES)) await file.write(part);
        await file.sync();
      });
      await this.files.rename(temporary, path);
    } catch (error) {
      await attempt(this.files.removeFile(temporary));
      throw error;
    }
    await this.files.syncDirectory(directory);
  }

  putIf(key: string, bytes: Uint8Array, expected: string | null, signal?: AbortSignal): Promise<boolean> {
    const path = this.pathOf(key);
    return this.changeIf(key, expected, signal, async () => {
      await ensureDirectory(dirname(path), this.files);
      await replaceFile(path, bytes, this.files);
    });
  }

  requireConditions(): Promise<void> {
    return Promise.resolve();
  }

  async list(prefix: string): Promise<Listing> {
    await this.requireFolder();
    const entries = await listIfPresent(this.pathOf(prefix), this.files);
    const names = (wanted: 'file' | 'directory'): string[] =>
      entries.filter(({ name, kind }) => kind === wanted && !name.startsWith(TEMPORARY_PREFIX)).map(({ name }) => name);
    return { objects: names('file'), folders: names('directory') };
  }

  async remove(key: string, tag: string, signal?: AbortSignal): Promise<void> {
    await this.changeIf(key, tag, signal, async () => {
      await removeFileDurably(this.pathOf(key), this.files);
    });
  }

  close(): void {
    // A folder holds no connection.
  }

  private pathOf(key: string): string {
    return join(this.folder, key);
  }

  /** Null for what is not a file too: an object store has no folders. */
  private async openObject(key: string): Promise<OpenFile | null> {
    const path = this.pathOf(key);
    const stat = await statIfPresent(path, this.files).catch(unlessBelowFile);
    if (stat === null) await this.requireFolder();
    return stat?.kind === 'file' ? openIfPresent(path, this.files) : null;
  }

  /** A network file system that is not mounted looks like a folder that is missing: nothing may be written there. */
  private async requireFolder(): Promise<void> {
    if ((await statIfPresent(this.folder, this.files)) !== null) return;
    throw storeError(
      'store_unavailable',
      `open ${this.url}`,
      `the folder ${this.folder} does not exist; make or mount it`,
    );
  }

  private async describe(file: OpenFile): Promise<ObjectInfo> {
    const { bytes, inode, changed } = await file.stat();
    if (bytes > MAX_DIGEST_BYTES) return { bytes, tag: `${inode}:${bytes}:${changed}`, sha256: null };
    const contents = new Uint8Array(bytes);
    const read = await file.read(contents, 0);
    const sha256 = digestOf(contents.subarray(0, read));
    return { bytes, tag: sha256, sha256 };
  }

  private changeIf(
    key: string,
    expected: string | null,
    signal: AbortSignal | undefined,
    change: () => Promise<void>,
  ): Promise<boolean> {
    const [index = ''] = key.split('/');
    const options = { waitMs: WAIT_FOR_LOCK_MS, signal, files: this.files };
    const work = async (lock: Lock): Promise<boolean> => {
      const now = await this.head(key);
      if ((now?.tag ?? null) !== expected) return false;
      await lock.assertHeld();
      await change();
      return true;
    };
    return withLock(this.folder, index, 'publish', `a change of ${key}`, work, options);
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Closes the file at the end, and when the reader stops early. */
async function* readBody(file: OpenFile, from: number, to: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    for (let at = from; at < to;) {
      signal?.throwIfAborted();
      const part = new Uint8Array(Math.min(READ_BYTES, to - at));
      const read = await file.read(part, at);
      if (read === 0) return;
      at += read;
      yield part.subarray(0, read);
    }
  } finally {
    await attempt(file.close());
  }
}

/** A name below a file is no object. */
function unlessBelowFile(error: unknown): null {
  if (errnoIn(error) === 'ENOTDIR') return null;
  throw error;
}
