/**
 * Shares a worker's one thread between the requests that compute on it.
 *
 * A graph search blocks the event loop. Were each run as soon as its request is read, requests behind it would wait unseen
 * in their sockets, where nobody counts or refuses them, and a batch of a thousand would hold up everybody. So searches are
 * steps of jobs; jobs take turns, one step each, and after a slice of time the event loop gets its turn: it reads what
 * has arrived, and admission refuses what is too much.
 *
 * Jobs of several steps, whose answers grow step by step, are begun only a few at a time. Were all of them begun, all would
 * hold half an answer, and under load all would end at their deadlines; so those that have begun are finished first.
 */

import type { Work } from '../retrieve/filter/work.js';

/** Long enough that turning the event loop (some 20 us) costs a hundredth, short enough that nobody waits noticeably. */
const SLICE_MS = 2;

/** Jobs of several steps that are worked on at once. More than one, so that a long one does not hold up a short one. */
const MAX_BEGUN = 4;

/**
 * Slices of work that goes on before it counts among the jobs that have begun: a filter that is quick does not wait for long
 * ones, and only a few long ones hold the memory that they work in.
 */
const FREE_SLICES = 8;

/** What ends a job that is out of time: a TimeLimit. */
export interface JobLimit {
  /** Why there is no more time; null while there is some. */
  readonly reason: Error | null;
}

interface Job {
  /** @returns true for the last one */
  readonly step: (position: number) => boolean;
  readonly limit: JobLimit;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  next: number;
  /** Whether it counts among those that have begun. */
  counts: boolean;
}

export class Scheduler {
  /** Those that take turns; the first is next. */
  private jobs: Job[] = [];
  /** Jobs of several steps that are not begun, oldest first. */
  private waiting: Job[] = [];
  private begun = 0;
  /** Spent on first slices since the event loop turned. */
  private spotMs = 0;
  private scheduled = false;

  /**
   * Calls `step(0)` to `step(steps - 1)`, in order.
   * @throws what a step throws; deadline_exceeded; a job that was abandoned ends with deadline_exceeded as well
   */
  run(steps: number, limit: JobLimit, step: (position: number) => void): Promise<void> {
    if (steps === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const stepOf = (position: number) => {
        step(position);
        return position === steps - 1;
      };
      const job: Job = { step: stepOf, limit, resolve, reject, next: 0, counts: false };
      if (steps > 1) this.beginCounted(job);
      else this.jobs.push(job);
      this.schedule();
    });
  }

  /**
   * Does work slice by slice, as steps of one job. Its first slice is done on the spot, unless others wait or too much has
   * been since the event loop turned: most filters are known and need no more.
   * @throws as `run`, and what the work throws
   */
  async runWork<T>(limit: JobLimit, work: Work<T>): Promise<T> {
    const first = this.tryOnTheSpot(limit, work);
    if (first?.done === true) return first.value;
    const done: T[] = [];
    await new Promise<void>((resolve, reject) => {
      const step = () => {
        const next = work.next();
        if (next.done === true) done.push(next.value);
        return next.done === true;
      };
      this.jobs.push({ step, limit, resolve, reject, next: 0, counts: false });
      this.schedule();
    });
    return done[0]!;
  }

  private tryOnTheSpot<T>(limit: JobLimit, work: Work<T>): IteratorResult<undefined, T> | null {
    if (limit.reason !== null) throw limit.reason;
    if (this.jobs.length > 0 || this.spotMs >= SLICE_MS) return null;
    if (this.spotMs === 0) setImmediate(() => (this.spotMs = 0));
    const begun = performance.now();
    try {
      return work.next();
    } finally {
      this.spotMs += performance.now() - begun;
    }
  }

  /** Now, or as soon as fewer have begun. */
  private beginCounted(job: Job): void {
    if (this.begun >= MAX_BEGUN) {
      this.waiting.push(job);
      return;
    }
    job.counts = true;
    this.begun++;
    this.jobs.push(job);
  }

  /** A job is over, well or badly: the next one may begin. */
  private end(job: Job): void {
    if (!job.counts) return;
    this.begun--;
    const next = this.waiting.shift();
    if (next !== undefined) this.beginCounted(next);
  }

  private schedule(): void {
    if (this.scheduled || this.jobs.length === 0) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.runSlice();
      this.schedule();
    });
  }

  private runSlice(): void {
    const end = performance.now() + SLICE_MS;
    this.endLate();
    do {
      const job = this.jobs.shift();
      if (job === undefined) return;
      if (!this.runStep(job)) this.end(job);
      else if (job.counts || job.next !== FREE_SLICES) this.jobs.push(job);
      else this.beginCounted(job);
    } while (performance.now() < end);
  }

  /** Those that are out of time hear it now, and do not wait for their turns in vain. */
  private endLate(): void {
    this.waiting = this.waiting.filter((job) => isWithinTime(job));
    const late = this.jobs.filter((job) => !isWithinTime(job));
    if (late.length === 0) return;
    this.jobs = this.jobs.filter((job) => !late.includes(job));
    for (const job of late) this.end(job);
  }

  /** @returns true while the job has steps left */
  private runStep(job: Job): boolean {
    if (!isWithinTime(job)) return false;
    try {
      if (!job.step(job.next++)) return true;
    } catch (error) {
      job.reject(error);
      return false;
    }
    job.resolve();
    return false;
  }
}

/** Rejects it where it is not. */
function isWithinTime({ limit, reject }: Job): boolean {
  const { reason } = limit;
  if (reason !== null) reject(reason);
  return reason === null;
}
