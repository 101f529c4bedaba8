/** Small real versions for the tests of this folder. */
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ArrowField, Column } from '../../src/arrow/column.js';
import { IdTableBuilder } from '../../src/base/id-table-builder.js';
import { seededRandom } from '../../src/base/random.js';
import type { FileSystem } from '../../src/version/disk/files.js';
import { withLock, type Lock, type LockOptions } from '../../src/version/locks/lock.js';
import type { Manifest, ManifestDraft } from '../../src/version/sealed/manifest.js';
import { currentProcess, type ProcessIdentity } from '../../src/version/locks/process-identity.js';
import { RowsWriter } from '../../src/version/sealed/rows-writer.js';
import { scratchFolder } from '../scratch.js';

export const INDEX = 'listings';

/** An empty directory, in memory where that can be: the tests sync thousands of small files. It goes with the run. */
export function temporaryDirectory(): string {
  return mkdtempSync(join(scratchFolder(), 'shortlist-version-'));
}

/** A process that is gone: this one, had it started at another time. Its locks are free for anybody. */
export function deadProcess(): ProcessIdentity {
  return { ...currentProcess(), started: '1' };
}

export const DRAFT: ManifestDraft = {
  tool_version: '0.1.0',
  metric: 'l2',
  id: { column: 'id', type: 'int64', label: 'int64' },
  vector: { column: 'embedding', type: 'fixed_size_list<float32>[4]', label: 'fixed_size_list<float>[4]' },
  engine: { name: 'hnswlib', parameters: { m: 16, ef_construction: 200, scale: 1 } },
  seed: 42,
  options: { on_bad_row: 'fail', attributes: ['title', 'price'] },
  sources: [{ path: 'listings.arrow', bytes: 100, rows: 20, sha256: createHash('sha256').digest('hex') }],
  rejects: { total: 0, kinds: {} },
  duplicates: 0,
  stages: { read: 0.5 },
};

const FIELDS: readonly ArrowField[] = [
  { name: 'title', type: { kind: 'utf8' }, nullable: true, label: 'string' },
  { name: 'price', type: { kind: 'float', bits: 32 }, nullable: false, label: 'float' },
];

export interface VersionSpec {
  /** Other seeds have other vectors, so other contents. */
  readonly seed?: number;
  readonly rows?: number;
  readonly dim?: number;
  readonly shards?: number;
  readonly batch?: number;
  readonly attributes?: boolean;
  readonly now?: () => Date;
  readonly files?: FileSystem;
  readonly lock?: LockOptions;
}

export interface Rows {
  readonly vectors: Float32Array;
  readonly titles: readonly (string | null)[];
  readonly prices: Float32Array;
}

export function makeRows({ seed = 1, rows = 20, dim = 4 }: VersionSpec): Rows {
  const random = seededRandom(seed);
  const vectors = Float32Array.from({ length: rows * dim }, random);
  const titles = Array.from({ length: rows }, (_, row) => (row % 5 === 3 ? null : `title ${row} é`));
  return { vectors, titles, prices: Float32Array.from({ length: rows }, (_, row) => row / 4) };
}

/** Builds a version as the build does, without a graph. */
export async function makeVersion(root: string, spec: VersionSpec = {}): Promise<Manifest> {
  const work = (lock: Lock): Promise<Manifest> => fillVersion(root, spec, lock);
  return withLock(root, INDEX, 'build', 'shortlist build', work, { ...spec.lock, files: spec.files });
}

async function fillVersion(root: string, spec: VersionSpec, lock: Lock): Promise<Manifest> {
  const { rows = 20, dim = 4, shards = 2, batch = 7, attributes = true } = spec;
  const data = makeRows(spec);
  const builder = new IdTableBuilder({ kind: 'int', bits: 64, signed: true });
  const rowsWriter = await RowsWriter.create({
    root,
    index: INDEX,
    shards,
    attributes: attributes ? FIELDS : [],
    lock,
    files: spec.files,
    now: spec.now,
  });
  try {
    for (let from = 0; from < rows; from += batch) {
      const count = Math.min(batch, rows - from);
      const hashes = Uint32Array.from({ length: count }, (_, row) => {
        builder.addInteger(1000 + from + row, 0);
        return builder.lastHash;
      });
      const vectors = data.vectors.subarray(from * dim, (from + count) * dim);
      const columns = attributes ? columnsOf(data, from, count) : [];
      await rowsWriter.append({ rows: count, firstOrdinal: from, dim, vectors, hashes, attributes: columns });
    }
    const writer = await rowsWriter.finish(builder.finish());
    return await writer.seal(DRAFT);
  } catch (error) {
    await rowsWriter.abort();
    throw error;
  }
}

function columnsOf({ titles, prices }: Rows, from: number, count: number): Column[] {
  const texts = titles.slice(from, from + count);
  const encoded = texts.map((text) => Buffer.from(text ?? ''));
  const offsets = new Uint32Array(count + 1);
  encoded.forEach((bytes, row) => (offsets[row + 1] = offsets[row]! + bytes.length));
  const valid = Uint8Array.from(texts, (text) => (text === null ? 0 : 1));
  return [
    { shape: 'strings', type: FIELDS[0]!.type, rows: count, valid, offsets, bytes: Buffer.concat(encoded) },
    { shape: 'numbers', type: FIELDS[1]!.type, rows: count, valid: null, values: prices.subarray(from, from + count) },
  ];
}

/** A copy of a root, to break. */
export function copyRoot(root: string): string {
  const copy = temporaryDirectory();
  cpSync(root, copy, { recursive: true });
  return copy;
}

/** Every file below a directory with its content, by relative path. */
export function snapshot(directory: string): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path.slice(directory.length + 1), readFileSync(path).toString('latin1')]),
  );
}

/** Writes over a file that may be read-only. */
export function overwrite(path: string, bytes: Uint8Array | string): void {
  rmSync(path, { force: true });
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, bytes);
}

/** The code and message of what is thrown, to match in one go. */
export async function failureOf(work: Promise<unknown>): Promise<{ code: string; message: string; file: unknown }> {
  try {
    await work;
  } catch (error) {
    const { code, message, details } = error as { code: string; message: string; details?: Record<string, unknown> };
    return { code, message, file: details?.['file'] };
  }
  throw new Error('nothing failed');
}
