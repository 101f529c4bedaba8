/**
 * A version in memory that can be changed and sealed again, so that every digest is right whatever it holds: of each section of
 * a section file and its header, of each section of a native graph and its header, of each file, of the manifest, and the
 * version's name. What reads it must then judge the contents alone.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { contentDigest } from '../../src/version/sealed/content-digest.js';
import type { FileEntry } from '../../src/version/sealed/manifest.js';
import { MANIFEST_FILE } from '../../src/version/disk/paths.js';
import { sealJson } from '../../src/version/disk/sealed-json.js';
import { xxh64 } from './xxh64.js';

export type Loose = Record<string, unknown>;

/** Of section-layout.ts and graph_file.cc, which these programs write on purpose without their checks. */
const PAGE = 4096;
const SECTION = { magic: 'SHORTLST', count: 12, digest: 32, table: 64, entry: 96, most: 42 } as const;
const GRAPH = { magic: 'SHORTGRF', table: 288, entry: 24, sections: 7, checksum: PAGE - 8 } as const;

export interface Part {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
}

export const GRAPH_PARTS = ['low', 'codes', 'norms', 'links', 'upper_rows', 'upper_links', 'next_equal'] as const;

export class SealedVersion {
  readonly files = new Map<string, Buffer>();
  manifest: Loose;

  constructor(
    readonly index: string,
    readonly original: string,
    files: ReadonlyMap<string, Buffer>,
    manifest: Loose,
  ) {
    for (const [name, bytes] of files) this.files.set(name, bytes);
    this.manifest = manifest;
  }

  static read(root: string, index: string, version: string): SealedVersion {
    const folder = join(root, index, version);
    const files = new Map<string, Buffer>();
    for (const name of readdirSync(folder))
      if (name !== MANIFEST_FILE) files.set(name, readFileSync(join(folder, name)));
    for (const bytes of files.values()) digestOf(bytes);
    return new SealedVersion(
      index,
      version,
      files,
      JSON.parse(readFileSync(join(folder, MANIFEST_FILE), 'utf8')) as Loose,
    );
  }

  /** Its own copy of the manifest, and of a file as soon as that is asked for by `change`. */
  copy(): SealedVersion {
    return new SealedVersion(this.index, this.original, this.files, structuredClone(this.manifest));
  }

  names(pattern: RegExp): string[] {
    return [...this.files.keys()].filter((name) => pattern.test(name));
  }

  /** A file's bytes, to be changed in place. */
  change(name: string): Buffer {
    const own = Buffer.from(this.files.get(name)!);
    this.files.set(name, own);
    return own;
  }

  /** Makes every digest right and writes the version. @param changeEntries changes the manifest's own list of files at last */
  write(root: string, changeEntries: (manifest: Loose) => void = () => undefined): string {
    // What was not changed is sealed: of all copies it is the same memory.
    for (const bytes of this.files.values()) if (!digests.has(bytes)) seal(bytes);
    const files: FileEntry[] = [...this.files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, bytes]) => ({
      name, bytes: bytes.length, sha256: digestOf(bytes),
    })); // prettier-ignore
    this.manifest['files'] = files;
    changeEntries(this.manifest);
    const content = contentDigest(this.manifest['files'] as FileEntry[]);
    const version = `${this.original.slice(0, -8)}${content.slice(0, 8)}`;
    if (this.manifest['version'] === this.original) this.manifest['version'] = version;
    this.manifest['content'] = `sha256:${content}`;
    const folder = join(root, this.index, version);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    for (const [name, bytes] of this.files) writeFileSync(join(folder, name), bytes);
    writeFileSync(join(folder, MANIFEST_FILE), sealJson(this.manifest));
    return version;
  }
}

/** Digests of files as they were read. */
const digests = new WeakMap<Buffer, string>();

function digestOf(bytes: Buffer): string {
  const known = digests.get(bytes) ?? createHash('sha256').update(bytes).digest('hex');
  digests.set(bytes, known);
  return known;
}

function seal(bytes: Buffer): void {
  const magic = bytes.toString('latin1', 0, 8);
  if (bytes.length < PAGE) return;
  if (magic === SECTION.magic) sealSections(bytes);
  if (magic === GRAPH.magic) sealGraph(bytes);
}

/** The parts of a section file or a native graph, as far as they lie inside it. */
export function partsOf(bytes: Buffer): Part[] {
  if (bytes.length < PAGE) return [];
  const magic = bytes.toString('latin1', 0, 8);
  const parts: Part[] = [];
  if (magic === SECTION.magic) {
    const count = Math.min(SECTION.most, bytes.readUInt32LE(SECTION.count));
    for (let i = 0; i < count; i++) {
      const at = SECTION.table + SECTION.entry * i;
      const name = bytes.toString('latin1', at, at + 32).replace(/\0.*$/s, '');
      parts.push({
        name,
        offset: Number(bytes.readBigUInt64LE(at + 32)),
        bytes: Number(bytes.readBigUInt64LE(at + 40)),
      });
    }
  } else if (magic === GRAPH.magic) {
    for (const [i, name] of GRAPH_PARTS.entries()) {
      const at = GRAPH.table + GRAPH.entry * i;
      parts.push({ name, offset: Number(bytes.readBigUInt64LE(at)), bytes: Number(bytes.readBigUInt64LE(at + 8)) });
    }
  }
  return parts.filter(({ offset, bytes: length }) => offset + length <= bytes.length);
}

function sealSections(bytes: Buffer): void {
  const parts = partsOf(bytes);
  const count = Math.min(SECTION.most, bytes.readUInt32LE(SECTION.count));
  for (let i = 0; i < count; i++) {
    const at = SECTION.table + SECTION.entry * i;
    const offset = Number(bytes.readBigUInt64LE(at + 32));
    const part = parts.find((one) => one.offset === offset);
    if (part === undefined) continue;
    createHash('sha256')
      .update(bytes.subarray(offset, offset + part.bytes))
      .digest()
      .copy(bytes, at + 48);
  }
  bytes.fill(0, SECTION.digest, SECTION.digest + 32);
  createHash('sha256').update(bytes.subarray(0, PAGE)).digest().copy(bytes, SECTION.digest);
}

function sealGraph(bytes: Buffer): void {
  for (const { name, offset, bytes: length } of partsOf(bytes)) {
    const at = GRAPH.table + GRAPH.entry * GRAPH_PARTS.indexOf(name as (typeof GRAPH_PARTS)[number]);
    bytes.writeBigUInt64LE(xxh64(bytes.subarray(offset, offset + length)), at + 16);
  }
  bytes.writeBigUInt64LE(xxh64(bytes.subarray(0, GRAPH.checksum)), GRAPH.checksum);
}
