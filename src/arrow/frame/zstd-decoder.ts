/**
 * Decompresses a Zstandard frame off the caller's thread: with node:zlib if Node has it (from 22.15), else with
 * @bokuweb/zstd-wasm on a thread of its own (zstd-thread.ts).
 *
 * That package is libzstd compiled to WebAssembly: hostile bytes reach only its own memory, it checks every error code,
 * and it needs no compiler at installation. zstddec is libzstd too, but returns no bytes where it fails. fzstd checks
 * neither lengths nor distances, and has had no release for years. Native packages do not bound the decompressed size.
 */
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import * as zlib from 'node:zlib';
import { ShortlistError } from '../../base/errors.js';
import { unsupported } from '../fault.js';
import type { ZstdReply, ZstdTask } from './zstd-thread.js';

/**
 * @param frame one frame, measured before
 * @param length its decompressed size; a frame that decompresses to more is an error
 * @throws Error from the library if the frame is damaged
 */
type ZstdDecoder = (frame: Uint8Array, length: number) => Promise<Uint8Array>;

type ZstdDecompress = (
  bytes: Uint8Array,
  options: { readonly maxOutputLength: number; readonly chunkSize: number },
  callback: (error: Error | null, content: Uint8Array) => void,
) => void;

/** Missing in the types of Node 20. */
const { zstdDecompress } = zlib as { readonly zstdDecompress?: ZstdDecompress };

/** Size of the pieces of content. Node's default of 16 KiB takes twice as long for a buffer of 48 MiB. */
const PIECE_BYTES = 1024 * 1024;
const MIN_PIECE_BYTES = 64; // of zlib

function decodeByNode(decompress: ZstdDecompress): ZstdDecoder {
  const run = promisify(decompress);
  return (frame, length) => {
    const chunkSize = Math.max(MIN_PIECE_BYTES, Math.min(PIECE_BYTES, length + 1));
    return run(frame, { maxOutputLength: Math.max(1, length), chunkSize });
  };
}

/** WebAssembly memory ends at 2 GiB. It holds the frame, its content and the state of the decoder. */
const MAX_WASM_BYTES = 1.9 * 2 ** 30;

/** An idle thread ends after this time, since its memory never shrinks. Starting one takes about 50 ms. */
const IDLE_MS = 5_000;

interface Waiting {
  readonly resolve: (content: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

interface Thread {
  readonly worker: Worker;
  /** The thread answers in the order of requests. */
  readonly waiting: Waiting[];
  readonly idle: NodeJS.Timeout;
}

let current: Thread | null = null;

async function decodeOnThread(frame: Uint8Array, length: number): Promise<Uint8Array> {
  if (frame.length + length > MAX_WASM_BYTES) {
    const clause = `one of its Zstandard buffers decompresses to ${length} bytes, more than Node ${process.versions.node} can`;
    throw unsupported(`${clause}; use Node 22.15 or later, or write it in smaller batches (max_chunksize)`);
  }
  current ??= startThread();
  const { worker, waiting } = current;
  return new Promise((resolve, reject) => {
    waiting.push({ resolve, reject });
    worker.ref();
    const task: ZstdTask = { frame: new Uint8Array(frame), length }; // a copy: the caller would lose what is transferred
    worker.postMessage(task, [task.frame.buffer as ArrayBuffer]);
  });
}

function startThread(): Thread {
  const worker = new Worker(new URL('./zstd-thread.js', import.meta.url), { name: 'zstd', execArgv: [] });
  const idle = setTimeout(() => endIdle(thread), IDLE_MS).unref();
  const thread: Thread = { worker, waiting: [], idle };
  let failure: unknown;
  worker.on('message', (reply: ZstdReply) => settleOldest(thread, reply));
  worker.on('error', (error) => (failure = error));
  worker.on('exit', (code) => failWaiting(thread, failure ?? new Error(`exit code ${code}`)));
  worker.unref(); // after the listeners, which would ref it again
  return thread;
}

function settleOldest({ worker, waiting, idle }: Thread, reply: ZstdReply): void {
  const { resolve, reject } = waiting.shift()!;
  if (waiting.length === 0) worker.unref();
  idle.refresh();
  if ('content' in reply) resolve(reply.content);
  else reject(new Error(reply.damage));
}

function endIdle(thread: Thread): void {
  if (thread.waiting.length > 0) thread.idle.refresh();
  else {
    if (current === thread) current = null;
    void thread.worker.terminate();
  }
}

function failWaiting(thread: Thread, cause: unknown): void {
  clearTimeout(thread.idle);
  if (current === thread) current = null;
  const why = cause instanceof Error ? cause.message : String(cause);
  const message = `the thread that decompresses Zstandard ended before its answer: ${why}`;
  for (const { reject } of thread.waiting) reject(new ShortlistError('internal', message, {}, { cause }));
}

export const decodeZstd: ZstdDecoder = zstdDecompress === undefined ? decodeOnThread : decodeByNode(zstdDecompress);
