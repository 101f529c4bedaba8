/**
 * Limits requests that are sent a second time: hedges, and repetitions of requests on which a server has worked. They
 * are a share of all requests, so that servers that are slow because of too many requests do not get twice as many.
 */

/** Additional requests per request. */
const SHARE = 0.1;

/** Saved up by requests that needed none: a server that stops with this many requests in flight loses none of them. */
const MAX_SAVED = 32;

export class CallBudget {
  private saved = MAX_SAVED;

  noteRequest(): void {
    this.saved = Math.min(MAX_SAVED, this.saved + SHARE);
  }

  /** @returns false if there is nothing left */
  tryTake(): boolean {
    if (this.saved < 1) return false;
    this.saved--;
    return true;
  }
}
