/**
 * A file that arrives in parts, in any order, and survives the end of the process: beside it lies a journal of the
 * parts that are complete. Takes an entry of a manifest and its folder; gives the parts that are still missing, and at
 * the end the file under its own name, if its bytes have the digest of the entry.
 *
 * Both files have hidden names until then, which no file of a version has. After a loss of power the journal may name
 * parts that never reached the disk; the digest finds that, and the file is then loaded again.
 */
import { join } from 'node:path';
import { attempt, closing, hashRange, readSmallFile, statIfPresent } from '../version/disk/durable.js';
import type { FileSystem, OpenFile } from '../version/disk/files.js';
import type { FileEntry } from '../version/sealed/manifest.js';

/** A journal of 1,000,000 parts of 8 MiB is one of 8 TB. */
const MAX_JOURNAL_BYTES = 16 * 2 ** 20;

export interface Part {
  readonly number: number;
  /** Its first byte, and the byte after its last one. */
  readonly from: number;
  readonly to: number;
}

export class PartFile {
  private constructor(
    readonly entry: FileEntry,
    private readonly paths: { readonly data: string; readonly journal: string; readonly final: string },
    private readonly data: OpenFile,
    private readonly journal: OpenFile,
    private journalBytes: number,
    private readonly files: FileSystem,
    readonly missing: readonly Part[],
  ) {}

  /** Null if the file is there already, complete. */
  static async open(
    directory: string,
    entry: FileEntry,
    partBytes: number,
    files: FileSystem,
  ): Promise<PartFile | null> {
    const paths = pathsOf(directory, entry.name);
    const found = await statIfPresent(paths.final, files);
    if (found?.kind === 'file' && found.bytes === entry.bytes) return null;
    const head = `${entry.sha256} ${entry.bytes} ${partBytes}\n`;
    const text = Buffer.from((await readSmallFile(paths.journal, MAX_JOURNAL_BYTES, files)) ?? []).toString('latin1');
    const hasData = (await statIfPresent(paths.data, files)) !== null;
    const isContinued = hasData && text.startsWith(head);
    if (!isContinued) await removeBoth(paths, files);
    const mode = isContinued ? 'change' : 'create';
    const data = await files.open(paths.data, mode);
    const journal = await files.open(paths.journal, mode).catch(async (error: unknown) => {
      await attempt(data.close());
      throw error;
    });
    // A line that a kill has cut has no end, and is overwritten.
    const kept = isContinued ? text.slice(0, text.lastIndexOf('\n') + 1) : head;
    const done = new Set(kept.slice(head.length).split('\n').filter(Boolean).map(Number));
    const missing = partsOf(entry.bytes, partBytes).filter(({ number }) => !done.has(number));
    const file = new PartFile(entry, paths, data, journal, kept.length, files, missing);
    if (!isContinued) await file.orLeave(() => journal.write(Buffer.from(head)));
    return file;
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    return this.data.writeAt(bytes, position);
  }

  async complete(part: Part): Promise<void> {
    const line = Buffer.from(`${part.number}\n`);
    const at = this.journalBytes;
    this.journalBytes += line.length;
    await this.journal.writeAt(line, at);
  }

  /** All parts are complete. @returns whether the bytes are right; if not, the file and its journal are removed */
  async finish(signal?: AbortSignal): Promise<boolean> {
    const { sha256 } = await this.orLeave(async () => {
      await this.data.sync();
      const file = await this.files.open(this.paths.data, 'read');
      return closing(file, () => hashRange(file, 0, this.entry.bytes, { signal }));
    });
    await this.leave();
    if (sha256 !== this.entry.sha256) {
      await removeBoth(this.paths, this.files);
      return false;
    }
    await this.files.rename(this.paths.data, this.paths.final);
    await this.files.removeFile(this.paths.journal);
    return true;
  }

  private async orLeave<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      await this.leave();
      throw error;
    }
  }

  /** Keeps what is complete, for the next attempt. */
  async leave(): Promise<void> {
    await attempt(this.data.close());
    await attempt(this.journal.close());
  }
}

function pathsOf(directory: string, name: string) {
  const at = (prefix: string): string => join(directory, `${prefix}${name}`);
  return { data: at('.part-'), journal: at('.journal-'), final: at('') };
}

async function removeBoth({ data, journal }: { data: string; journal: string }, files: FileSystem): Promise<void> {
  await attempt(files.removeFile(journal));
  await attempt(files.removeFile(data));
}

function partsOf(bytes: number, partBytes: number): Part[] {
  const count = Math.ceil(bytes / partBytes);
  return Array.from({ length: count }, (_, number) => ({
    number,
    from: number * partBytes,
    to: Math.min(bytes, (number + 1) * partBytes),
  }));
}
