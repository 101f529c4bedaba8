/**
 * Graph searches of a whole batch on all cores. Takes checked queries and one plan; gives one answer a query, in order.
 *
 * Threads start at the first batch. They share the vectors and ordinals of the version; each opens a graph of its
 * own, since an engine's graph object belongs to one thread. A thread that dies fails the batch it worked for and is
 * replaced by the next batch.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { deserializeError, serializeError, ShortlistError, type SerializedError } from '../../base/errors.js';
import type { Metric } from '../../base/metric.js';
import type { FilePlace } from '../../engine/engine.js';
import type { LoadedVersion } from '../load/loaded-version.js';
import type { Answer } from '../search/answer.js';
import { copyAllowed, countAllowed, type SearchPlan } from '../search/search-plan.js';
import { engineSettings, type EngineSettings, type LoadedShard } from '../load/shards.js';

/** Queries of one task: some milliseconds of work, so that threads end together and messages cost little. */
const TASK_QUERIES = 64;

/** What a thread needs to open its shards. */
export interface BatchThreadData {
  readonly dim: number;
  readonly engine: EngineSettings;
  readonly metric: Metric;
  readonly shards: readonly SharedShard[];
}

/** Buffers, not views of them: Node cuts the length of a posted view to 32 bits. */
export interface SharedShard {
  readonly graphPath: string | null;
  readonly count: number;
  /** count x dim float32, or where the thread maps them from. */
  readonly vectors: ArrayBufferLike | FilePlace;
  /** count uint32. */
  readonly ordinals: ArrayBufferLike;
}

export interface BatchTask {
  /** Which batch it belongs to: a batch that failed may leave answers on the way. */
  readonly batch: number;
  readonly task: number;
  readonly queries: Float32Array;
  readonly plan: SearchPlan;
}

/** What a thread is told: a task, or to end. */
export type BatchOrder = BatchTask | 'stop';

export type BatchReply = { readonly batch: number; readonly task: number } & (
  { readonly answers: Answer[] } | { readonly error: SerializedError }
);

interface BatchRunOptions {
  readonly onProgress?: ((done: number) => void) | undefined;
  /** Aborting it rejects with its reason; the threads end the tasks at hand. */
  readonly signal?: AbortSignal | undefined;
}

