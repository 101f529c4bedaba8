/**
 * Which versions may be mapped: those whose every file was read and judged by this process, and has not changed since.
 *
 * A mapped file is trusted only as far as it was hashed by someone who is still alive, and no longer than its stamps
 * stay as they were (file-stamps.ts says what those cannot see). Trust is taken away by whoever has a reason to
 * doubt, and comes back by reading all of the version again. Nothing is mapped here: damage ends whoever has mapped
 * it, and this process must not end.
 */
import { basename } from 'node:path';
import { ShortlistError } from '../../base/errors.js';
import {
  changedFiles,
  fingerprintDirectory,
  readStamps,
  sameStamps,
  type FileStamps,
} from '../../version/disk/file-stamps.js';
import { nodeFiles } from '../../version/disk/files.js';
import { type Manifest } from '../../version/sealed/manifest.js';
import { readManifest } from '../../version/sealed/manifest-file.js';
import { MANIFEST_FILE, versionPath } from '../../version/disk/paths.js';
import { findVersionProblems } from '../../version/sealed/verify.js';
import { versionKey } from '../channel/names.js';

interface Verified {
  readonly manifest: Manifest;
  /** As the files were when they were read. */
  readonly stamps: FileStamps;
  trusted: boolean;
}

export class VerifiedVersions {
  private readonly known = new Map<string, Verified>();
  private readonly verifying = new Map<string, Promise<Manifest>>();
  /** What was there when a version was last verified, whatever came of it. */
  private readonly attempts = new Map<string, string>();

  constructor(private readonly root: string) {}

  /** Of a version that was verified, even if it is doubted now. */
  manifestOf(index: string, version: string): Manifest | null {
    return this.known.get(versionKey(index, version))?.manifest ?? null;
  }

  isTrusted(index: string, version: string): boolean {
    return this.known.get(versionKey(index, version))?.trusted ?? false;
  }

  /** From now on the version may not be mapped before it is verified again. */
  distrust(index: string, version: string): void {
    const known = this.known.get(versionKey(index, version));
    if (known !== undefined) known.trusted = false;
  }

  /** Forgets all versions but these keys. */
  keepOnly(keys: ReadonlySet<string>): void {
    for (const map of [this.known, this.attempts]) for (const key of map.keys()) if (!keys.has(key)) map.delete(key);
  }

  /**
   * Reads every file, unless that was done and nothing has changed since. @throws the first of what is wrong, naming
   * the file
   */
  async verify(index: string, version: string): Promise<Manifest> {
    const key = versionKey(index, version);
    const known = this.known.get(key);
    if (known?.trusted === true && (await this.isUnchanged(index, version))) return known.manifest;
    const verifying = this.verifying.get(key) ?? this.read(index, version).finally(() => this.verifying.delete(key));
    this.verifying.set(key, verifying);
    return verifying;
  }

  private async read(index: string, version: string): Promise<Manifest> {
    const key = versionKey(index, version);
    const directory = versionPath(this.root, index, version);
    this.attempts.set(key, await fingerprintDirectory(directory, nodeFiles));
    const manifest = await readManifest(this.root, index, version);
    const names = [MANIFEST_FILE, ...manifest.files.map(({ name }) => name)];
    const before = await readStamps(directory, names, nodeFiles);
    const [problem] = await findVersionProblems(this.root, index, version);
    if (problem !== undefined) throw problem;
    const after = await readStamps(directory, names, nodeFiles);
    if (!sameStamps(before, after)) throw changedWhileVerified(index, version, changedFiles(before, after));
    this.known.set(key, { manifest, stamps: after, trusted: true });
    return manifest;
  }

  /** Whether a version that was verified lies there as it did then, as far as that can be told without reading. */
  async isUnchanged(index: string, version: string): Promise<boolean> {
    return (await this.findChanged(index, version)).length === 0;
  }

  /** Names of files that may have other contents than those that were read; none of a version that was not. */
  async findChanged(index: string, version: string): Promise<string[]> {
    const known = this.known.get(versionKey(index, version));
    if (known === undefined) return [];
    const directory = versionPath(this.root, index, version);
    try {
      return changedFiles(known.stamps, await readStamps(directory, known.stamps.keys(), nodeFiles));
    } catch {
      return [...known.stamps.keys()]; // what cannot be looked at is not known to be the same
    }
  }

  /**
   * Whether a problem is in a file that was verified and mapped then: those who have mapped it see what it holds now.
   * Otherwise the file is gone or another one lies in its place, and what they see is what was read.
   */
  async isSameFile(index: string, version: string, { details }: ShortlistError): Promise<boolean> {
    const file = details['file'];
    const stamps = this.known.get(versionKey(index, version))?.stamps;
    if (typeof file !== 'string' || stamps === undefined) return false;
    const name = basename(file);
    const now = await readStamps(versionPath(this.root, index, version), [name], nodeFiles).catch(() => null);
    return now !== null && now.get(name)?.inode === stamps.get(name)?.inode && now.has(name);
  }

  /** Whether something has changed since a version was last verified in vain. */
  async hasChangedSinceAttempt(index: string, version: string): Promise<boolean> {
    const before = this.attempts.get(versionKey(index, version));
    if (before === undefined) return false;
    const now = await fingerprintDirectory(versionPath(this.root, index, version), nodeFiles).catch(() => before);
    return now !== before;
  }
}

function changedWhileVerified(index: string, version: string, names: readonly string[]): ShortlistError {
  const message = `${names.join(', ')} of ${index}@${version} changed while it was verified; it is verified again`;
  return new ShortlistError('file_corrupt', message, { index, version, files: names });
}
