/**
 * How long a request is worked on: until its deadline, or until its client leaves. One signal says both, to the scheduler,
 * to threads that scan and to the route.
 */
import type { ServerResponse } from 'node:http';
import { ShortlistError } from '../base/errors.js';

export interface TimeLimit {
  /** `performance.now()` after which nothing is begun: exact, where a timer of a busy process is late. */
  readonly deadline: number;
  /** Aborted with a ShortlistError. */
  readonly signal: AbortSignal;
}

/** @returns the limit, and `clear`, to be called when the work is done */
export function limitTime(response: ServerResponse, deadline: number): TimeLimit & { clear(): void } {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(deadlineError()), Math.max(0, deadline - performance.now()));
  const leave = () => controller.abort(new ShortlistError('deadline_exceeded', 'the client closed the connection'));
  if (response.destroyed) leave();
  response.once('close', leave);
  const clear = () => {
    clearTimeout(timer);
    response.off('close', leave);
  };
  return { deadline, signal: controller.signal, clear };
}

/** @throws deadline_exceeded */
export function checkTime({ deadline, signal }: TimeLimit): void {
  signal.throwIfAborted();
  if (performance.now() > deadline) throw deadlineError();
}

/** The work's outcome, or `deadline_exceeded` as soon as the limit is reached: the work may take a moment to end. */
export function withinTime<T>(work: Promise<T>, { signal }: TimeLimit): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason as Error);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop);
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

function deadlineError(): ShortlistError {
  return new ShortlistError('deadline_exceeded', 'the time limit passed before the answer was complete; ask for less');
}
