/**
 * How long a request is worked on: until its deadline, or until its client leaves.
 *
 * Work on the event loop asks between its steps (`check`); work on other threads gets a signal, and `within` answers
 * at the deadline whether or not that work has ended. Timer and signal are made when they are first asked for: most
 * searches are over before either could matter, and together they cost a tenth of what such a request does.
 */
import { setMaxListeners } from 'node:events';
import type { ServerResponse } from 'node:http';
import { ShortlistError } from '../../base/errors.js';

/** Node takes a longer one for no time at all. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export class TimeLimit {
  private ended: ShortlistError | null = null;
  private controller: AbortController | null = null;
  private timer: NodeJS.Timeout | null = null;

  /**
   * @param deadline `performance.now()` after which nothing is begun: exact, where a timer of a busy process is late
   */
  constructor(
    response: Pick<ServerResponse, 'destroyed'>,
    private readonly deadline: number,
  ) {
    if (response.destroyed) this.clientLeft();
  }

  /** Why there is no more time; null while there is some. */
  get reason(): ShortlistError | null {
    if (this.ended === null && performance.now() > this.deadline) this.expire();
    return this.ended;
  }

  get remainingMs(): number {
    return this.deadline - performance.now();
  }

  /** Ends it now, since the work cannot be done in its time. @returns the reason */
  giveUp(): ShortlistError {
    const message =
      'the time limit is shorter than what the server has to do before the answer; try again, or ask for less';
    this.end(new ShortlistError('deadline_exceeded', message));
    return this.ended!;
  }

  /** @throws deadline_exceeded */
  check(): void {
    const { reason } = this;
    if (reason !== null) throw reason;
  }

  /** Aborted with a ShortlistError when there is no more time. */
  get signal(): AbortSignal {
    if (this.controller === null) {
      this.controller = new AbortController();
      setMaxListeners(0, this.controller.signal); // each query of a batch that waits for a thread is one
      if (this.reason !== null) this.controller.abort(this.reason);
      else this.timer = setTimeout(() => this.expire(), Math.min(this.remainingMs, MAX_TIMER_MS));
    }
    return this.controller.signal;
  }

  /** The work's outcome, or `deadline_exceeded` as soon as there is no more time: the work may take a moment to end. */
  within<T>(work: Promise<T>): Promise<T> {
    const { signal } = this;
    return new Promise((resolve, reject) => {
      const stop = () => reject(signal.reason as Error);
      if (signal.aborted) stop();
      signal.addEventListener('abort', stop);
      work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
    });
  }

  /** Nobody waits for the answer any more. */
  clientLeft(): void {
    this.end(new ShortlistError('deadline_exceeded', 'the client closed the connection'));
  }

  /** The work is done: no timer is left. */
  clear(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private expire(): void {
    const message = 'the time limit passed before the answer was complete; ask for less, or set allow_partial';
    this.end(new ShortlistError('deadline_exceeded', message));
  }

  private end(reason: ShortlistError): void {
    this.clear();
    this.ended ??= reason;
    this.controller?.abort(this.ended);
  }
}
