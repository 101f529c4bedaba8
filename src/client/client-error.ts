/** The error that the client throws. */
import type { ErrorCode } from '../base/errors.js';

/** The server's codes, and those for failures without a usable answer. */
export type ClientErrorCode = ErrorCode | 'timeout' | 'network' | 'bad_answer';

interface ErrorFacts {
  readonly status?: number;
  readonly requestId?: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

export class ShortlistClientError extends Error {
  override readonly name = 'ShortlistClientError';
  readonly code: ClientErrorCode;
  /** HTTP status; null if there was no answer. */
  readonly status: number | null;
  /** The id of the request in the server's log; null if there was no answer. */
  readonly requestId: string | null;
  /** Further members of the problem: `field`, `expected`, `limit`, ... */
  readonly details: Readonly<Record<string, unknown>>;
  /** Delay from the server's Retry-After; null without one. */
  readonly retryAfterMs: number | null;

  constructor(code: ClientErrorCode, message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.status = facts.status ?? null;
    this.requestId = facts.requestId ?? null;
    this.details = facts.details ?? {};
    this.retryAfterMs = facts.retryAfterMs ?? null;
  }
}

/** Problem members that the error has as its own fields. */
const STANDARD: readonly string[] = ['type', 'title', 'status', 'detail', 'code', 'request_id'];

/** The error for an answer other than 2xx, which may also come from a proxy. */
export async function problemError(response: Response): Promise<ShortlistClientError> {
  const { status } = response;
  const retryAfterMs = readRetryAfter(response.headers.get('retry-after'));
  const retry = retryAfterMs === null ? {} : { retryAfterMs };
  const problem = (await response.json().catch(() => null)) as Record<string, unknown> | null;
  if (problem === null || typeof problem['code'] !== 'string') {
    return new ShortlistClientError('bad_answer', `the server answered ${status} without problem details`, {
      status,
      ...retry,
    });
  }
  const { code, detail, title, request_id: requestId } = problem;
  const message = typeof detail === 'string' ? detail : String(title);
  const details = Object.fromEntries(Object.entries(problem).filter(([name]) => !STANDARD.includes(name)));
  const id = typeof requestId === 'string' ? { requestId } : {};
  return new ShortlistClientError(code as ErrorCode, message, { status, details, ...id, ...retry });
}

/** Seconds, or a date as proxies may write it (RFC 9110, 10.2.3). */
function readRetryAfter(text: string | null): number | null {
  if (text === null) return null;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}
