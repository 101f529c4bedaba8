/**
 * Where the parts of an array job wait: `<root>/<index>/.parts/<plan>/shard-0007/`, with the files of the shard as they
 * will be in the version, the numbers of its bad rows, and PART.json, which says that the part is whole. A task works
 * in a folder of its own beside it, and one rename makes it the part. Of two tasks for one shard, the first wins; the
 * other's work is the same bytes, and is deleted.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { attempt, ensureDirectory, listIfPresent, readSmallFile, removeTree, replaceFile } from '../../version/disk/durable.js'; // prettier-ignore
import type { Fields } from '../../version/disk/fields.js';
import { errnoIn, type FileSystem } from '../../version/disk/files.js';
import { partsPath, shardFile } from '../../version/disk/paths.js';
import { readSealed, writeSealed } from '../../version/disk/sealed-json.js';
import { currentProcess, livenessOf, type ProcessIdentity } from '../../version/locks/process-identity.js';
import type { FileEntry } from '../../version/sealed/manifest.js';
import type { BadRows } from '../../ingest/bad-rows.js';

const PART_FILE = 'PART.json';
const OWNER_FILE = 'OWNER.json';
const MAX_PART_BYTES = 2 ** 24;
/** Errnos of a rename onto a folder that is there. */
const THERE = new Set(['ENOTEMPTY', 'EEXIST']);

/** What a task says of its shard. Its rows have numbers in the input in place of ordinals. */
export interface Part {
  readonly shard: number;
  readonly count: number;
  /** Null if the shard has no rows. */
  readonly dim: number | null;
  readonly figures: Readonly<Record<string, number>>;
  /** Of the version, in its order: vectors, ids, attributes, the engine's. None if the shard cannot be built. */
  readonly files: readonly FileEntry[];
  readonly norm: { readonly mean: number; readonly count: number };
  readonly bad_rows: BadRows;
  /** SHA-256 of sources by position; each source is hashed by one task. */
  readonly sources: readonly (readonly [number, string])[];
  /** Seconds of each stage. */
  readonly stages: Readonly<Record<string, number>>;
  /** Peak of resident memory, in bytes. */
  readonly peak_memory_bytes: number;
}

/** Numbers of bad rows, ascending: uint32. */
export const REJECTED_FILE = 'rejected.bin';
/** The bad rows as JSON Lines, in the same order. */
export const REJECTS_FILE = 'rejects.jsonl';

export class PartFolder {
  private readonly folder: string;

  constructor(
    root: string,
    index: string,
    plan: string,
    private readonly files: FileSystem,
  ) {
    this.folder = join(partsPath(root, index), plan);
  }

  /** Folder of a finished part. */
  pathOf(shard: number): string {
    return join(this.folder, shardFile(shard, '').slice(0, -1));
  }

  /** The finished part of a shard; null if there is none. @throws state_corrupt */
  async read(shard: number): Promise<Part | null> {
    const path = join(this.pathOf(shard), PART_FILE);
    const remedy = `remove ${this.pathOf(shard)}, and run build-shard for shard ${shard} again`;
    const check = (fields: Fields): Part => {
      if (fields.integer('shard') !== shard) fields.fail('shard', `is not ${shard}`);
      return fields.all() as unknown as Part;
    };
    return readSealed({ path, code: 'state_corrupt', maxBytes: MAX_PART_BYTES, remedy, check }, this.files);
  }

  /** A folder to work in. What tasks of this machine that died left for the same shard is deleted. */
  async begin(shard: number): Promise<string> {
    await ensureDirectory(this.folder, this.files);
    const prefix = `.work-${shard}-`;
    for (const { name } of await listIfPresent(this.folder, this.files)) {
      if (name.startsWith(prefix) && (await this.isAbandoned(join(this.folder, name)))) await attempt(removeTree(join(this.folder, name), this.files)); // prettier-ignore
    }
    const work = join(this.folder, `${prefix}${randomUUID()}`);
    await ensureDirectory(work, this.files);
    await replaceFile(join(work, OWNER_FILE), Buffer.from(JSON.stringify(currentProcess())), this.files);
    return work;
  }

  /** Makes the work the part. @returns the part that is there now: this one, or that of a task that was faster */
  async finish(work: string, part: Part): Promise<Part> {
    await this.files.removeFile(join(work, OWNER_FILE));
    await writeSealed(join(work, PART_FILE), part, this.files);
    await this.files.syncDirectory(work);
    try {
      await this.files.rename(work, this.pathOf(part.shard));
      await this.files.syncDirectory(this.folder);
    } catch (error) {
      if (!THERE.has(errnoIn(error) ?? '')) throw error;
      await attempt(removeTree(work, this.files));
    }
    return (await this.read(part.shard)) ?? part;
  }

  abandon(work: string): Promise<void> {
    return attempt(removeTree(work, this.files));
  }

  /** Deletes all parts. */
  async remove(): Promise<void> {
    await removeTree(this.folder, this.files);
    await attempt(this.files.removeDirectory(join(this.folder, '..')));
  }

  private async isAbandoned(work: string): Promise<boolean> {
    const bytes = await readSmallFile(join(work, OWNER_FILE), 2 ** 16, this.files);
    if (bytes === null) return false; // it begins, or ends
    try {
      const owner = JSON.parse(Buffer.from(bytes).toString()) as ProcessIdentity;
      return livenessOf(owner, currentProcess()) === 'gone';
    } catch {
      return false;
    }
  }
}
