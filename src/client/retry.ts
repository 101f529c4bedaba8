/** Retries and time limits of calls. Searches change nothing, so repeating one is safe. */
import { ShortlistClientError } from './client-error.js';

/** If the server asks for a longer delay, the call fails. */
const MAX_RETRY_AFTER_MS = 5_000;

/** After a broken connection: another worker or server accepts the next one. */
const FIRST_DELAY_MS = 50;

export function isRetryable(error: unknown): boolean {
  if (!(error instanceof ShortlistClientError)) return false;
  return error.code === 'network' || (error.status === 503 && (error.retryAfterMs ?? 0) <= MAX_RETRY_AFTER_MS);
}

/**
 * The delay that the server asks for, else one that doubles with each attempt. Up to a quarter is added at random, so
 * that clients refused together do not return together.
 */
export function retryDelayMs(error: unknown, attempt: number): number {
  const asked = error instanceof ShortlistClientError ? error.retryAfterMs : null;
  return (asked ?? FIRST_DELAY_MS * 2 ** attempt) * (1 + Math.random() / 4);
}

/** Aborts at the time limit or by the caller's signal, whichever is first. */
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
