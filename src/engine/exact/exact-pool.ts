/**
 * Exact search on all cores, off the caller's thread.
 *
 * Takes shards whose vectors are in shared memory; gives for each query and shard what `scan` gives. Hides the
 * threads: a call is cut into tasks of about 15 ms, and threads take tasks from the calls in flight in turn. So a
 * short call does not wait for a long one, and an aborted call leaves the threads within two tasks. If a thread
 * crashes, the call that it worked for fails with `internal` and the thread is replaced; tasks that it had not begun
 * go to other threads.
 */
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Bitset } from '../../base/bitset.js';
import { ShortlistError } from '../../base/errors.js';
import { TopK } from '../../base/top-k.js';
import type { ShardVectors } from '../engine.js';
import { planTasks, type PoolReply, type PoolRequest, type PoolTask } from './pool-task.js';
import type { Candidates } from './scan.js';

export interface PoolOptions {
  /** The most rows to return of each shard; from 1. */
  readonly k: number;
  /** Allowed rows, shard by shard; absent or undefined: all. */
  readonly allow?: readonly (Bitset | undefined)[] | undefined;
  /** Aborting it rejects the call with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Tasks assigned to a thread: one in progress, and one to start while the reply travels. */
const TASKS_PER_THREAD = 2;

/** With this many threads, scans wait for memory and not for cores. */
const MAX_DEFAULT_THREADS = 16;

/** One `search` in flight. */
interface Call {
  /** Tasks to assign: the next one, and those that a crashed thread had not begun. */
  readonly waiting: PoolTask[];
  /** Tasks not planned yet. */
  readonly rest: Iterator<PoolTask, void, void>;
  /** The best so far, [query][shard]. */
  readonly merged: readonly (readonly TopK[])[];
  /** Tasks assigned and not answered. */
  pending: number;
  readonly settle: (error?: Error) => void;
}

interface Assignment {
  readonly call: Call;
  readonly task: PoolTask;
}

interface Thread {
  readonly worker: Worker;
  /** By request id, oldest first: the oldest is in progress. */
  readonly assigned: Map<number, Assignment>;
  failure: unknown;
}

export class ExactPool {
  private readonly size: number;
  private readonly threads = new Set<Thread>();
  private readonly calls = new Set<Call>();
  /** The calls with waiting tasks. The first is served next and then moves to the end. */
  private queue: Call[] = [];
  private nextId = 0;
  private closed = false;

  /** @param size threads at most. They start when there is work, and idle threads do not keep the process alive. */
  constructor(size = Math.min(MAX_DEFAULT_THREADS, availableParallelism())) {
    assert(Number.isSafeInteger(size) && size >= 1, `a pool of ${size} threads`);
    this.size = size;
  }

