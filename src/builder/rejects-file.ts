/**
 * The rows that a build left out, as JSON Lines. Written while the input is read, kept when the version is sealed,
 * removed when the build fails. By default it is written to staging and moved to the version's notes.
 */
import { dirname, join } from 'node:path';
import { ShortlistError } from '../base/errors.js';
import { attempt, ensureDirectory, temporaryName } from '../version/disk/durable.js';
import type { FileSystem, OpenFile } from '../version/disk/files.js';
import { notesDirectory } from '../version/state/catalog.js';
import { stagingPath } from '../version/disk/paths.js';

const REJECTS_NOTE = 'rejects.jsonl';

export class RejectsFile {
  private readonly temporary: string;
  private file: OpenFile | null = null;

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

  /** @returns the path of the file; null if no row was left out */
  async keep(version: string): Promise<string | null> {
    if (this.file === null) return null;
    await this.file.sync();
    await this.file.close();
    const notes = notesDirectory(this.root, this.index, version);
    if (this.path === undefined) await ensureDirectory(notes, this.files);
    const path = this.path ?? join(notes, REJECTS_NOTE);
    await this.files.rename(this.temporary, path);
    await this.files.syncDirectory(dirname(path));
    await attempt(this.files.removeDirectory(stagingPath(this.root, this.index)));
    return path;
  }

  async abort(): Promise<void> {
    if (this.file === null) return;
    await attempt(this.file.close());
    await attempt(this.files.removeFile(this.temporary));
  }
}
