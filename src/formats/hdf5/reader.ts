/**
 * Reads one dataset of an HDF5 file as a table of vectors: that of ann-benchmarks for items (`train`) or for queries
 * (`test`), or another of two dimensions.
 *
 * The HDF5 library reads what bytes tell it to, so it runs on a thread of its own (thread.ts): a file that makes it
 * stop, or never end, costs that thread. The package h5wasm is optional, and loaded only there. Fails with
 * `input_corrupt`, `input_unsupported` and `column_missing`, each naming the file.
 */
import { Worker } from 'node:worker_threads';
import { corrupt, nameFault, unsupported } from '../../arrow/fault.js';
import { openFileSource } from '../../arrow/frame/byte-source.js';
import type { TableReader } from '../../arrow/read/table-reader.js';
import { ShortlistError } from '../../base/errors.js';
import { FlatTable, type FlatArray } from '../flat/flat-table.js';
import { littleEndian } from '../flat/value-type.js';
import { DEFAULT_VECTOR_NAME, type OpenOptions } from '../open-options.js';
import type { OpenReply, RowsReply, RowsRequest, ThreadRequest } from './thread.js';

const DATASETS = { items: 'train', queries: 'test' } as const;

/** Longest wait for the rows of one chunk: damaged files can lead the library in circles. */
const REPLY_MS = 120_000;

export async function openHdf5(path: string, options: OpenOptions): Promise<TableReader> {
  const { vectorColumn, purpose = 'items' } = options;
  let thread: Thread | null = null;
  try {
    if (purpose === 'ids') throw unsupported('ids are not read from HDF5 files; write them with numpy.save');
    const bytes = await sizeOf(path);
    const dataset = vectorColumn ?? DATASETS[purpose];
    thread = new Thread({ path, dataset, fileBytes: bytes });
    const array = await openArray(thread, path, bytes, dataset);
    return new FlatTable(path, array, { ...options, vectorColumn: vectorColumn ?? DEFAULT_VECTOR_NAME });
  } catch (error) {
    await thread?.close();
    throw nameFault(path, error);
  }
}

async function sizeOf(path: string): Promise<number> {
  const source = await openFileSource(path);
  await source.close();
  return source.size;
}

async function openArray(thread: Thread, path: string, bytes: number, dataset: string): Promise<FlatArray> {
  const opened = await thread.next<OpenReply>();
  if ('fault' in opened) throw faultOf(opened, path, dataset);
  const { rows, dim, chunkRows } = opened;
  return {
    bytes,
    rows,
    dim,
    values: littleEndian(opened.values),
    ...(chunkRows !== null && { alignment: chunkRows }),
    async read(firstRow, count) {
      const reply = await thread.ask<RowsReply>({ firstRow, rows: count });
      if ('fault' in reply) throw faultOf(reply, path, dataset);
      return new Uint8Array(reply.bytes);
    },
    close: () => thread.close(),
  };
}

function faultOf({ fault, message }: Extract<OpenReply, { fault: unknown }>, path: string, dataset: string): Error {
  switch (fault) {
    case 'missing':
      return unsupported('HDF5 needs the package h5wasm, which is not installed: npm install h5wasm');
    case 'no dataset': {
      const what = `${path}: there is no dataset ${JSON.stringify(dataset)}; ${message}: choose one with --vector-column`;
      return new ShortlistError('column_missing', what, { file: path, column: dataset });
    }
    case 'corrupt':
      return corrupt(message);
    case 'unsupported':
      return unsupported(message);
  }
}

/** One request at a time, each with one reply. */
class Thread {
  private readonly worker: Worker;
  private reply: Promise<unknown>;

  constructor(request: ThreadRequest) {
    this.worker = new Worker(new URL('./thread.js', import.meta.url), {
      workerData: request,
      stdout: true,
      stderr: true,
    });
    this.worker.stdout.resume(); // what the library says as it stops; the error says enough
    this.worker.stderr.resume();
    this.reply = this.listen();
  }

  next<T>(): Promise<T> {
    return this.reply as Promise<T>;
  }

  ask<T>(request: RowsRequest): Promise<T> {
    this.reply = this.listen();
    this.worker.postMessage(request);
    return this.next();
  }

  async close(): Promise<void> {
    await this.worker.terminate();
  }

  private listen(): Promise<unknown> {
    const { worker } = this;
    const reply = new Promise<unknown>((resolve, reject) => {
      const timer = setTimeout(() => end(() => reject(corrupt(`the HDF5 library did not end within ${REPLY_MS / 1000} seconds`))), REPLY_MS); // prettier-ignore
      const end = (settle: () => void): void => {
        clearTimeout(timer);
        worker.off('message', onMessage).off('error', onError).off('exit', onExit);
        settle();
      };
      const onMessage = (message: unknown): void => end(() => resolve(message));
      const onError = (error: Error): void => end(() => reject(corrupt(`the HDF5 library stopped (${error.message})`)));
      const onExit = (): void => end(() => reject(corrupt('the HDF5 library stopped')));
      worker.on('message', onMessage).on('error', onError).on('exit', onExit);
    });
    reply.catch(() => undefined); // whoever awaits the reply gets the error
    return reply;
  }
}