interface Job {
  readonly batch: number;
  readonly tasks: BatchTask[];
  readonly answers: Answer[][];
  next: number;
  done: number;
  readonly onProgress: ((done: number) => void) | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class BatchPool {
  private readonly threads: Worker[] = [];
  private readonly jobs: Job[] = [];
  private tail: Promise<unknown> = Promise.resolve();
  private nextBatch = 0;
  private closed = false;

  constructor(
    private readonly version: LoadedVersion,
    private readonly size: number,
  ) {}

  /**
   * Crowding and questions about ids are left to the caller, who has the attributes.
   * @param queries count x dim checked values
   * @param plan without a query of its own
   * @param options.onProgress told how many queries are done
   */
  search(queries: Float32Array, plan: SearchPlan, options: BatchRunOptions = {}): Promise<Answer[]> {
    // One batch at a time: it has all threads anyway, and batches then end in the order they came.
    const result = this.tail.then(() => this.run(queries, plan, options));
    this.tail = result.catch(() => undefined);
    return result;
  }

  /**
   * Rejects what runs and waits for the threads to end by themselves, which they do after the task in hand: one that is
   * terminated inside native code takes the process with it.
   */
  async close(): Promise<void> {
    this.closed = true;
    for (const job of this.jobs) job.reject(closedError());
    await Promise.all(this.threads.splice(0).map(stopThread));
  }

  private async run(
    queries: Float32Array,
    plan: SearchPlan,
    { onProgress, signal }: BatchRunOptions,
  ): Promise<Answer[]> {
    signal?.throwIfAborted();
    if (this.closed) throw closedError();
    const { dim } = this.version.manifest;
    const batch = this.nextBatch++;
    const shared = sharePlan(plan, this.version.shards);
    const tasks: BatchTask[] = [];
    for (let from = 0; from < queries.length; from += TASK_QUERIES * dim) {
      tasks.push({ batch, task: tasks.length, queries: queries.slice(from, from + TASK_QUERIES * dim), plan: shared });
    }
    if (tasks.length === 0) return [];
    const answers: Answer[][] = [];
    let stop = (): void => undefined;
    await new Promise<void>((resolve, reject) => {
      stop = () => reject(signal?.reason as Error);
      signal?.addEventListener('abort', stop);
      const job: Job = { batch, tasks, answers, next: 0, done: 0, onProgress, resolve, reject };
      this.jobs.push(job);
      while (this.threads.length < Math.min(this.size, tasks.length)) this.threads.push(this.startThread());
      for (const thread of this.threads) this.handOut(thread, job);
    }).finally(() => {
      signal?.removeEventListener('abort', stop);
      this.jobs.shift();
    });
    return answers.flat();
  }

  private handOut(thread: Worker, job: Job): void {
    const task = job.tasks[job.next];
    if (task === undefined) return;
    job.next++;
    thread.ref();
    thread.postMessage(task, [task.queries.buffer as ArrayBuffer]);
  }

  private take(thread: Worker, reply: BatchReply): void {
    if (this.closed) return;
    thread.unref(); // idle, and an idle thread must not keep the process
    const job = this.jobs[0];
    if (job === undefined || reply.batch !== job.batch) return;
    if ('error' in reply) {
      job.reject(deserializeError(reply.error));
      return;
    }
    job.answers[reply.task] = reply.answers;
    job.done++;
    job.onProgress?.(job.done * TASK_QUERIES);
    if (job.done === job.tasks.length) job.resolve();
    else this.handOut(thread, job);
  }

  private startThread(): Worker {
    const { manifest, shards, graphPaths } = this.version;
    const data: BatchThreadData = {
      dim: manifest.dim,
      metric: manifest.metric,
      engine: engineSettings(manifest),
      shards: shards.map(({ graph, ordinals }, position) => ({
        graphPath: graphPaths[position]!,
        count: ordinals.length,
        vectors: graph.vectors.file ?? graph.vectors.values.buffer,
        ordinals: ordinals.buffer,
      })),
    };
    const thread = new Worker(new URL('./batch-thread.js', import.meta.url), { workerData: data, execArgv: [] });
    thread.on('message', (reply: BatchReply) => this.take(thread, reply));
    const fail = (error: unknown) => {
      const position = this.threads.indexOf(thread);
      if (position >= 0) this.threads.splice(position, 1);
      const { code, message, details } = serializeError(error);
      this.jobs[0]?.reject(new ShortlistError(code, `a search thread ended: ${message}`, details));
    };
    thread.on('error', fail);
    thread.on('exit', () => {
      if (this.threads.includes(thread)) fail(new ShortlistError('internal', 'it exited'));
    });
    thread.unref(); // after the listeners, which would ref it again
    return thread;
  }
}

/**
 * The plan for all threads at once. They share the sets of rows, so nothing is taken out of those and put back while
 * they search: what is excluded is taken out here.
 */
function sharePlan(plan: SearchPlan, shards: readonly LoadedShard[]): SearchPlan {
  const alone = { ...plan, crowding: null, suspects: null };
  if (plan.passing === null) return alone;
  const passing = shards.map(({ ordinals }, shard) => {
    const rows = copyAllowed(plan, shard, ordinals.length)!;
    const words = new Uint32Array(new SharedArrayBuffer(rows.words.byteLength));
    words.set(rows.words);
    const { list } = plan.passing![shard]!; // in shared memory already
    return { words, count: countAllowed(plan, shard, ordinals.length), list };
  });
  return { ...alone, passing, excluded: shards.map(() => []) };
}

async function stopThread(thread: Worker): Promise<void> {
  const exited = once(thread, 'exit');
  thread.ref();
  thread.postMessage('stop' satisfies BatchOrder);
  await exited;
}

function closedError(): ShortlistError {
  return new ShortlistError('not_ready', 'the index was closed while a batch ran');
}
