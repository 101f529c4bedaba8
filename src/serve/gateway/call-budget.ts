/**
 * Limits requests that are sent a second time: hedges, and repetitions of requests on which a server has worked. They
 * are a share of all requests, so that servers that are slow because of too many requests do not get twice as many.
 */

/** Requests that allow an additional one. */
const REQUESTS_PER_EXTRA = 10;

/** Saved up by requests that needed none: a server that stops with this many requests in flight loses none of them. */
const MAX_SAVED = 32;

export class CallBudget {
  /** In requests. */
  private saved = MAX_SAVED * REQUESTS_PER_EXTRA;

  noteRequest(): void {
    this.saved = Math.min(MAX_SAVED * REQUESTS_PER_EXTRA, this.saved + 1);
  }

  /** @returns false if there is nothing left */
  tryTake(): boolean {
    if (this.saved < REQUESTS_PER_EXTRA) return false;
    this.saved -= REQUESTS_PER_EXTRA;
    return true;
  }
}
