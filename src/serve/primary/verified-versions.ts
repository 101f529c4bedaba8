/**
 * Knows which versions may be mapped: those whose files this process has read and verified, and whose stamps have not
 * changed since (file-stamps.ts says what stamps cannot detect).
 *
 * A version becomes untrusted by `distrust`, and trusted again when all of it is verified. Nothing is mapped here,
 * since damage ends a process that has mapped it, and this process must not end.
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
import { readNote } from '../../version/state/catalog.js';
import { shardsOf } from '../../version/sealed/shard-files.js';
import { entriesOf } from '../../version/sealed/version-reader.js';
import { findVersionProblems } from '../../version/sealed/verify.js';
import { versionKey } from '../channel/names.js';

interface Verified {
  readonly manifest: Manifest;
  /** When its content was first published, by the gate's verdict; else when it was built. Seconds since 1970. */
  readonly contentSince: number;
  /** Stamps of the files when they were verified. */
  readonly stamps: FileStamps;
  trusted: boolean;
}

export class VerifiedVersions {
  private readonly known = new Map<string, Verified>();
  private readonly verifying = new Map<string, Promise<Manifest>>();
  /** Fingerprint of each version's folder at the last verification, successful or not. */
  private readonly attempts = new Map<string, string>();

  /** @param shards numbers of those that are served, whose files are looked at; empty: all */
  constructor(
    private readonly root: string,
    private readonly shards: readonly number[],
  ) {}

  /** The manifest of a version that was verified once, even if it is untrusted now. */
  manifestOf(index: string, version: string): Manifest | null {
    return this.known.get(versionKey(index, version))?.manifest ?? null;
  }

  /** As `manifestOf`, when the content of the version was first published: a rebuild may bring nothing new. */
  contentSince(index: string, version: string): number | null {
    return this.known.get(versionKey(index, version))?.contentSince ?? null;
  }

  isTrusted(index: string, version: string): boolean {
    return this.known.get(versionKey(index, version))?.trusted ?? false;
  }

  /** The version may not be mapped until it is verified again. */
  distrust(index: string, version: string): void {
    const known = this.known.get(versionKey(index, version));
    if (known !== undefined) known.trusted = false;
  }

  /** Forgets all versions except these keys. */
  keepOnly(keys: ReadonlySet<string>): void {
    for (const map of [this.known, this.attempts]) for (const key of map.keys()) if (!keys.has(key)) map.delete(key);
  }

  /** Verifies all files, unless the version is trusted and unchanged. @throws the first problem, naming the file */
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
    const shards = shardsOf(manifest, this.shards);
    const names = [MANIFEST_FILE, ...entriesOf(manifest, shards).map(({ name }) => name)];
    const before = await readStamps(directory, names, nodeFiles);
    const [problem] = await findVersionProblems(this.root, index, version, { shards });
    if (problem !== undefined) throw problem;
    const after = await readStamps(directory, names, nodeFiles);
    if (!sameStamps(before, after)) throw changedWhileVerified(index, version, changedFiles(before, after));
    const contentSince = await readContentSince(this.root, manifest);
    this.known.set(key, { manifest, contentSince, stamps: after, trusted: true });
    return manifest;
  }

  /** Whether stamps show no change since the verification. */
  async isUnchanged(index: string, version: string): Promise<boolean> {
    return (await this.findChanged(index, version)).length === 0;
  }

  /** Names of files that may have changed since the verification; none for a version that was not verified. */
  async findChanged(index: string, version: string): Promise<string[]> {
    const known = this.known.get(versionKey(index, version));
    if (known === undefined) return [];
    const directory = versionPath(this.root, index, version);
    try {
      return changedFiles(known.stamps, await readStamps(directory, known.stamps.keys(), nodeFiles));
    } catch {
      return [...known.stamps.keys()]; // a file that cannot be examined counts as changed
    }
  }

  /**
   * Whether the file with this problem is still the one that was verified, so that workers have its damage mapped.
   * Otherwise it is missing or replaced, and workers have the verified file mapped.
   */
  async isSameFile(index: string, version: string, { details }: ShortlistError): Promise<boolean> {
    const file = details['file'];
    const stamps = this.known.get(versionKey(index, version))?.stamps;
    if (typeof file !== 'string' || stamps === undefined) return false;
    const name = basename(file);
    const now = await readStamps(versionPath(this.root, index, version), [name], nodeFiles).catch(() => null);
    return now !== null && now.get(name)?.inode === stamps.get(name)?.inode && now.has(name);
  }

  async hasChangedSinceAttempt(index: string, version: string): Promise<boolean> {
    const before = this.attempts.get(versionKey(index, version));
    if (before === undefined) return false;
    const now = await fingerprintDirectory(versionPath(this.root, index, version), nodeFiles).catch(() => before);
    return now !== before;
  }
}

/** A damaged verdict says nothing, and is no reason to fail. */
async function readContentSince(root: string, { index, version, created_at: builtAt }: Manifest): Promise<number> {
  const gate = await readNote(root, index, version, 'gate').catch(() => null);
  const since = Date.parse(String(gate?.['content_since']));
  return (Number.isNaN(since) ? Date.parse(builtAt) : since) / 1000;
}

function changedWhileVerified(index: string, version: string, names: readonly string[]): ShortlistError {
  const message = `${names.join(', ')} of ${index}@${version} changed during verification; verifying it again`;
  return new ShortlistError('file_corrupt', message, { index, version, files: names });
}
