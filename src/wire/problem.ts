/** Errors as RFC 9457 problem details: one shape for whatever went wrong, wherever. */
import { ERRORS, ShortlistError, type ErrorCode } from '../base/errors.js';

export const PROBLEM_TYPE = 'application/problem+json';

/** Seconds after which a refused client may try again: the shortest whole number that the header can carry. */
export const RETRY_AFTER_SECONDS = 1;

const STANDARD_MEMBERS = new Set(['type', 'title', 'status', 'detail', 'code', 'request_id']);

interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly request_id: string;
  readonly [extra: string]: unknown;
}

/** What a client sees of an error. The text of a bug stays in the log: it may tell of paths and data. */
export function describeProblem(error: ShortlistError, requestId: string): Problem {
  const internal = error.code === 'internal';
  return {
    ...problemHead(
      error.code,
      internal ? `the server failed; its log has the reason under ${requestId}` : error.message,
    ),
    request_id: requestId,
    ...(internal ? {} : extraMembers(error)),
  };
}

/** Details stand beside the standard members, never in their place. */
function extraMembers({ details }: ShortlistError): Record<string, unknown> {
  return Object.fromEntries(Object.entries(details).filter(([name]) => !STANDARD_MEMBERS.has(name)));
}

function problemHead(code: ErrorCode, detail: string) {
  return { type: `urn:shortlist:error:${code}`, title: ERRORS[code].title, status: ERRORS[code].status, detail, code };
}

/** One failed query of a batch. */
export function describeFailedQuery({ code, message, details: { field } }: ShortlistError) {
  return { ...problemHead(code, message), ...(typeof field === 'string' && field !== '' ? { field } : {}) };
}

/** True for refusals that pass by themselves: they carry Retry-After. */
export function isRetryable(error: ShortlistError): boolean {
  return error.status === 503;
}

/** Codes of fastify and Node that clients can cause, as ours. What is not here is a bug. */
const CODES_OF_LIBRARIES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'malformed_http',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'bad_json',
  FST_ERR_CTP_INVALID_JSON_BODY: 'bad_json',
  FST_ERR_BAD_URL: 'malformed_http',
  FST_ERR_MAX_PARAM_LENGTH: 'unknown_route',
  FST_ERR_NOT_FOUND: 'unknown_route',
  ECONNRESET: 'malformed_http',
};

/** Any thrown value as one of our errors; what is neither ours nor a client's doing becomes `internal`. */
export function toShortlistError(error: unknown): ShortlistError {
  if (error instanceof ShortlistError) return error;
  if (error instanceof Error) {
    const code = 'code' in error && typeof error.code === 'string' ? CODES_OF_LIBRARIES[error.code] : undefined;
    if (code !== undefined) return new ShortlistError(code, error.message, {}, { cause: error });
  }
  return new ShortlistError('internal', error instanceof Error ? error.message : String(error), {}, { cause: error });
}
