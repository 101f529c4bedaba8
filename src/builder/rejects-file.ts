/**
 * The rows that a build left out, as JSON Lines. Written while the input is read, kept when the version is sealed,
 * removed when the build fails. By default it is written to staging and moved to the version's notes.
 */
import { dirname, join } from 'node:path';
import { ShortlistError } from '../base/errors.js';
import { attempt, ensureDirectory, statIfPresent, temporaryName } from '../version/disk/durable.js';
import type { FileSystem, OpenFile } from '../version/disk/files.js';
import { notesDirectory } from '../version/state/catalog.js';
import { stagingPath } from '../version/disk/paths.js';

const REJECTS_NOTE = 'rejects.jsonl';

/** A complete file that waits for its version. JSON-safe. */
export interface WaitingRejects {
  readonly path: string;
  readonly bytes: number;
}

export class RejectsFile {
  private readonly temporary: string;
  private file: OpenFile | null = null;
  private waiting: WaitingRejects | null = null;

  /** @param path final path; default: in the version's notes */
  constructor(
    private readonly root: string,
    private readonly index: string,
    private readonly path: string | undefined,
    private readonly files: FileSystem,
  ) {
    // A rename cannot cross file systems, so a file with a path of its own is written in its final folder.
    this.temporary = join(path === undefined ? stagingPath(root, index) : dirname(path), temporaryName());
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
    this.file ??= await this.files.open(this.temporary, 'create');
    await this.file.write(new TextEncoder().encode(lines));
  }

  /** Ends the file. @returns where it waits for `keep`; null if no row was left out */
  async finish(): Promise<WaitingRejects | null> {
    if (this.file === null) return null;
    const { bytes } = await this.file.stat();
    await this.file.sync();
    await this.file.close();
    this.file = null;
    this.waiting = { path: this.temporary, bytes };
    return this.waiting;
  }

  /** Goes on with the file of a build that was killed. @returns false if it is not as that build left it */
  async resume(waiting: WaitingRejects | null): Promise<boolean> {
    if (waiting !== null && (await statIfPresent(waiting.path, this.files))?.bytes !== waiting.bytes) return false;
    this.waiting = waiting;
    return true;
  }

  /** Where the file of a version is in the end. */
  placeOf(version: string): string {
    return this.path ?? join(notesDirectory(this.root, this.index, version), REJECTS_NOTE);
  }

  /** @returns the path of the file; null if no row was left out */
  async keep(version: string): Promise<string | null> {
    if (this.waiting === null) return null;
    const path = this.placeOf(version);
    if (this.path === undefined) await ensureDirectory(dirname(path), this.files);
    await this.files.rename(this.waiting.path, path);
    await this.files.syncDirectory(dirname(path));
    await attempt(this.files.removeDirectory(stagingPath(this.root, this.index)));
    return path;
  }

  async abort(): Promise<void> {
    if (this.file !== null) await attempt(this.file.close());
    if (this.file !== null || this.waiting !== null)
      await attempt(this.files.removeFile(this.waiting?.path ?? this.temporary));
  }
}
