/**
 * Limits the work on a request: until its deadline, or until its client leaves.
 *
 * Work on the event loop calls `check` between its steps. Work on other threads gets a signal, and `within` rejects at
 * the deadline even if that work has not ended. Timer and signal are created on first use: most searches finish before,
 * and creating them costs a tenth of such a request.
 */
import { setMaxListeners } from 'node:events';
import type { ServerResponse } from 'node:http';
import { ShortlistError } from '../../base/errors.js';

/** Node fires longer timers at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export class TimeLimit {
  private ended: ShortlistError | null = null;
  private controller: AbortController | null = null;
  private timer: NodeJS.Timeout | null = null;

  /** @param deadline in `performance.now()` time. Compared directly, since timers of a busy process are late */
  constructor(
    response: Pick<ServerResponse, 'destroyed'>,
    private readonly deadline: number,
  ) {
    if (response.destroyed) this.clientLeft();
  }

  /** The error once time is over, else null. */
  get reason(): ShortlistError | null {
    if (this.ended === null && performance.now() > this.deadline) this.expire();
    return this.ended;
  }

  get remainingMs(): number {
    return this.deadline - performance.now();
  }

  /** Ends the time now, since it is too short for the work. @returns the error */
  giveUp(): ShortlistError {
    const message = 'the time limit is shorter than this request needs at the current load; try again, or request less';
    this.end(new ShortlistError('deadline_exceeded', message));
    return this.ended!;
  }

  /** @throws deadline_exceeded */
  check(): void {
    const { reason } = this;
    if (reason !== null) throw reason;
  }

  /** Aborted with a ShortlistError when time is over. */
  get signal(): AbortSignal {
    if (this.controller === null) {
      this.controller = new AbortController();
      setMaxListeners(0, this.controller.signal); // each waiting query of a batch adds one
      if (this.reason !== null) this.controller.abort(this.reason);
      else this.timer = setTimeout(() => this.expire(), Math.min(this.remainingMs, MAX_TIMER_MS));
    }
    return this.controller.signal;
  }

  /** The result of the work, or `deadline_exceeded` as soon as time is over; the work may continue for a moment. */
  within<T>(work: Promise<T>): Promise<T> {
    const { signal } = this;
    return new Promise((resolve, reject) => {
      const stop = () => reject(signal.reason as Error);
      if (signal.aborted) stop();
      signal.addEventListener('abort', stop);
      work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
    });
  }

  clientLeft(): void {
    this.end(new ShortlistError('deadline_exceeded', 'the client closed the connection'));
  }

  /** The work is done: removes the timer. */
  clear(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private expire(): void {
    const message = 'the time limit passed before the answer was complete; request less, or set allow_partial';
    this.end(new ShortlistError('deadline_exceeded', message));
  }

  private end(reason: ShortlistError): void {
    this.clear();
    this.ended ??= reason;
    this.controller?.abort(this.ended);
  }
}
