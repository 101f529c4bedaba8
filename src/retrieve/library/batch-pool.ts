/**
 * Searches a batch on all cores. Runs whole graph searches of checked queries with one plan and returns one answer per
 * query, in order. Or runs single shard searches for drivers that continue between them.
 *
 * Threads start at the first batch. They share the version's vectors and ordinals; each opens its own graph, since an
 * engine's graph object belongs to one thread. A thread that dies fails its batch; the next batch replaces it.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { deserializeError, serializeError, ShortlistError, type SerializedError } from '../../base/errors.js';
import type { Metric } from '../../base/metric.js';
import type { FilePlace } from '../../engine/engine.js';
import type { LoadedVersion } from '../load/loaded-version.js';
import type { Answer } from '../search/answer.js';
import { copyAllowed, rowsOf, type ShardRows } from '../search/allowed-rows.js';
import type { ShardPart, ShardSearch } from '../search/needs.js';
import type { SearchTogetherOptions } from '../search/run-search.js';
import type { SearchPlan } from '../search/search-plan.js';
import { engineSettings, type EngineSettings, type LoadedShard } from '../load/shards.js';

/** Queries of one task: a few ms of work, so that threads end together and messages cost little. */
const TASK_QUERIES = 64;

export interface BatchThreadData {
  readonly dim: number;
  readonly engine: EngineSettings;
  readonly metric: Metric;
  readonly shards: readonly SharedShard[];
}

/** Buffers, not views: Node truncates the length of a posted view to 32 bits. */
export interface SharedShard {
  readonly graphPath: string | null;
  readonly count: number;
  /** count x dim float32, or the file that the thread maps them from. */
  readonly vectors: ArrayBufferLike | FilePlace;
  /** count uint32. */
  readonly ordinals: ArrayBufferLike;
}

export interface BatchTask {
  /** Its batch. Replies of a failed batch may still arrive. */
  readonly batch: number;
  readonly task: number;
  readonly work: BatchWork;
}

/** Whole searches with one plan; or shard searches, each with the position of its plan in `plans`. */
type BatchWork =
  | { readonly kind: 'queries'; readonly queries: Float32Array; readonly plan: SearchPlan }
  | {
      readonly kind: 'shards';
      readonly searches: readonly (Omit<ShardSearch, 'plan' | 'part' | keyof ShardRows> & { readonly plan: number })[];
      readonly plans: readonly SearchPlan[];
    };

export type BatchCommand = BatchTask | 'stop';

export type BatchReply = { readonly batch: number; readonly task: number } & (
  { readonly results: Answer[] | ShardPart[] } | { readonly error: SerializedError }
);

/** Aborting the signal rejects with its reason; threads finish their current task. */
type BatchRunOptions = Pick<SearchTogetherOptions, 'onProgress' | 'signal'>;

interface Job {
  readonly batch: number;
  readonly tasks: BatchTask[];
  readonly results: (Answer[] | ShardPart[])[];
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
   * Crowding and `whyNot` are left to the caller, who has the attributes.
   * @param queries count x dim checked values
   * @param plan without self-matches
   * @param options.onProgress called with the number of finished queries
   */
  async search(queries: Float32Array, plan: SearchPlan, options: BatchRunOptions = {}): Promise<Answer[]> {
    const { dim } = this.version.manifest;
    const shared = sharePlan(plan, this.version.shards);
    const parts = splitRange(queries.length / dim, TASK_QUERIES, (from, to) => queries.slice(from * dim, to * dim));
    const works = parts.map((own): BatchWork => ({ kind: 'queries', queries: own, plan: shared }));
    return (await this.queue(works, options)) as Answer[];
  }

  async searchShards(searches: readonly ShardSearch[], options: BatchRunOptions = {}): Promise<void> {
    const distinct = [...new Set(searches.map(({ plan }) => plan))];
    const shared = distinct.map((plan) => sharePlan(plan, this.version.shards));
    const works = splitRange(searches.length, TASK_QUERIES, (from, to): BatchWork => {
      const group = searches.slice(from, to);
      const used = [...new Set(group.map(({ plan }) => distinct.indexOf(plan)))];
      return {
        kind: 'shards',
        plans: used.map((position) => shared[position]!),
        searches: group.map(({ query, shard, k, ef, exact, plan }) => {
          return { query: query.slice(), shard, k, ef, exact, plan: used.indexOf(distinct.indexOf(plan)) };
        }),
      };
    });
    const parts = (await this.queue(works, options)) as ShardPart[];
    for (const [i, search] of searches.entries()) search.part = parts[i]!;
  }

