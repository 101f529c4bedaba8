/**
 * The graph stage: builds one graph per shard, shards in parallel on threads. Takes the shards' vectors from the files
 * of the version writer; writes a graph file beside each and passes on the figures of each build. The bytes do not
 * depend on which thread builds which shard.
 */
import { Worker } from 'node:worker_threads';
import { deserializeError, serializeError, ShortlistError, type SerializedError } from '../base/errors.js';
import type { Metric } from '../base/metric.js';
import type { EngineName, Figures, GraphBuilt, GraphParameters } from '../engine/engine.js';

export interface GraphJob {
  readonly shard: number;
  readonly engine: EngineName;
  readonly metric: Metric;
  readonly dim: number;
  readonly count: number;
  /** Where the shard's float32 rows start: a file and an offset in bytes. */
  readonly vectors: { readonly path: string; readonly offset: number };
  readonly parameters: GraphParameters;
  readonly threads: number;
  readonly graphPath: string;
}

interface GraphOptions {
  readonly threads: number;
  readonly onProgress?: ((rowsDone: number) => void) | undefined;
  /** Called after each graph; the stage ends when it has resolved. */
  readonly onBuilt: (job: GraphJob, figures: Figures) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/** Slots of the state that a graph thread shares: rows done, and whether to stop. */
export const ROWS_DONE = 0;
export const CANCELLED = 1;

export interface GraphThreadData {
  readonly job: GraphJob;
  /** Int32: ROWS_DONE, CANCELLED. */
  readonly state: Int32Array;
}

export type GraphReply = GraphBuilt | { readonly error: SerializedError };

const PROGRESS_MS = 200;

/** Builds all graphs. No thread is left when it returns. */
export async function buildGraphs(jobs: readonly GraphJob[], options: GraphOptions): Promise<void> {
  const states = jobs.map(() => new Int32Array(new SharedArrayBuffer(8)));
  const cancel = () => states.forEach((state) => Atomics.store(state, CANCELLED, 1));
  const report = () => options.onProgress?.(states.reduce((sum, state) => sum + Atomics.load(state, ROWS_DONE), 0));
  const timer = setInterval(report, PROGRESS_MS);
  options.signal?.addEventListener('abort', cancel);
  try {
    options.signal?.throwIfAborted();
    const waiting = [...jobs.entries()];
    const buildNext = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [position, job] = next;
        await options.onBuilt(job, await buildGraph({ job, state: states[position]! }));
      }
    };
    const running = Array.from({ length: Math.min(options.threads, jobs.length) }, buildNext);
    await Promise.all(running).catch(async (error: unknown) => {
      waiting.length = 0;
      cancel();
      await Promise.allSettled(running); // no thread may write into a folder that will be removed
      throw error;
    });
    options.signal?.throwIfAborted();
    report();
  } finally {
    clearInterval(timer);
    options.signal?.removeEventListener('abort', cancel);
  }
}

function buildGraph(data: GraphThreadData): Promise<Figures> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL('./graph-thread.js', import.meta.url), { workerData: data, execArgv: [] });
    let reply: GraphReply | null = null;
    thread.on('message', (message: GraphReply) => (reply = message));
    thread.on('error', (error) => {
      const { code, message, details } = serializeError(error);
      reject(new ShortlistError(code, `building the graph of shard ${data.job.shard} failed: ${message}`, details));
    });
    thread.on('exit', () => {
      if (reply === null)
        reject(new ShortlistError('internal', `the thread that built shard ${data.job.shard} ended without a result`));
      else if ('error' in reply) reject(deserializeError(reply.error));
      else resolve(reply.figures ?? {});
    });
  });
}
