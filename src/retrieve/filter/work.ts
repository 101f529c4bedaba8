/**
 * Long work on a column in slices of about a millisecond, run at once or in turns with the event loop: whoever loads a
 * version while it answers has the second, whoever filters by a column that nobody prepared has the first.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Yields between slices. */
export type Work<T> = Generator<undefined, T, undefined>;

/** Rows of one slice. */
export const SLICE_ROWS = 32_768;

export function runAtOnce<T>(work: Work<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

export async function runInTurns<T>(work: Work<T>): Promise<T> {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    await nextTurn();
  }
}
