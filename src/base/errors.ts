/**
 * Every failure that a user can meet, in one table. A code alone decides the HTTP status, the exit code and how
 * loudly it is logged; the README's table is checked against this one by a test. Anything that is not a
 * ShortlistError is a bug: it leaves the server as a 500 `internal` and the command line as exit 70.
 */

/** Exit codes of the command line, as sysexits.h names them. */
export const EXIT = {
  done: 0,
  checkFailed: 1,
  usage: 64,
  badData: 65,
  badIndex: 66,
  bug: 70,
  io: 74,
  busy: 75,
} as const;

interface ErrorKind {
  /** HTTP status when the error reaches a client of the server. */
  readonly status: number;
  /** Exit code when it ends a command. */
  readonly exit: number;
  /** What the code means, one sentence: problem+json's `title` and the README's table. */
  readonly title: string;
}

const kind = (status: number, exit: number, title: string): ErrorKind => ({ status, exit, title });

export const ERRORS = {
  // The request, or the command line
  usage: kind(400, EXIT.usage, 'The command line has a wrong command, flag or value'),
  bad_json: kind(400, EXIT.usage, 'The text is not valid JSON'),
  bad_request: kind(400, EXIT.usage, 'A field or parameter is missing or contradicts another'),
  bad_field: kind(400, EXIT.usage, 'A field has the wrong type or value'),
  unknown_field: kind(400, EXIT.usage, 'The request has a field that this route does not know'),
  bad_base64: kind(400, EXIT.usage, 'The vector is not valid base64'),
  bad_arrow: kind(400, EXIT.badData, 'The body is not an Arrow stream that can be read, or has no one vector column'),
  bad_encoding: kind(400, EXIT.usage, 'The body is not what its Content-Encoding says'),
  bad_vector: kind(400, EXIT.usage, 'A vector is not a list of numbers, or the bytes are no whole number of vectors'),
  dimension_mismatch: kind(400, EXIT.badData, 'The vector has another length than the vectors of the index'),
  vector_not_finite: kind(400, EXIT.badData, 'A vector component is NaN or not finite as float32'),
  vector_zero: kind(400, EXIT.badData, 'The zero vector has no direction, so no cosine similarity'),
  vector_out_of_range: kind(400, EXIT.badData, 'A vector component is beyond 1e18 in magnitude'),
  k_out_of_range: kind(400, EXIT.usage, 'k is not a whole number from 1 to 10,000'),
  ef_out_of_range: kind(400, EXIT.usage, 'ef is not a whole number from 1 to 10,000'),
  target_recall_out_of_range: kind(400, EXIT.usage, 'The target recall is not a number above 0, up to 1'),
  recall_unreachable: kind(400, EXIT.usage, 'The target recall is more than the calibration of the version promises'),
  batch_too_large: kind(400, EXIT.usage, 'The batch has more queries than one request may carry'),
  unknown_attribute: kind(400, EXIT.usage, 'The index has no attribute of that name'),
  bad_filter: kind(400, EXIT.usage, 'The filter has an unknown attribute or operator, or a literal of the wrong type'),
  filter_too_costly: kind(400, EXIT.usage, 'The filter has more clauses than one request may try on so many rows'),
  unsupported: kind(400, EXIT.usage, 'The server or the index does not support what the request asks for'),
  malformed_http: kind(400, EXIT.usage, 'The request is not well-formed HTTP/1.1'),
  answer_too_large: kind(400, EXIT.usage, 'The answer would be larger than the server gives'),
  unknown_index: kind(404, EXIT.badIndex, 'There is no index of that name'),
  unknown_id: kind(404, EXIT.badIndex, 'The index has no item of that id'),
  unknown_route: kind(404, EXIT.usage, 'There is no such route'),
  method_not_allowed: kind(405, EXIT.usage, 'The route does not take that method'),
  not_acceptable: kind(406, EXIT.usage, 'The route cannot answer in the type that Accept asks for'),
  version_not_loaded: kind(409, EXIT.badIndex, 'The pinned version or alias is not loaded'),
  not_calibrated: kind(409, EXIT.badIndex, 'The version has no calibration, which a target recall needs'),
  request_timeout: kind(408, EXIT.busy, 'The request did not arrive whole within the time limit'),
  body_too_large: kind(413, EXIT.usage, 'The request body is larger than the server takes'),
  unsupported_media_type: kind(415, EXIT.usage, 'The route does not take that Content-Type'),
  headers_too_large: kind(431, EXIT.usage, 'The request line and headers are larger than the server takes'),
  overloaded: kind(503, EXIT.busy, 'The server has as many requests as it can answer soon; retry'),
  not_ready: kind(
    503,
    EXIT.busy,
    'The index has no published version that is loaded yet, or the server is shutting down',
  ),
  index_damaged: kind(
    503,
    EXIT.badIndex,
    'The published version of the index is damaged on disk, and none published before it can answer',
  ),
  deadline_exceeded: kind(504, EXIT.busy, 'The time limit passed before the answer was complete'),

  // Input data
  input_not_found: kind(500, EXIT.badData, 'An input path does not exist or matches no file'),
  input_format: kind(500, EXIT.badData, 'The input is not an Arrow IPC file, Arrow IPC stream or Feather V2 file'),
  input_corrupt: kind(500, EXIT.badData, 'The Arrow file is truncated or its contents contradict each other'),
  input_unsupported: kind(500, EXIT.badData, 'The Arrow file uses a feature that is not read'),
  column_missing: kind(500, EXIT.badData, 'The input has no column of that name'),
  column_type: kind(500, EXIT.badData, 'A column has a type that cannot be used that way'),
  schema_mismatch: kind(500, EXIT.badData, 'The columns of the input files contradict each other'),
  bad_rows: kind(500, EXIT.badData, 'Rows of the input break the data contract'),
  input_too_large: kind(500, EXIT.badData, 'The input is larger than one index holds'),
  no_rows: kind(500, EXIT.badData, 'The input has no row to build from'),

  // Indexes on disk
  index_not_found: kind(500, EXIT.badIndex, 'The root has no index of that name'),
  version_not_found: kind(500, EXIT.badIndex, 'The index has no such version or alias, or none is published'),
  manifest_corrupt: kind(500, EXIT.badIndex, 'The manifest is unreadable or fails its own digest'),
  format_unsupported: kind(500, EXIT.badIndex, 'The version was written in a format that this release does not read'),
  file_missing: kind(500, EXIT.badIndex, 'A file of the version is missing'),
  file_unexpected: kind(500, EXIT.badIndex, 'The version holds a file that its manifest does not name'),
  file_corrupt: kind(
    500,
    EXIT.badIndex,
    'A file differs from its recorded size or checksum, or its structure is wrong',
  ),
  probe_failed: kind(500, EXIT.badIndex, 'A probe search over the version did not find what it must'),
  state_corrupt: kind(500, EXIT.badIndex, 'CURRENT, HISTORY, an alias or a note fails its own digest'),

  // The checks that say no
  gate_failed: kind(500, EXIT.checkFailed, 'The gate refused the version; what was published stays published'),
  check_failed: kind(500, EXIT.checkFailed, 'A check that the command was asked for failed'),
  insufficient_memory: kind(500, EXIT.checkFailed, 'The work needs more memory than there is'),

  // The machine
  io_error: kind(500, EXIT.io, 'The operating system refused to read or write'),
  disk_full: kind(500, EXIT.io, 'The disk is full, or has too little room for what is to be written'),
  interrupted: kind(500, EXIT.busy, 'A signal stopped the command; what it had begun is removed'),
  index_busy: kind(503, EXIT.busy, 'Another process holds the lock of the index'),
  addon_missing: kind(500, EXIT.bug, 'A native addon is not installed'),
  internal: kind(500, EXIT.bug, 'A bug in shortlist'),
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/** JSON-safe facts about an error: file, row, field, limit, ... They appear beside `code` wherever it is reported. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/** What crosses threads, processes and the network: Error objects lose their fields on the way. */
export interface SerializedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
}

