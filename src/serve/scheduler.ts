/**
 * Shares a worker's one thread between the requests that compute on it.
 *
 * A graph search blocks the event loop. Were each run as soon as its request is read, requests behind it would wait unseen
 * in their sockets, where nobody counts or refuses them, and a batch of a thousand would hold up everybody. So searches are
 * steps of jobs. Jobs of one step, the small ones, go first come first served. Jobs of several steps take turns with each other,
 * one step each, and get a share of the time while small ones wait. After a slice of time the event loop gets its turn: it
 * reads what has arrived, and what is too much is refused (guard.ts).
 *
 * Jobs of several steps, whose answers grow step by step, are begun only a few at a time. Were all of them begun, all would
 * hold half an answer, and under load all would end at their deadlines; so those that have begun are finished first.
 */
import type { Backlog } from './guard.js';

/** Long enough that turning the event loop (some 20 us) costs a hundredth, short enough that nobody waits noticeably. */
const SLICE_MS = 2;

/** Jobs of several steps that are worked on at once. More than one, so that a long one does not hold up a short one. */
const MAX_BEGUN = 4;

/** Of the time, for jobs of several steps while small ones wait: they go on, and a small one waits half as long again. */
const LARGE_SHARE = 1 / 3;

/** What reading a small request and writing its answer take beside its step. */
const OVERHEAD_MS = 0.1;

/** Weight of the newest step in the average. */
const NEWEST = 1 / 32;

/** What ends a job that is out of time: a TimeLimit. */
export interface JobLimit {
  /** Why there is no more time; null while there is some. */
  readonly reason: Error | null;
}

interface Job {
  readonly steps: number;
  readonly step: (position: number) => void;
  readonly limit: JobLimit;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  next: number;
}

export class Scheduler implements Backlog {
  /** Jobs of one step, oldest first. */
  private small: Job[] = [];
  /** Those of several steps that take turns; the first is next. */
  private large: Job[] = [];
  /** Jobs of several steps that are not begun, oldest first. */
  private waiting: Job[] = [];
  private scheduled = false;
  /** Requests that were let in and have not queued yet. */
  private expected = 0;
  private averageMs = 0.5;
  private emptied = performance.now();
  /** Time that was given to both kinds, while both waited. */
  private smallMs = 0;
  private largeMs = 0;

  /** @param onSlice called after each slice */
  constructor(private readonly onSlice: () => void = () => undefined) {}

  get ahead(): number {
    return this.small.length + this.expected;
  }

  get waitMs(): number {
    const share = this.large.length > 0 ? 1 - LARGE_SHARE : 1;
    return (this.ahead * this.stepMs) / share;
  }

  get stepMs(): number {
    return this.averageMs + OVERHEAD_MS;
  }

  get emptyAt(): number {
    return this.ahead === 0 ? performance.now() : this.emptied;
  }

  expect(): void {
    this.noteEmpty();
    this.expected++;
    this.schedule();
  }

  /**
   * Calls `step(0)` to `step(steps - 1)`, in order.
   * @throws what a step throws; deadline_exceeded; a job that was abandoned ends with deadline_exceeded as well
   */
  run(steps: number, limit: JobLimit, step: (position: number) => void): Promise<void> {
    if (steps === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const job = { steps, step, limit, resolve, reject, next: 0 };
      if (this.expected > 0) this.expected--;
      this.noteEmpty();
      if (steps === 1) this.small.push(job);
      else if (this.large.length < MAX_BEGUN) this.large.push(job);
      else this.waiting.push(job);
      this.schedule();
    });
  }

  /** Before something comes, after something went. */
  private noteEmpty(): void {
    if (this.ahead === 0) this.emptied = performance.now();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.expected = 0; // what was let in has queued by now, or its body is still on its way
      this.runSlice();
      this.noteEmpty();
      this.onSlice();
      if (this.small.length > 0 || this.large.length > 0) this.schedule();
    });
  }

  private runSlice(): void {
    let now = performance.now();
    const end = now + SLICE_MS;
    this.endLate();
    while (now < end) {
      const isLarge = this.isLargeNext();
      const job = isLarge ? this.large.shift() : this.small.shift();
      if (job === undefined) return;
      const isUnfinished = runStep(job);
      const begun = now;
      now = performance.now();
      this.account(isLarge, now - begun);
      if (!isLarge) continue;
      if (isUnfinished) this.large.push(job);
      else this.beginNext();
    }
  }

  private isLargeNext(): boolean {
    if (this.small.length === 0) return true;
    return this.large.length > 0 && this.largeMs * (1 - LARGE_SHARE) <= this.smallMs * LARGE_SHARE;
  }

  private account(isLarge: boolean, ms: number): void {
    if (!isLarge) this.averageMs += (ms - this.averageMs) * NEWEST;
    if (this.small.length === 0 || this.large.length === 0) {
      this.smallMs = this.largeMs = 0; // nobody competes
    } else if (isLarge) this.largeMs += ms;
    else this.smallMs += ms;
  }

  /** A job of several steps is over, well or badly: the next one may begin. */
  private beginNext(): void {
    const next = this.waiting.shift();
    if (next !== undefined) this.large.push(next);
  }

  /** Those that are out of time hear it now, and do not wait for their turns in vain. */
  private endLate(): void {
    this.small = keepTimely(this.small);
    this.waiting = keepTimely(this.waiting);
    this.large = keepTimely(this.large);
    while (this.large.length < MAX_BEGUN && this.waiting.length > 0) this.beginNext();
  }
}

/** @returns the same jobs, most often; those out of time are rejected */
function keepTimely(jobs: Job[]): Job[] {
  const late = jobs.filter((job) => !isWithinTime(job));
  return late.length === 0 ? jobs : jobs.filter((job) => !late.includes(job));
}

/** @returns true while the job has steps left */
function runStep(job: Job): boolean {
  if (!isWithinTime(job)) return false;
  try {
    job.step(job.next++);
  } catch (error) {
    job.reject(error);
    return false;
  }
  if (job.next < job.steps) return true;
  job.resolve();
  return false;
}

/** Rejects it where it is not. */
function isWithinTime({ limit, reject }: Job): boolean {
  const { reason } = limit;
  if (reason !== null) reject(reason);
  return reason === null;
}
