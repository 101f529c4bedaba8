/**
 * Shares a worker's one thread between the requests that compute on it.
 *
 * A graph search blocks the event loop. Were each run as soon as its request is read, requests behind it would wait
 * unseen in their sockets, where nobody counts or refuses them, and a batch of a thousand would hold up everybody. So
 * searches are steps of jobs. Jobs of one step, the small ones, go first come first served. Jobs of several steps
 * take turns with each other, one step each, and get a share of the time while small ones wait. After a slice of time
 * the event loop gets its turn: it reads what has arrived, and what is too much is refused (guard.ts).
 *
 * Jobs of several steps, whose answers grow step by step, are begun only a few at a time. Were all of them begun, all
 * would hold half an answer, and under load all would end at their deadlines; so those that have begun are finished
 * first.
 *
 * How many steps work in slices has (base/work.ts) shows when it ends. Its first slice is a small job: most filters are
 * known, and need no more. What is left is a job of several steps, which counts as begun when it turns out to be long.
 */
import type { Work } from '../../base/work.js';
import type { Backlog } from './guard.js';

/**
 * Long enough that turning the event loop (some 20 us) costs a hundredth, short enough that nobody waits noticeably.
 * Longer slices do not get more done: what comes between them, reading and answering, grows with what they do, and
 * everybody waits for longer turns.
 */
const SLICE_MS = 2;

/**
 * For first slices on the spot each time that the event loop turns: some ten filters that are known, or a slice of
 * one that is not.
 */
const IMMEDIATE_MS = 0.5;

/** Jobs of several steps that are worked on at once. More than one, so that a long one does not hold up a short one. */
const MAX_STARTED = 4;

/**
 * Slices of work before it counts among the jobs that have begun: a filter that is quick does not wait for long ones,
 * and only a few long ones hold the memory that they work in.
 */
const FREE_SLICES = 8;

/**
 * Of the time, for jobs of several steps while small ones wait: they go on, and a small one waits half as long again.
 */
const LARGE_SHARE = 1 / 3;

/** Weight of the newest step in the average. */
const STEP_WEIGHT = 1 / 32;

/** And of the newest slice in the part of the time that slices have. */
const SLICE_WEIGHT = 1 / 8;

/** Part of what a batch is estimated to take that it has to have time for: estimates may be twice of what it takes. */
const CERTAIN_SHARE = 1 / 2;

/** What ends a job that is out of time: a TimeLimit. */
interface JobLimit {
  /** Why there is no more time; null while there is some. */
  readonly reason: Error | null;
  readonly remainingMs: number;
  /** Ends it now, since it would end before the work. @returns the reason from now on */
  giveUp(): Error;
}

interface Job {
  /** @returns whether it was the last one */
  readonly step: () => boolean;
  /** How many steps it has, where that is known. */
  readonly steps: number;
  /** Places of the candidate list of each, 0 where that says nothing. */
  readonly candidates: number;
  readonly limit: JobLimit;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  /** Steps that were made. */
  stepsDone: number;
  /** Whether it counts among those that have begun. */
  isStarted: boolean;
}

export class Scheduler implements Backlog {
  /** Jobs of one step, oldest first. */
  private small: Job[] = [];
  /** Those of several steps that take turns; the first is next. */
  private large: Job[] = [];
  /** Jobs of several steps that wait until fewer have begun, oldest first. */
  private waiting: Job[] = [];
  private startedJobs = 0;
  /** Given to first slices on the spot since the event loop turned. */
  private immediateMs = 0;
  private scheduled = false;
  /** Requests that were let in and have not queued yet. */
  private admitted = 0;
  private averageStepMs = 0.5;
  /** Of the steps of batches. */
  private candidateMs = 0;
  private lastEmptyAt = performance.now();
  /** Part of the time that slices have, while something waits. */
  private sliceShare = 1;
  /** When the last slice ended; null where nothing waited after it. */
  private sliceEnded: number | null = null;
  /** Time that was given to both kinds, while both waited. */
  private smallMs = 0;
  private largeMs = 0;

  /** @param onSlice called after each slice */
  constructor(private readonly onSlice: () => void = () => undefined) {}

  get ahead(): number {
    return this.small.length + this.admitted;
  }

  get waitMs(): number {
    return this.ahead * this.stepMs;
  }

  get stepMs(): number {
    const share = this.large.length > 0 ? 1 - LARGE_SHARE : 1;
    return this.averageStepMs / (share * this.sliceShare);
  }

  get emptyAt(): number {
    return this.ahead === 0 ? performance.now() : this.lastEmptyAt;
  }

  noteAdmitted(): void {
    this.noteEmpty();
    this.admitted++;
    this.schedule();
  }

  /**
   * Calls `step(0)` to `step(steps - 1)`, in order. What cannot be done in its time is not begun.
   * @param candidates of the candidate list of the search that a step is, by which its time is estimated
   * @throws what a step throws; the reason of the limit; a job that was abandoned ends with it as well
   */
  run(steps: number, limit: JobLimit, step: (position: number) => void, candidates = 0): Promise<void> {
    if (steps === 0) return Promise.resolve();
    if (limit.remainingMs < this.minMs(steps, candidates)) return Promise.reject(limit.reason ?? limit.giveUp());
    let next = 0;
    const stepNext = () => {
      step(next++);
      return next === steps;
    };
    return this.queue({ step: stepNext, steps, candidates: candidates }, limit, (job) => {
      if (steps === 1) this.small.push(job);
      else this.startOrWait(job);
    });
  }

  /** What a job takes at least, those included that end before it begins. */
  private minMs(steps: number, candidates: number): number {
    if (steps === 1) return this.waitMs;
    const own = this.estimate(steps, candidates);
    if (this.startedJobs < MAX_STARTED) return own;
    return [...this.large, ...this.waiting].reduce(
      (sum, job) => sum + this.estimate(job.steps - job.stepsDone, job.candidates),
      own,
    );
  }

