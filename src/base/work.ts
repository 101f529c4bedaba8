/**
 * Long work in slices: one algorithm, several drivers. The library runs it at once; whoever loads a version while it
 * answers runs it in turns with the event loop; a server's scheduler runs it between the searches of others. It may
 * be left unfinished between two slices.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Yields between slices. Nothing that others can change is relied on across a yield. */
export type Work<T> = Generator<undefined, T, undefined>;

/**
 * Rows of one slice of work that costs a few nanoseconds a row, or some fifty where each misses the processor's
 * caches.
 */
export const SLICE_ROWS = 8_192;

/** How long a slice takes: a driver runs several in its turn, and one slice is what it may be late by. */
const SLICE_MS = 0.5;

/**
 * Units after which the clock is looked at, where a unit is about a nanosecond, and ten in code that is not compiled
 * yet on a slow core: a look costs some fifty.
 */
const LOOK_UNITS = 10_000;

/** Adds up what work costs and says when it is time to yield: `if (meter.spend(rows)) yield;`. */
export class Meter {
  private units = 0;
  /** When the slice began; NaN where it has not, since nobody knows when work goes on after it has yielded. */
  private begun = NaN;

  /** @returns whether a slice is over, and then begins the next one */
  spend(units: number): boolean {
    if (Number.isNaN(this.begun)) this.begun = performance.now();
    this.units += units;
    if (this.units < LOOK_UNITS) return false;
    this.units = 0;
    if (performance.now() - this.begun < SLICE_MS) return false;
    this.begun = NaN;
    return true;
  }
}

export function runAtOnce<T>(work: Work<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** How what takes long shares its thread with others, and what ends it. */
export interface Turns {
  /** Aborting it ends the work before its next slice and rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Whoever owns the thread runs the work; default: a slice each time that the event loop turns. */
  readonly run?: (<T>(work: Work<T>) => Promise<T>) | undefined;
}

export async function runInTurns<T>(work: Work<T>, { signal, run }: Turns = {}): Promise<T> {
  if (run !== undefined) return run(work);
  for (;;) {
    signal?.throwIfAborted();
    const step = work.next();
    if (step.done === true) return step.value;
    await nextTurn();
  }
}