  /**
   * The k best rows of every shard for every query, as [query][shard].
   * @param queries queryCount x dim values, unit length under cosine; they and `allow` are copied before this returns
   */
  async search(
    shards: readonly ShardVectors[],
    queries: Float32Array,
    queryCount: number,
    { k, allow, signal }: PoolOptions,
  ): Promise<Candidates[][]> {
    signal?.throwIfAborted();
    if (this.closed) throw closedError();
    const rest = planTasks(shards, { queries, queryCount, k, allow, threads: this.size });
    const merged = Array.from({ length: queryCount }, () => shards.map(({ count }) => new TopK(Math.min(k, count))));
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => call.settle(signal?.reason as Error);
      const settle = (error?: Error): void => {
        signal?.removeEventListener('abort', onAbort);
        this.forget(call);
        if (error === undefined) resolve();
        else reject(error);
      };
      const call: Call = { waiting: [], rest, merged, pending: 0, settle };
      signal?.addEventListener('abort', onAbort);
      this.calls.add(call);
      this.enqueue(call);
      if (call.waiting.length === 0) settle();
      this.assignTasks();
    });
    return merged.map((perShard) => perShard.map((top) => top.drain()));
  }

  /** Ends the threads. Calls in flight are rejected with `not_ready`. */
  async close(): Promise<void> {
    this.closed = true;
    for (const call of this.calls) call.settle(closedError());
    await Promise.all([...this.threads].map((thread) => thread.worker.terminate()));
  }

  private forget(call: Call): void {
    this.calls.delete(call);
    this.queue = this.queue.filter((other) => other !== call);
  }

  /** Assigns tasks to threads until there are no more tasks or every thread has enough. */
  private assignTasks(): void {
    while (this.hasRoom()) {
      const next = this.nextTask();
      if (next === undefined) return;
      const { worker, assigned } = this.freeThread();
      next.call.pending++;
      assigned.set(this.nextId, next);
      worker.ref();
      worker.postMessage({ id: this.nextId++, task: next.task } satisfies PoolRequest);
    }
  }

  private hasRoom(): boolean {
    if (this.threads.size < this.size) return true;
    for (const { assigned } of this.threads) if (assigned.size < TASKS_PER_THREAD) return true;
    return false;
  }

  /** An idle thread, else a new one if there may be more, else the one with the fewest tasks. */
  private freeThread(): Thread {
    const [first] = [...this.threads].sort((a, b) => a.assigned.size - b.assigned.size);
    if (first !== undefined && (first.assigned.size === 0 || this.threads.size === this.size)) return first;
    return this.startThread();
  }

  /** Puts the call at the end of the queue if it has another task. */
  private enqueue(call: Call): void {
    if (call.waiting.length === 0) {
      const task = call.rest.next().value;
      if (task === undefined) return;
      call.waiting.push(task);
    }
    this.queue.push(call);
  }

  /** The next task of the first call in the queue. */
  private nextTask(): Assignment | undefined {
    const call = this.queue.shift();
    const task = call?.waiting.pop();
    if (call === undefined || task === undefined) return undefined;
    this.enqueue(call);
    return { call, task };
  }

  private startThread(): Thread {
    const worker = new Worker(new URL('./pool-thread.js', import.meta.url), { name: 'exact', execArgv: [] });
    const thread: Thread = { worker, assigned: new Map(), failure: undefined };
    worker.on('message', (reply: PoolReply) => this.handleReply(thread, reply));
    worker.on('error', (error) => (thread.failure = error));
    worker.on('exit', (code) => this.replaceThread(thread, code));
    worker.unref(); // after the listeners: adding one refs the thread again
    this.threads.add(thread);
    return thread;
  }

  private handleReply(thread: Thread, { id, answers }: PoolReply): void {
    const { call, task } = thread.assigned.get(id)!;
    thread.assigned.delete(id);
    if (thread.assigned.size === 0) thread.worker.unref();
    call.pending--;
    if (this.calls.has(call)) {
      mergeAnswers(call, task, answers);
      if (call.pending === 0 && call.waiting.length === 0) call.settle();
    }
    this.assignTasks();
  }

  private replaceThread(thread: Thread, code: number): void {
    this.threads.delete(thread);
    if (this.closed) return;
    const [working, ...waiting] = thread.assigned.values();
    for (const { call, task } of waiting) {
      call.pending--;
      call.waiting.push(task);
      if (this.calls.has(call) && !this.queue.includes(call)) this.queue.push(call);
    }
    if (working !== undefined && this.calls.has(working.call)) working.call.settle(crashError(thread.failure, code));
    this.assignTasks();
  }
}

function mergeAnswers(call: Call, task: PoolTask, answers: readonly Candidates[]): void {
  answers.forEach(({ rows, scores }, i) => {
    const top = call.merged[task.firstQuery + i]![task.shard]!;
    for (let j = 0; j < rows.length; j++) top.push(scores[j]!, rows[j]!);
  });
}

function closedError(): ShortlistError {
  return new ShortlistError('not_ready', 'the pool of exact search is closed, since the process is shutting down');
}

function crashError(cause: unknown, exitCode: number): ShortlistError {
  const why = cause instanceof Error ? cause.message : `exit code ${exitCode}`;
  return new ShortlistError('internal', `a thread of the exact search ended before its answer: ${why}`, {}, { cause });
}
