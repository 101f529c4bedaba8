/**
 * Writes answers to an Arrow IPC file (answer-table.ts) with index and version in the schema's metadata. The file
 * appears whole or not at all.
 *
 * Until then it is `<file>.partial`, with a checkpoint in `<file>.partial.json` every few seconds. A run that was
 * killed goes on after the last checkpoint if it asks the same (the key), and writes the same bytes as an unbroken
 * run. Before it goes on it reads what is there and compares its digest with that of the checkpoint: a file that was
 * changed or cut meanwhile is begun anew, with a warning.
 */
import { createHash, type Hash } from 'node:crypto';
import { truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ArrowWriter, type FileState } from '../../arrow/write/writer.js';
import type { Column } from '../../arrow/column.js';
import { ioError, ShortlistError } from '../../base/errors.js';
import { attempt, closing, hashRange, openIfPresent, readSmallFile, replaceFile, statIfPresent, temporaryName } from '../../version/disk/durable.js'; // prettier-ignore
import { errnoIn, nodeFiles, type OpenFile } from '../../version/disk/files.js';
import { currentProcess, livenessOf, type ProcessIdentity } from '../../version/locks/process-identity.js';
import type { AnswerTable } from './answer-table.js';

/** Checks before the search that the file can be written. @throws io_error */
export async function checkAnswerPath(path: string): Promise<void> {
  const folder = dirname(path);
  const found = await statIfPresent(folder, nodeFiles);
  if (found?.kind !== 'directory')
    throw new ShortlistError('io_error', `${folder} is not a folder; create it, or write the answers elsewhere`, {
      file: folder,
    });
  const there = await statIfPresent(path, nodeFiles);
  if (there?.kind === 'directory')
    throw new ShortlistError('io_error', `${path} is a folder; give the path of a file`, { file: path });
  if (there?.kind === 'other')
    throw new ShortlistError('io_error', `${path} is a link, pipe or device; give a file, or - for stdout`, {
      file: path,
    });
}

/** What is written so far. */
interface Progress {
  /** Queries answered. */
  readonly queries: number;
  /** Candidates written. */
  readonly rows: number;
}

interface Checkpoint extends Progress {
  readonly owner: ProcessIdentity;
  readonly format: typeof CHECKPOINT_FORMAT;
  readonly key: string;
  readonly file: FileState;
  /** Of the bytes that the state describes. */
  readonly sha256: string;
}

interface OpenOptions {
  readonly signal?: AbortSignal | undefined;
  /** While the bytes of an earlier run are read. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

const CHECKPOINT_FORMAT = 2;
const CHECKPOINT_MS = 2_000;
/** 1,000,000 record batches. */
const MAX_CHECKPOINT_BYTES = 2 ** 27;

export class AnswerFile {
  /** When the last checkpoint was written. */
  private checkpointMs = performance.now();
  private checkpointing: Promise<void> = Promise.resolve();
  private failure: Error | null = null;

  private constructor(
    private readonly path: string,
    private readonly key: string,
    private readonly writer: ArrowWriter,
    private readonly file: OpenFile,
    /** Has all that is written. */
    private readonly hash: Hash,
    private done: Progress,
  ) {}

  /**
   * Begins the file, or continues it.
   * @param request all that decides the answers: a run with another request starts anew
   */
  static async open(
    path: string,
    table: AnswerTable,
    request: unknown,
    options: OpenOptions = {},
  ): Promise<AnswerFile> {
    const key = createHash('sha256').update(JSON.stringify(request)).digest('hex');
    const claimed = await claim(path, key);
    const partial = partialPath(path);
    const hash = claimed === null ? null : await hashWritten(partial, claimed, options);
    const found = hash === null ? null : claimed;
    if (claimed !== null && found === null) await forget(path, options);
    if (found === null) await attempt(nodeFiles.removeFile(partial));
    else await truncate(partial, found.file.position).catch((error: unknown) => {
      throw ioError('shorten', partial, error);
    }); // prettier-ignore
    const file = await nodeFiles.open(partial, found === null ? 'create' : 'change');
    let position = found?.file.position ?? 0;
    const written = hash ?? createHash('sha256');
    const append = async (bytes: Uint8Array): Promise<void> => {
      await file.writeAt(bytes, position);
      written.update(bytes);
      position += bytes.length;
    };
    const schema = { fields: table.fields, metadata: new Map(table.metadata) };
    const writer = new ArrowWriter('file', schema, append, found?.file);
    return new AnswerFile(path, key, writer, file, written, found ?? { queries: 0, rows: 0 });
  }

  get progress(): Progress {
    return this.done;
  }

  /** Appends a record batch. @param queries how many queries it answers */
  async write(columns: readonly Column[], queries: number): Promise<void> {
    const rows = columns[0]!.rows;
    if (rows > 0) await this.writer.write(columns);
    this.done = { queries: this.done.queries + queries, rows: this.done.rows + rows };
    if (this.failure !== null) throw this.failure;
    if (performance.now() - this.checkpointMs < CHECKPOINT_MS) return;
    this.checkpointMs = Infinity; // until this one is written
    this.checkpointing = this.checkpoint()
      .catch((error: unknown) => {
        this.failure = error as Error;
      })
      .finally(() => {
        this.checkpointMs = performance.now();
      });
  }

