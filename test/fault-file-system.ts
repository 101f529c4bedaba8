/**
 * A file system that fails. It does its work with the real one, counts the operations, and at one of them
 * - reports ENOSPC or EIO, after half of the bytes when it is a write, or
 * - ends: from there on every operation fails, as for a process that was killed, or
 * - loses power: as above, and what was not synced is gone too. Contents that were written and not synced become empty.
 *   Names that were made, changed or removed in a directory that was not synced afterwards are `lost` (as they were before)
 *   or `kept`; a real disk may do either.
 */
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { ioError } from '../src/base/errors.js';
import { nodeFiles, type FileSystem, type FileStat, type OpenFile, type OpenMode } from '../src/version/disk/files.js';

export type Fault = 'ENOSPC' | 'EIO' | 'death' | 'power loss, names lost' | 'power loss, names kept';
export const FAULTS: readonly Fault[] = ['ENOSPC', 'EIO', 'death', 'power loss, names lost', 'power loss, names kept'];

/** Not a ShortlistError, so that nothing takes it for a refusal of the operating system. */
export class ProcessDied extends Error {}

/** A change of a name that its directory does not hold for good yet. */
interface Undo {
  /** The name as it is now, and what gives it back its state from before. */
  path: string;
  readonly run: (path: string) => void;
}

export class FaultFileSystem implements FileSystem {
  /** Operations so far, by name and path. */
  readonly log: string[] = [];
  dead = false;
  private readonly fault: Fault | null;
  private readonly at: number;
  /** Where removed and replaced files wait for an undo; on the same file system. */
  private readonly attic: string;
  private readonly unsynced = new Set<number>();
  private undos: Undo[] = [];
  private stored = 0;

  /** @param at the operation that fails, from 1; @param scratch a directory for this object alone */
  constructor(fault: Fault | null, at: number, scratch: string) {
    this.fault = fault;
    this.at = at;
    this.attic = scratch;
  }

  async open(path: string, mode: OpenMode): Promise<OpenFile> {
    await this.step(`open ${mode}`, path);
    const file = await nodeFiles.open(path, mode);
    const { ino } = fs.statSync(path);
    if (mode === 'create') {
      this.unsynced.add(ino);
      this.remember(path, (at) => fs.rmSync(at, { force: true }));
    }
    return new FaultFile(this, path, ino, file);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.step('rename', to);
    const replaced = fs.existsSync(to) && fs.statSync(to).isFile() ? this.store(to) : null;
    await nodeFiles.rename(from, to);
    this.moveNames(from, to);
    this.remember(to, (at) => {
      fs.renameSync(at, from);
      if (replaced !== null) fs.linkSync(replaced, at);
      this.moveNames(at, from);
    });
  }

  async link(from: string, to: string): Promise<void> {
    await this.step('link', to);
    await nodeFiles.link(from, to);
    this.remember(to, (at) => fs.rmSync(at, { force: true }));
  }

  async removeFile(path: string): Promise<void> {
    await this.step('remove', path);
    const stored = fs.existsSync(path) ? this.store(path) : null;
    await nodeFiles.removeFile(path);
    this.remember(path, (at) => {
      if (stored !== null) fs.linkSync(stored, at);
    });
  }

  async makeDirectory(path: string): Promise<void> {
    await this.step('mkdir', path);
    await nodeFiles.makeDirectory(path);
    this.remember(path, (at) => fs.rmSync(at, { recursive: true, force: true }));
  }

  async removeDirectory(path: string): Promise<void> {
    await this.step('rmdir', path);
    await nodeFiles.removeDirectory(path);
    this.remember(path, (at) => fs.mkdirSync(at));
  }

  async list(path: string): ReturnType<FileSystem['list']> {
    await this.step('list', path);
    return nodeFiles.list(path);
  }

  async stat(path: string): Promise<FileStat> {
    await this.step('stat', path);
    return nodeFiles.stat(path);
  }

  async setMode(path: string, mode: number): Promise<void> {
    await this.step('chmod', path);
    await nodeFiles.setMode(path, mode);
  }

  async syncDirectory(path: string): Promise<void> {
    await this.step('sync directory', path);
    await nodeFiles.syncDirectory(path);
    this.undos = this.undos.filter((undo) => dirname(undo.path) !== path);
  }

  async freeBytes(path: string): Promise<number> {
    await this.step('statfs', path);
    return nodeFiles.freeBytes(path);
  }

  synced(ino: number): void {
    this.unsynced.delete(ino);
  }

  /** Counts an operation; throws instead of letting it happen when its turn to fail has come. */
  async step(name: string, path: string, half?: () => Promise<void>): Promise<void> {
    if (this.dead) throw new ProcessDied(`${name} ${path} after the end`);
    this.log.push(`${name} ${path}`);
    if (this.fault === null || this.log.length !== this.at) return;
    await half?.();
    if (this.fault === 'ENOSPC' || this.fault === 'EIO') {
      throw ioError(name, path, Object.assign(new Error(`${this.fault}: simulated`), { code: this.fault }));
    }
    this.dead = true;
    throw new ProcessDied(`${name} ${path}`);
  }

  /** What a power loss leaves, once nothing runs any more. @param root the tree whose unsynced contents vanish */
  settle(root: string): void {
    if (!this.dead || this.fault === 'death') return;
    if (this.fault === 'power loss, names lost') {
      for (let undo = this.undos.pop(); undo !== undefined; undo = this.undos.pop()) undo.run(undo.path);
    }
    for (const entry of fs.readdirSync(root, { withFileTypes: true, recursive: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile() && this.unsynced.has(fs.statSync(path).ino)) fs.truncateSync(path, 0);
    }
  }

  private remember(path: string, run: Undo['run']): void {
    this.undos.push({ path, run });
  }

  /** What is in a directory goes where the directory goes. */
  private moveNames(from: string, to: string): void {
    for (const undo of this.undos) {
      if (undo.path.startsWith(`${from}/`)) undo.path = to + undo.path.slice(from.length);
    }
  }

  private store(path: string): string {
    const stored = join(this.attic, String(this.stored++));
    fs.linkSync(path, stored);
    return stored;
  }
}

class FaultFile implements OpenFile {
  private readonly owner: FaultFileSystem;
  private readonly path: string;
  private readonly ino: number;
  private readonly file: OpenFile;

  constructor(owner: FaultFileSystem, path: string, ino: number, file: OpenFile) {
    this.owner = owner;
    this.path = path;
    this.ino = ino;
    this.file = file;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    await this.owner.step('read', this.path);
    return this.file.read(into, position);
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.owner.step('write', this.path, () => this.file.write(bytes.subarray(0, bytes.length >> 1)));
    await this.file.write(bytes);
  }

  async writeAt(bytes: Uint8Array, position: number): Promise<void> {
    const half = (): Promise<void> => this.file.writeAt(bytes.subarray(0, bytes.length >> 1), position);
    await this.owner.step('write at', this.path, half);
    await this.file.writeAt(bytes, position);
  }

  async sync(): Promise<void> {
    await this.owner.step('sync', this.path);
    await this.file.sync();
    this.owner.synced(this.ino);
  }

  async stat(): Promise<FileStat> {
    await this.owner.step('fstat', this.path);
    return this.file.stat();
  }

  /** The file is closed for real whatever is simulated, as the operating system does for a process that ends. */
  async close(): Promise<void> {
    try {
      await this.owner.step('close', this.path);
    } finally {
      await this.file.close();
    }
  }
}