  /**
   * Rejects running batches and waits until the threads end by themselves, after their current task: terminating a
   * thread inside native code ends the process.
   */
  async close(): Promise<void> {
    this.closed = true;
    for (const job of this.jobs) job.reject(closedError());
    await Promise.all(this.threads.splice(0).map(stopThread));
  }

  private queue(works: readonly BatchWork[], options: BatchRunOptions): Promise<(Answer | ShardPart)[]> {
    // One batch at a time: it uses all threads anyway, and batches end in the order they came.
    const result = this.tail.then(() => this.run(works, options));
    this.tail = result.catch(() => undefined);
    return result;
  }

  private async run(
    works: readonly BatchWork[],
    { onProgress, signal }: BatchRunOptions,
  ): Promise<(Answer | ShardPart)[]> {
    signal?.throwIfAborted();
    if (this.closed) throw closedError();
    const batch = this.nextBatch++;
    const tasks = works.map((work, task): BatchTask => ({ batch, task, work }));
    if (tasks.length === 0) return [];
    const results: Job['results'] = [];
    let stop = (): void => undefined;
    await new Promise<void>((resolve, reject) => {
      stop = () => reject(signal?.reason as Error);
      signal?.addEventListener('abort', stop);
      const job: Job = { batch, tasks, results, next: 0, done: 0, onProgress, resolve, reject };
      this.jobs.push(job);
      while (this.threads.length < Math.min(this.size, tasks.length)) this.threads.push(this.startThread());
      for (const thread of this.threads) this.sendTask(thread, job);
    }).finally(() => {
      signal?.removeEventListener('abort', stop);
      this.jobs.shift();
    });
    return results.flat();
  }

  private sendTask(thread: Worker, job: Job): void {
    const task = job.tasks[job.next];
    if (task === undefined) return;
    job.next++;
    thread.ref();
    const { work } = task;
    thread.postMessage(task, work.kind === 'queries' ? [work.queries.buffer as ArrayBuffer] : []);
  }

  private handleReply(thread: Worker, reply: BatchReply): void {
    if (this.closed) return;
    thread.unref(); // an idle thread must not keep the process alive
    const job = this.jobs[0];
    if (job === undefined || reply.batch !== job.batch) return;
    if ('error' in reply) {
      job.reject(deserializeError(reply.error));
      return;
    }
    job.results[reply.task] = reply.results;
    job.done++;
    job.onProgress?.(job.done * TASK_QUERIES);
    if (job.done === job.tasks.length) job.resolve();
    else this.sendTask(thread, job);
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
    thread.on('message', (reply: BatchReply) => this.handleReply(thread, reply));
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

/** Maps a range in parts of equal size; the last may be smaller. */
function splitRange<T>(count: number, size: number, part: (from: number, to: number) => T): T[] {
  const parts: T[] = [];
  for (let from = 0; from < count; from += size) parts.push(part(from, Math.min(count, from + size)));
  return parts;
}

/** A plan for all threads, without functions: passing rows are in shared memory, excluded ones are removed. */
function sharePlan(plan: SearchPlan, shards: readonly LoadedShard[]): SearchPlan {
  const local: SearchPlan = { ...plan, crowding: null, explainedIds: null };
  if (plan.passing === null) return local;
  const passing = shards.map(({ ordinals }, shard) => {
    const rows = copyAllowed(plan, shard, ordinals.length)!;
    const words = new Uint32Array(new SharedArrayBuffer(rows.words.byteLength));
    words.set(rows.words);
    const { list } = plan.passing![shard]!; // in shared memory already
    return { words, count: rowsOf(plan, shard, ordinals.length).allowed, list };
  });
  return { ...local, passing, excluded: shards.map(() => []), selfMatches: [] };
}

async function stopThread(thread: Worker): Promise<void> {
  const exited = once(thread, 'exit');
  thread.ref();
  thread.postMessage('stop' satisfies BatchCommand);
  await exited;
}

function closedError(): ShortlistError {
  return new ShortlistError('not_ready', 'the index was closed while a batch ran');
}
