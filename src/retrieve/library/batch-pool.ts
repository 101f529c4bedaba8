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
import type { PackedAnswers } from './packed-answers.js';
import { copyAllowed, countAllowed } from '../search/allowed-rows.js';
import type { ShardPart, ShardSearch } from '../search/needs.js';
import type { ScanPool } from '../search/local-shards.js';
import { poolScanner, type SearchAll, type SearchTogetherOptions } from '../search/run-search.js';
import type { SearchPlan } from '../search/search-plan.js';
import { engineSettings, type EngineSettings, type LoadedShard } from '../load/shards.js';

/** Queries of one task: a few ms of work, so that threads end together and messages cost little. */
export const TASK_QUERIES = 64;

/** Tasks that a thread has at most: the next one is there when it ends one, however busy this thread is. */
const TASKS_AHEAD = 2;

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
  | { readonly kind: 'queries' | 'packed'; readonly queries: Float32Array; readonly plan: SearchPlan }
  | {
      readonly kind: 'shards';
      readonly searches: readonly (Omit<ShardSearch, 'plan' | 'part' | 'allowed'> & { readonly plan: number })[];
      readonly plans: readonly SearchPlan[];
    };

export type BatchCommand = BatchTask | 'stop';

type TaskResult = Answer[] | ShardPart[] | PackedAnswers;

export type BatchReply = { readonly batch: number; readonly task: number } & (
  { readonly results: TaskResult } | { readonly error: SerializedError }
);

/** Aborting the signal rejects with its reason; threads finish their current task. */
type BatchRunOptions = Pick<SearchTogetherOptions, 'onProgress' | 'signal'>;

interface Job {
  readonly batch: number;
  readonly tasks: BatchTask[];
  readonly results: TaskResult[];
  next: number;
  done: number;
  readonly onProgress: ((done: number) => void) | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class BatchPool {
  private readonly threads: Worker[] = [];
  /** In the order in which they came. */
  private readonly jobs: Job[] = [];
  /** Tasks that each thread has. */
  private readonly unanswered = new Map<Worker, number>();
  /** Resolves when the last batch has ended. */
  private last: Promise<void> = Promise.resolve();
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
    return ((await this.run(works, options)) as Answer[][]).flat();
  }

  /** As `search`, with the answers of each 64 queries packed: for many queries, whose objects would cost more. */
  async searchPacked(queries: Float32Array, plan: SearchPlan, options: BatchRunOptions = {}): Promise<PackedAnswers[]> {
    const { dim } = this.version.manifest;
    const shared = sharePlan(plan, this.version.shards);
    const parts = splitRange(queries.length / dim, TASK_QUERIES, (from, to) => queries.slice(from * dim, to * dim));
    const works = parts.map((own): BatchWork => ({ kind: 'packed', queries: own, plan: shared }));
    return (await this.run(works, options)) as PackedAnswers[];
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
    const parts = ((await this.run(works, options)) as ShardPart[][]).flat();
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

  /** Threads take the tasks of batches in the order in which these came; batches end in that order too. */
  private run(works: readonly BatchWork[], options: BatchRunOptions): Promise<TaskResult[]> {
    const before = this.last;
    const result = this.runTasks(works, options).finally(() => before);
    this.last = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  private async runTasks(works: readonly BatchWork[], { onProgress, signal }: BatchRunOptions): Promise<TaskResult[]> {
    signal?.throwIfAborted();
    if (this.closed) throw closedError();
    const batch = this.nextBatch++;
    const tasks = works.map((work, task): BatchTask => ({ batch, task, work }));
    if (tasks.length === 0) return [];
    const results: TaskResult[] = [];
    let stop = (): void => undefined;
    let job: Job;
    await new Promise<void>((resolve, reject) => {
      stop = () => reject(signal?.reason as Error);
      signal?.addEventListener('abort', stop);
      job = { batch, tasks, results, next: 0, done: 0, onProgress, resolve, reject };
      this.jobs.push(job);
      while (this.threads.length < Math.min(this.size, tasks.length)) this.threads.push(this.startThread());
      // One for each thread before any gets a second.
      for (let tasks = 0; tasks < TASKS_AHEAD; tasks++)
        for (const thread of this.threads) if (this.tasksOf(thread) === tasks) this.sendTask(thread);
    }).finally(() => {
      signal?.removeEventListener('abort', stop);
      this.jobs.splice(this.jobs.indexOf(job), 1);
    });
    return results;
  }

  private sendTask(thread: Worker): void {
    const job = this.jobs.find(({ next, tasks }) => next < tasks.length);
    if (job === undefined) return;
    const task = job.tasks[job.next++]!;
    this.unanswered.set(thread, this.tasksOf(thread) + 1);
    thread.ref();
    const { work } = task;
    thread.postMessage(task, work.kind === 'shards' ? [] : [work.queries.buffer as ArrayBuffer]);
  }

  private tasksOf(thread: Worker): number {
    return this.unanswered.get(thread) ?? 0;
  }

  private handleReply(thread: Worker, reply: BatchReply): void {
    const left = this.tasksOf(thread) - 1;
    this.unanswered.set(thread, left);
    if (this.closed) return;
    if (left === 0) thread.unref(); // an idle thread must not keep the process alive
    const job = this.jobs.find(({ batch }) => batch === reply.batch);
    if (job !== undefined && 'error' in reply) job.reject(deserializeError(reply.error));
    else if (job !== undefined && 'results' in reply) {
      job.results[reply.task] = reply.results;
      job.done++;
      job.onProgress?.(job.done * TASK_QUERIES);
      if (job.done === job.tasks.length) job.resolve();
    }
    this.sendTask(thread);
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
      this.unanswered.delete(thread);
      const { code, message, details } = serializeError(error);
      // Which task it had is lost with it.
      for (const job of this.jobs) job.reject(new ShortlistError(code, `a search thread ended: ${message}`, details));
    };
    thread.on('error', fail);
    thread.on('exit', () => {
      if (this.threads.includes(thread)) fail(new ShortlistError('internal', 'it exited'));
    });
    thread.unref(); // after the listeners, which would ref it again
    return thread;
  }
}

/** Returns a function that searches shards on the threads of `batches`, and scans them on those of `scans`. */
export function threadSearcher(version: LoadedVersion, batches: BatchPool, scans: ScanPool): SearchAll {
  const scan = poolScanner(version, scans);
  return async (searches, signal) => {
    const walks = searches.filter(({ exact }) => !exact);
    const exact = searches.filter((search) => search.exact);
    await batches.searchShards(walks, { signal });
    if (exact.length > 0) await scan(exact, signal);
  };
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
    return { words, count: countAllowed(plan, shard, ordinals.length), list };
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
