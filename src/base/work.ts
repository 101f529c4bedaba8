/**
 * Long work in slices: one algorithm, several drivers. The library runs it synchronously, loading a version alternates
 * with the event loop, and a server's scheduler runs slices between other searches. It may be dropped between two
 * slices.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Yields between slices. After a yield, nothing that others can change may be assumed. */
export type Work<T> = Generator<undefined, T, undefined>;

/** Rows of one slice, at some nanoseconds a row, or about fifty if each row misses the processor's caches. */
export const SLICE_ROWS = 8_192;

/** Length of a slice. A driver runs several at a time and may be late by one. */
const SLICE_MS = 0.5;

/** Units between looks at the clock, which cost about 50 ns each. A unit takes 1 ns, or 10 before code is compiled. */
const CLOCK_UNITS = 10_000;

/** Adds up the cost of work and says when to yield: `if (meter.spend(rows)) yield;`. */
export class Meter {
  private units = 0;
  /** When the slice began; NaN after a yield until the work goes on, at a time that only then is known. */
  private begun = NaN;

  /** @returns whether the slice is over; the next call begins another one */
  spend(units: number): boolean {
    if (Number.isNaN(this.begun)) this.begun = performance.now();
    this.units += units;
    if (this.units < CLOCK_UNITS) return false;
    this.units = 0;
    if (performance.now() - this.begun < SLICE_MS) return false;
    this.begun = NaN;
    return true;
  }
}

export function runSync<T>(work: Work<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** How long work shares its thread, and what stops it. */
export interface WorkOptions {
  /** Aborting it stops the work before its next slice; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** How the owner of the thread runs the work; default: one slice in each turn of the event loop. */
  readonly run?: (<T>(work: Work<T>) => Promise<T>) | undefined;
}

export async function runAsync<T>(work: Work<T>, { signal, run }: WorkOptions = {}): Promise<T> {
  if (run !== undefined) return run(work);
  for (;;) {
    signal?.throwIfAborted();
    const step = work.next();
    if (step.done === true) return step.value;
    await nextTurn();
  }
}
