/**
 * The rows that a build left out, as JSON Lines. Written to staging while the input is read; moved to the version's
 * notes, or copied to a path that the user named, when the version is sealed. Staging goes with what it has when a
 * build fails.
 */
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { ShortlistError } from '../base/errors.js';
import {
  attempt,
  closing,
  copyBytes,
  ensureDirectory,
  hashRange,
  openIfPresent,
  statIfPresent,
  temporaryName,
} from '../version/disk/durable.js';
import type { FileSystem, OpenFile } from '../version/disk/files.js';
import { notesDirectory } from '../version/state/catalog.js';
import { stagingPath } from '../version/disk/paths.js';

const REJECTS_NOTE = 'rejects.jsonl';
const WAITING_FILE = 'rejects.jsonl';

export class RejectsFile {
  private readonly waiting: string;
  private readonly hash = createHash('sha256');
  private file: OpenFile | null = null;
  private isWaiting = false;

  /** @param path final path; default: in the version's notes */
  constructor(
    private readonly root: string,
    private readonly index: string,
    private readonly path: string | undefined,
    private readonly files: FileSystem,
  ) {
    this.waiting = join(stagingPath(root, index), WAITING_FILE);
  }

  /** Checks before the build that the file can be written. @throws io_error */
  async check(): Promise<void> {
    if (this.path === undefined) return;
    const folder = dirname(this.path);
    const { kind } = await this.files.stat(folder);
    if (kind === 'directory') return;
    throw new ShortlistError('io_error', `${folder} is not a folder; --rejects needs a path in an existing folder`, {
      file: folder,
    });
  }

  async write(lines: string): Promise<void> {
    this.file ??= await this.files.open(this.waiting, 'create');
    const bytes = new TextEncoder().encode(lines);
    this.hash.update(bytes);
    await this.file.write(bytes);
  }

  /** Ends the file, which waits in staging for `keep`. @returns its SHA-256; null if no row was left out */
  async finish(): Promise<string | null> {
    if (this.file === null) return null;
    await this.file.sync();
    await this.file.close();
    this.file = null;
    this.isWaiting = true;
    return this.hash.digest('hex');
  }

  /** Goes on with the file of a build that was killed. @returns false if it is not as that build left it */
  async resume(sha256: string | null): Promise<boolean> {
    this.isWaiting = sha256 !== null && (await this.digestOfWaiting()) === sha256;
    return this.isWaiting || sha256 === null;
  }

  /** @returns the path of the file; null if no row was left out */
  async keep(version: string): Promise<string | null> {
    if (!this.isWaiting) return null;
    const path = this.placeOf(version);
    if (this.path === undefined) {
      await ensureDirectory(dirname(path), this.files);
      await this.files.rename(this.waiting, path);
    } else await this.copyTo(path);
    await this.files.syncDirectory(dirname(path));
    return path;
  }

  /** @returns the path of the file of a sealed version, if it is in its place */
  async find(version: string): Promise<string | null> {
    const path = this.placeOf(version);
    return (await statIfPresent(path, this.files)) === null ? null : path;
  }

  async abort(): Promise<void> {
    if (this.file !== null) await attempt(this.file.close());
  }

  private placeOf(version: string): string {
    return this.path ?? join(notesDirectory(this.root, this.index, version), REJECTS_NOTE);
  }

  private async digestOfWaiting(): Promise<string | null> {
    const file = await openIfPresent(this.waiting, this.files);
    if (file === null) return null;
    return closing(file, async () => (await hashRange(file, 0, Infinity)).sha256);
  }

  /** A rename cannot cross file systems. The file appears whole or not at all. */
  private async copyTo(path: string): Promise<void> {
    const temporary = join(dirname(path), temporaryName());
    const source = await this.files.open(this.waiting, 'read');
    try {
      await closing(source, async () => {
        const target = await this.files.open(temporary, 'create');
        await closing(target, () => copyBytes(source, target));
      });
      await this.files.rename(temporary, path);
    } catch (error) {
      await attempt(this.files.removeFile(temporary));
      throw error;
    }
  }
}