  /** Makes what is written so far durable, and says so. Writing goes on meanwhile. */
  private async checkpoint(): Promise<void> {
    const checkpoint: Checkpoint = {
      format: CHECKPOINT_FORMAT,
      key: this.key,
      owner: currentProcess(),
      ...this.done,
      // Before the first await: the next batch may be written meanwhile.
      sha256: this.hash.copy().digest('hex'),
      file: await this.writer.state(),
    };
    await this.file.sync();
    await replaceFile(checkpointPath(this.path), Buffer.from(JSON.stringify(checkpoint)), nodeFiles);
  }

  /** Completes the file and moves it to its place. */
  async finish(): Promise<void> {
    await this.checkpointing;
    await this.writer.close();
    await this.file.sync();
    await this.file.close();
    await nodeFiles.rename(partialPath(this.path), this.path);
    await attempt(nodeFiles.removeFile(checkpointPath(this.path)));
  }

  /** Keeps what is written, for a later run. */
  async suspend(): Promise<void> {
    await this.checkpointing;
    await attempt(this.checkpoint());
    await attempt(this.file.close());
  }

  /** Removes what is written. */
  async discard(): Promise<void> {
    await this.checkpointing;
    await attempt(this.file.close());
    await attempt(nodeFiles.removeFile(partialPath(this.path)));
    await attempt(nodeFiles.removeFile(checkpointPath(this.path)));
  }
}

export function partialPath(path: string): string {
  return `${path}.partial`;
}

function checkpointPath(path: string): string {
  return `${partialPath(path)}.json`;
}

/**
 * Makes this process the only writer: the checkpoint names its owner and is made exclusively. That of a process that is
 * gone is taken over by a rename, which succeeds for one.
 * @returns the checkpoint to continue from; null to begin anew
 * @throws index_busy if another process writes the file
 */
async function claim(path: string, key: string): Promise<Checkpoint | null> {
  const own = checkpointPath(path);
  const bytes = await readSmallFile(own, MAX_CHECKPOINT_BYTES, nodeFiles);
  const found = bytes === null ? null : parse(bytes);
  if (found?.owner !== undefined && isOther(found.owner)) throw busy(path, found.owner);
  if (bytes !== null) {
    const taken = `${own}.${temporaryName()}`;
    await nodeFiles.rename(own, taken).catch(() => Promise.reject(busy(path, found?.owner)));
    await attempt(nodeFiles.removeFile(taken));
  }
  const file = await nodeFiles.open(own, 'create').catch((error: unknown) => {
    throw errnoIn(error) === 'EEXIST' ? busy(path, undefined) : error;
  });
  const continued = continues(found, key) ? found : null;
  await closing(file, () => file.write(Buffer.from(JSON.stringify({ ...continued, format: CHECKPOINT_FORMAT, owner: currentProcess() })))); // prettier-ignore
  return continued;
}

/** Whether the checkpoint is of this request, and something was written. */
function continues(found: Partial<Checkpoint> | null, key: string): found is Checkpoint {
  if (found?.format !== CHECKPOINT_FORMAT || found.key !== key) return false;
  return found.file !== undefined && found.queries !== undefined && found.sha256 !== undefined;
}

/** The digest of what the checkpoint describes, to be continued; null if the file has other bytes. */
async function hashWritten(partial: string, checkpoint: Checkpoint, options: OpenOptions): Promise<Hash | null> {
  const { position } = checkpoint.file;
  const file = await openIfPresent(partial, nodeFiles);
  if (file === null) return null;
  return closing(file, async () => {
    if ((await file.stat()).kind !== 'file') return null;
    const hash = createHash('sha256');
    let done = 0;
    const onBytes = (bytes: number): void => options.onProgress?.((done += bytes), position);
    const { sha256 } = await hashRange(file, 0, position, { hash, onBytes, signal: options.signal });
    return sha256 === checkpoint.sha256 ? hash : null;
  });
}

/** Begins anew: the checkpoint describes bytes that are not there. */
async function forget(path: string, { onWarning }: OpenOptions): Promise<void> {
  onWarning?.(`${partialPath(path)} does not have the bytes that were written to it; all queries are answered again`);
  const empty = { format: CHECKPOINT_FORMAT, owner: currentProcess() };
  await replaceFile(checkpointPath(path), Buffer.from(JSON.stringify(empty)), nodeFiles);
}

function isOther(owner: ProcessIdentity): boolean {
  const self = currentProcess();
  try {
    return !(owner.pid === self.pid && owner.started === self.started) && livenessOf(owner, self) === 'alive';
  } catch {
    return false; // not the checkpoint of any release
  }
}

function busy(path: string, owner: ProcessIdentity | undefined): ShortlistError {
  const who = owner === undefined ? 'another process' : `process ${owner.pid}`;
  return new ShortlistError('index_busy', `${who} is writing ${path}; wait for it, or give another file`, {
    file: path,
  });
}

/** Replaced atomically, so that it is whole or not ours. */
function parse(bytes: Uint8Array): Partial<Checkpoint> | null {
  try {
    return JSON.parse(Buffer.from(bytes).toString()) as Partial<Checkpoint>;
  } catch {
    return null;
  }
}
