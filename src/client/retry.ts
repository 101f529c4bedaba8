/**
 * When a call is sent again, and when it ends. Searches change nothing, so sending one twice does no harm.
 *
 * By hand, since the client needs no package.
 */
import { ShortlistClientError } from './client-error.js';

/** A server that asks for more is not waited for. */
const MAX_RETRY_AFTER_MS = 5_000;

/** After a connection that broke: another worker or server takes the next one. */
const FIRST_DELAY_MS = 50;

export function isRetryable(error: unknown): boolean {
  if (!(error instanceof ShortlistClientError)) return false;
  return error.code === 'network' || (error.status === 503 && (error.retryAfterMs ?? 0) <= MAX_RETRY_AFTER_MS);
}

/**
 * As the server asks, else doubling; spread by up to a quarter, so that clients that were refused together do not
 * return together.
 */
export function retryDelayMs(error: unknown, attempt: number): number {
  const asked = error instanceof ShortlistClientError ? error.retryAfterMs : null;
  return (asked ?? FIRST_DELAY_MS * 2 ** attempt) * (1 + Math.random() / 4);
}

/** Ends a call at its time limit or by the caller's signal, whichever is first. */
export function callSignal(timeoutMs: number, signal: AbortSignal | undefined): AbortSignal {
  const limit = AbortSignal.timeout(timeoutMs);
  return signal === undefined ? limit : AbortSignal.any([limit, signal]);
}

export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
