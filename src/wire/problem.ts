/** Errors as RFC 9457 problem details. */
import { ERRORS, ShortlistError, type ErrorCode } from '../base/errors.js';

export const PROBLEM_TYPE = 'application/problem+json';

/** The shortest delay that the Retry-After header can express. */
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

/** The problem as the client sees it. The message of a failure of the server stays in the log: it may contain paths. */
export function describeProblem(error: ShortlistError, requestId: string): Problem {
  const internal = error.status === 500;
  return {
    ...problemHead(
      error.code,
      internal ? `the server failed; its log has the reason under request id ${requestId}` : error.message,
    ),
    request_id: requestId,
    ...(internal ? {} : extraMembers(error)),
  };
}

/** Details are added to the standard members and never replace them. */
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

/** True if the refusal is temporary; the answer then has Retry-After. */
export function isRetryable(error: ShortlistError): boolean {
  return error.status === 503;
}

/** Our codes for those errors of fastify and Node that a client can cause. All others are bugs. */
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

/** Any thrown value as a ShortlistError: `internal` unless it is one already or the client caused it. */
export function toShortlistError(error: unknown): ShortlistError {
  if (error instanceof ShortlistError) return error;
  if (error instanceof Error) {
    const code = 'code' in error && typeof error.code === 'string' ? CODES_OF_LIBRARIES[error.code] : undefined;
    if (code !== undefined) return new ShortlistError(code, error.message, {}, { cause: error });
  }
  return new ShortlistError('internal', error instanceof Error ? error.message : String(error), {}, { cause: error });
}
