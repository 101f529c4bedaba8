/**
 * Long work in slices: one algorithm, several drivers. The library runs it at once; whoever loads a version while it
 * answers, and the server, run it in turns with the event loop, and may leave it unfinished between two slices.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Yields between slices. Nothing that others can change is relied on across a yield. */
export type Work<T> = Generator<undefined, T, undefined>;

/** Rows of one slice of work that costs a few nanoseconds a row. */
export const SLICE_ROWS = 32_768;

/**
 * Units of one slice, where a unit is about a nanosecond: half a millisecond. A driver runs several slices in its turn; one
 * slice is what it may be late by, so ten times more on a slow or busy core is still bearable.
 */
export const SLICE_UNITS = 500_000;

/** Adds up what work costs and says when it is time to yield: `if (meter.spend(rows)) yield;`. */
export class Meter {
  private units = 0;

  /** @returns whether a slice is over, and then begins the next one */
  spend(units: number): boolean {
    this.units += units;
    if (this.units < SLICE_UNITS) return false;
    this.units = 0;
    return true;
  }
}

export function runAtOnce<T>(work: Work<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** @param signal aborting it ends the work before its next slice and rejects with the signal's reason */
export async function runInTurns<T>(work: Work<T>, signal?: AbortSignal): Promise<T> {
  for (;;) {
    signal?.throwIfAborted();
    const step = work.next();
    if (step.done === true) return step.value;
    await nextTurn();
  }
}