  private estimate(steps: number, candidates: number): number {
    return Math.max(0, steps) * candidates * this.candidateMs * CERTAIN_SHARE;
  }

  /**
   * Does work slice by slice. Its first slice is done on the spot, unless that was done for too much since the event
   * loop turned: a job that is over so soon does not wait twice, for its filter and for its search.
   * @throws as `run`, and what the work throws
   */
  async runWork<T>(limit: JobLimit, work: Work<T>): Promise<T> {
    if (limit.reason !== null) throw limit.reason;
    let slice = this.immediateMs < IMMEDIATE_MS ? this.runImmediately(work) : null;
    if (slice?.done === true) return slice.value;
    const isBegun = slice !== null;
    const stepNext = () => {
      slice = work.next();
      return slice.done === true;
    };
    await this.queue({ step: stepNext, steps: 0, candidates: 0 }, limit, (job) =>
      (isBegun ? this.large : this.small).push(job),
    );
    return slice!.value!;
  }

  private runImmediately<T>(work: Work<T>): IteratorResult<undefined, T> {
    if (this.immediateMs === 0) setImmediate(() => (this.immediateMs = 0));
    const begun = performance.now();
    try {
      return work.next();
    } finally {
      this.immediateMs += performance.now() - begun;
    }
  }

  private queue(
    work: Pick<Job, 'step' | 'steps' | 'candidates'>,
    limit: JobLimit,
    join: (job: Job) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.admitted > 0) this.admitted--;
      this.noteEmpty();
      join({ ...work, limit, resolve, reject, stepsDone: 0, isStarted: false });
      this.schedule();
    });
  }

  /** Before something comes, after something went. */
  private noteEmpty(): void {
    if (this.ahead === 0) this.lastEmptyAt = performance.now();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.admitted = 0; // what was let in has queued by now, or its body is still on its way
      const begun = performance.now();
      const between = this.sliceEnded === null ? 0 : begun - this.sliceEnded;
      this.runSlice(begun + SLICE_MS);
      this.noteEmpty();
      this.onSlice();
      const ended = performance.now();
      if (this.sliceEnded !== null) {
        const share = (ended - begun) / (ended - begun + between);
        this.sliceShare += (share - this.sliceShare) * SLICE_WEIGHT;
      }
      const isBusy = this.small.length > 0 || this.large.length > 0;
      this.sliceEnded = isBusy ? ended : null;
      if (isBusy) this.schedule();
    });
  }

  private runSlice(end: number): void {
    let now = performance.now();
    this.rejectLate();
    while (now < end) {
      const isLarge = this.isLargeNext();
      const job = isLarge ? this.large.shift() : this.small.shift();
      if (job === undefined) return;
      const isUnfinished = runStep(job);
      if (!isUnfinished) this.finish(job);
      else if (job.isStarted || job.stepsDone < FREE_SLICES) this.large.push(job);
      else this.startOrWait(job);
      const begun = now;
      now = performance.now();
      this.recordTime(isLarge, now - begun); // where the job is the only large one, it competes again by now
      if (isLarge && job.candidates > 0)
        this.candidateMs += ((now - begun) / job.candidates - this.candidateMs) * STEP_WEIGHT;
    }
  }

  private isLargeNext(): boolean {
    if (this.small.length === 0) return true;
    return this.large.length > 0 && this.largeMs * (1 - LARGE_SHARE) <= this.smallMs * LARGE_SHARE;
  }

  private recordTime(isLarge: boolean, ms: number): void {
    if (!isLarge) this.averageStepMs += (ms - this.averageStepMs) * STEP_WEIGHT;
    if (this.small.length === 0 || this.large.length === 0) {
      this.smallMs = this.largeMs = 0; // nobody competes
    } else if (isLarge) this.largeMs += ms;
    else this.smallMs += ms;
  }

  /** It has its turns from now on, or as soon as fewer have begun. */
  private startOrWait(job: Job): void {
    if (this.startedJobs >= MAX_STARTED) {
      this.waiting.push(job);
      return;
    }
    job.isStarted = true;
    this.startedJobs++;
    this.large.push(job);
  }

  /** A job is over, well or badly: the next one may begin. */
  private finish(job: Job): void {
    if (!job.isStarted) return;
    this.startedJobs--;
    const next = this.waiting.shift();
    if (next !== undefined) this.startOrWait(next);
  }

  /** Those that are out of time hear it now, and do not wait for their turns in vain. */
  private rejectLate(): void {
    this.small = rejectLateJobs(this.small);
    this.waiting = rejectLateJobs(this.waiting);
    const timely = rejectLateJobs(this.large);
    if (timely === this.large) return;
    const late = this.large.filter((job) => !timely.includes(job));
    this.large = timely;
    for (const job of late) this.finish(job);
  }
}

/** @returns the same jobs, most often; those out of time are rejected */
function rejectLateJobs(jobs: Job[]): Job[] {
  const late = jobs.filter((job) => !isWithinTime(job));
  return late.length === 0 ? jobs : jobs.filter((job) => !late.includes(job));
}

/** @returns true while the job has steps left */
function runStep(job: Job): boolean {
  if (!isWithinTime(job)) return false;
  try {
    job.stepsDone++;
    if (!job.step()) return true;
  } catch (error) {
    job.reject(error);
    return false;
  }
  job.resolve();
  return false;
}

/** Rejects it where it is not. */
function isWithinTime({ limit, reject }: Job): boolean {
  const { reason } = limit;
  if (reason !== null) reject(reason);
  return reason === null;
}
