/**
 * Shares the one thread of a worker between the requests that compute on it.
 *
 * A graph search blocks the event loop. If each ran as soon as its request is read, later requests would wait unseen in
 * their sockets, where they are neither counted nor refused, and a batch of a thousand would delay everybody. So
 * searches are steps of jobs. Jobs of one step (small jobs) run in order of arrival. Jobs of several steps (large jobs)
 * take turns, one step each, and get a share of the time while small jobs wait. After a time slice the event loop gets
 * its turn: it reads what has arrived, and guard.ts refuses what is too much.
 *
 * Only a few large jobs are started at a time, since their answers grow step by step: if all were started, all would
 * hold half an answer, and under load all would end at their deadlines.
 *
 * Work in slices (base/work.ts) has an unknown number of steps. Its first slice is a small job: most filters are cached
 * and need no more. The rest is a large job, which counts as started when it turns out to be long.
 */
import type { Work } from '../../base/work.js';
import type { Backlog } from './guard.js';

/**
 * Long enough that a turn of the event loop (about 20 us) costs 1 %, short enough that waiting is not noticeable.
 * Longer slices do not do more: the reading and answering between them grows with them.
 */
const SLICE_MS = 2;

/**
 * Time per turn of the event loop for first slices that run immediately: about ten cached filters, or one slice of
 * another.
 */
const IMMEDIATE_MS = 0.5;

/** Large jobs worked on at once. More than one, so that a long job does not block a short one. */
const MAX_STARTED = 4;

/** Slices of work before it counts as started: quick filters do not wait for long ones, whose memory is limited. */
const FREE_SLICES = 8;

/** Share of the time for large jobs while small ones wait. A small one then waits half as long again. */
const LARGE_SHARE = 1 / 3;

/** Weight of the newest step in the average step time. */
const STEP_WEIGHT = 1 / 32;

/** Weight of the newest slice in the average share of time that slices get. */
const SLICE_WEIGHT = 1 / 8;

/** A batch is refused if its time is shorter than this share of the estimate: estimates may be twice too high. */
const CERTAIN_SHARE = 1 / 2;

/** Time limit of a job: a TimeLimit. */
interface JobLimit {
  /** The error once time is over, else null. */
  readonly reason: Error | null;
  readonly remainingMs: number;
  /** Ends the time now, since it is too short for the work. @returns the error */
  giveUp(): Error;
}

interface Job {
  /** @returns true if it was the last step */
  readonly step: () => boolean;
  /** Number of steps; 0 if unknown. */
  readonly steps: number;
  /** Size of the candidate list of each step's search; 0 if it does not predict the time. */
  readonly candidates: number;
  readonly limit: JobLimit;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  stepsDone: number;
  /** Whether it counts towards MAX_STARTED. */
  isStarted: boolean;
}

export class Scheduler implements Backlog {
  /** Small jobs, oldest first. */
  private small: Job[] = [];
  /** Started large jobs; the first is next. */
  private large: Job[] = [];
  /** Large jobs that are not started, oldest first. */
  private waiting: Job[] = [];
  private startedJobs = 0;
  /** Time spent on immediate first slices in this turn of the event loop. */
  private immediateMs = 0;
  private scheduled = false;
  /** Admitted requests that are not queued yet. */
  private admitted = 0;
  private averageStepMs = 0.5;
  /** Average time per candidate of the steps of batches. */
  private candidateMs = 0;
  private lastEmptyAt = performance.now();
  /** Average share of the time that slices get while something waits. */
  private sliceShare = 1;
  /** When the last slice ended; null if nothing waited after it. */
  private sliceEnded: number | null = null;
  /** Time given to small and large jobs while both waited. */
  private smallMs = 0;
  private largeMs = 0;

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
   * Calls `step(0)` to `step(steps - 1)`, in order. A job that cannot be finished in its time is not started.
   * @param candidates size of the candidate list of each step's search, to estimate its time
   * @throws what a step throws; the limit's error if time runs out or the job is abandoned
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

  /** Minimum time of a job, including the jobs that finish before it starts. */
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
   * Runs work slice by slice. The first slice runs immediately, unless too much of that was done in this turn of the
   * event loop: short work then does not wait twice, for its filter and for its search.
   * @throws like `run`, and what the work throws
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

  /** To be called before a job is added and after jobs were removed. */
  private noteEmpty(): void {
    if (this.ahead === 0) this.lastEmptyAt = performance.now();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.admitted = 0; // admitted requests are queued by now, or their bodies are still arriving
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
      this.recordTime(isLarge, now - begun); // after the job was queued again
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
      this.smallMs = this.largeMs = 0; // no competition
    } else if (isLarge) this.largeMs += ms;
    else this.smallMs += ms;
  }

  /** Starts a large job, or lets it wait until fewer are started. */
  private startOrWait(job: Job): void {
    if (this.startedJobs >= MAX_STARTED) {
      this.waiting.push(job);
      return;
    }
    job.isStarted = true;
    this.startedJobs++;
    this.large.push(job);
  }

  /** A job has ended: the next one may start. */
  private finish(job: Job): void {
    if (!job.isStarted) return;
    this.startedJobs--;
    const next = this.waiting.shift();
    if (next !== undefined) this.startOrWait(next);
  }

  /** Rejects all jobs that are out of time, so that they do not wait for their turns. */
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

/** @returns the remaining jobs: the same array if none was late */
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

/** Rejects the job if it is out of time. */
function isWithinTime({ limit, reject }: Job): boolean {
  const { reason } = limit;
  if (reason !== null) reject(reason);
  return reason === null;
}
