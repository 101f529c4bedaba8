/** The thread of buildGraphs: builds the graph of one shard and ends. */
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { ioError, serializeError, ShortlistError } from '../base/errors.js';
import { engineOf } from '../engine/engines.js';
import { CANCELLED, ROWS_DONE, type GraphJob, type GraphReply, type GraphThreadData } from './graphs.js';

const { job, state } = workerData as GraphThreadData;

async function build(): Promise<GraphReply> {
  const file = openSync(job.vectors.path, 'r');
  try {
    return await engineOf(job.engine).build(
      {
        metric: job.metric,
        dim: job.dim,
        count: job.count,
        read: (from, to) => readRows(file, job, from, to),
        file: job.vectors,
      },
      job.parameters,
      job.graphPath,
      {
        onProgress: (rows) => Atomics.store(state, ROWS_DONE, rows),
        isCancelled: () => Atomics.load(state, CANCELLED) !== 0,
        threads: job.threads,
      },
    );
  } finally {
    closeSync(file);
  }
}

/** Rows [from, to) of the shard as float32. */
function readRows(file: number, { vectors, dim }: GraphJob, from: number, to: number): Float32Array {
  const { path, offset } = vectors;
  const rows = new Float32Array((to - from) * dim);
  const bytes = new Uint8Array(rows.buffer);
  for (let done = 0; done < bytes.length;) {
    const read = readChunk(file, bytes, done, path, offset + from * dim * 4 + done);
    if (read === 0)
      throw new ShortlistError('io_error', `${path} ended early while its graph was built`, { file: path });
    done += read;
  }
  return rows;
}

function readChunk(file: number, into: Uint8Array, done: number, path: string, position: number): number {
  try {
    return readSync(file, into, done, into.length - done, position);
  } catch (error) {
    throw ioError('read', path, error);
  }
}

build().then(
  (reply) => parentPort!.postMessage(reply),
  (error: unknown) => parentPort!.postMessage({ error: serializeError(error) } satisfies GraphReply),
);