/** A failure with a code. `message` is one sentence that names the file, row or field and says what to do. */
export class ShortlistError extends Error {
  override readonly name = 'ShortlistError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.details = details;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get exit(): number {
    return ERRORS[this.code].exit;
  }

  get title(): string {
    return ERRORS[this.code].title;
  }
}

export function serializeError(error: unknown): SerializedError {
  if (error instanceof ShortlistError) return { code: error.code, message: error.message, details: error.details };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: 'internal', message, details: {} };
}

export function deserializeError(error: SerializedError): ShortlistError {
  return new ShortlistError(error.code, error.message, error.details);
}

const FULL_DISK = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** The operating system's refusal as `disk_full` or `io_error`, naming what was being done to which path. */
export function ioError(action: string, path: string, cause: unknown): ShortlistError {
  if (cause instanceof ShortlistError) return cause;
  const errno = errnoOf(cause);
  const why = cause instanceof Error ? cause.message : String(cause);
  if (errno !== null && FULL_DISK.has(errno)) {
    return new ShortlistError(
      'disk_full',
      `cannot ${action} ${path}: no space left; free some and try again`,
      { file: path, errno },
      { cause },
    );
  }
  return new ShortlistError('io_error', `cannot ${action} ${path}: ${why}`, { file: path, errno }, { cause });
}

/** `ENOENT` and its like, or null for errors that did not come from the operating system. */
export function errnoOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}
