/**
 * SHA-256 of the input files, computed while they are read.
 *
 * Hashing costs about as much as checking vectors. So large inputs are hashed on a thread of their own, in the order of
 * reading and so mostly from the page cache. Small ones are hashed on request, since a thread takes 40 ms to start.
 */
import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { ShortlistError, deserializeError, ioError, type SerializedError } from '../base/errors.js';

export interface FileHash {
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** What the thread posts before it ends. */
export type HashMessage = { readonly hashes: FileHash[] } | { readonly error: SerializedError };

export interface HashRun {
  /** The hashes, in the order of the paths. */
  result(): Promise<FileHash[]>;
  /** Ends the thread, finished or not. */
  stop(): Promise<void>;
}

/** Hashing fewer bytes takes less time than starting the thread. */
const MIN_THREAD_BYTES = 16 * 1024 * 1024;
const READ_BYTES = 1024 * 1024;

/** @param totalBytes of all files: it decides whether a thread is started */
export function startHashing(paths: readonly string[], totalBytes: number): HashRun {
  if (totalBytes < MIN_THREAD_BYTES) return { result: () => hashFiles(paths), stop: () => Promise.resolve() };
  const worker = new Worker(new URL('./hash-files-worker.js', import.meta.url), { workerData: paths });
  const result = new Promise<FileHash[]>((resolve, reject) => {
    worker.once('message', (message: HashMessage) => {
      if ('hashes' in message) resolve(message.hashes);
      else reject(deserializeError(message.error));
    });
    worker.once('error', reject);
    worker.once('exit', () => reject(new ShortlistError('internal', 'the thread that hashes the input ended early')));
  });
  result.catch(() => undefined); // whoever awaits the result gets the error
  return {
    result: () => result,
    stop: async () => {
      await worker.terminate();
    },
  };
}

/** The hashes of a run. They may take long after the last row, so the wait can be aborted. */
export async function awaitHashes(hashing: HashRun, signal: AbortSignal | undefined): Promise<FileHash[]> {
  const stop = (): void => void hashing.stop();
  signal?.addEventListener('abort', stop);
  try {
    return await hashing.result();
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

export async function hashFiles(paths: readonly string[]): Promise<FileHash[]> {
  const hashes: FileHash[] = [];
  for (const path of paths) hashes.push(await hashFile(path));
  return hashes;
}

async function hashFile(path: string): Promise<FileHash> {
  let file: FileHandle | null = null;
  try {
    file = await open(path);
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    let bytes = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES);
      if (bytesRead === 0) return { bytes, sha256: hash.digest('hex') };
      hash.update(buffer.subarray(0, bytesRead));
      bytes += bytesRead;
    }
  } catch (error) {
    throw ioError('read', path, error);
  } finally {
    await file?.close();
  }
}
