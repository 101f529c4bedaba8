/**
 * Every failure that a user can meet, in one table. The code alone decides the HTTP status, the exit code and the log
 * level; docs/reference/errors.md is generated from it. Any other error is a bug: the server answers 500 `internal`,
 * the command line exits with 70.
 */
import { oneLine } from './one-line.js';

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
  /** HTTP status of the answer, if the error reaches a client of the server. */
  readonly status: number;
  /** Exit code when it ends a command. */
  readonly exit: number;
  /** The meaning in one sentence: `title` in problem+json, and the table of the docs. */
  readonly title: string;
}

const kind = (status: number, exit: number, title: string): ErrorKind => ({ status, exit, title });

export const ERRORS = {
  // The request, or the command line
  usage: kind(500, EXIT.usage, 'The command line has a wrong command, flag or value'),
  bad_gate_file: kind(500, EXIT.usage, 'gate.json is not JSON, or one of its members is unknown or wrong'),
  bad_json: kind(400, EXIT.usage, 'The body or value is not valid JSON'),
  bad_request: kind(400, EXIT.usage, 'A field or parameter is missing or contradicts another'),
  bad_field: kind(400, EXIT.usage, 'A field has the wrong type or value'),
  unknown_field: kind(400, EXIT.usage, 'The request has a field that this route does not know'),
  bad_base64: kind(400, EXIT.usage, 'The vector is not valid base64'),
  bad_arrow: kind(
    400,
    EXIT.badData,
    'The body is not a readable Arrow stream, or its vector column is missing or ambiguous',
  ),
  bad_encoding: kind(400, EXIT.usage, 'The body does not match its Content-Encoding'),
  bad_vector: kind(400, EXIT.usage, 'A vector is not a list of numbers, or its bytes are not whole vectors'),
  dimension_mismatch: kind(400, EXIT.badData, 'The vector and the index differ in the number of components'),
  vector_not_finite: kind(400, EXIT.badData, 'A vector component is NaN or not finite as float32'),
  vector_zero: kind(400, EXIT.badData, 'The zero vector has no direction, so it has no cosine similarity'),
  vector_out_of_range: kind(400, EXIT.badData, 'A vector component is larger than 1e18 in magnitude (l2 and ip)'),
  k_out_of_range: kind(400, EXIT.usage, 'k is not a whole number from 1 to 10,000'),
  ef_out_of_range: kind(400, EXIT.usage, 'ef is not a whole number from 1 to 10,000'),
  target_recall_out_of_range: kind(400, EXIT.usage, 'The target recall is not a number above 0 and up to 1'),
  recall_unreachable: kind(400, EXIT.usage, 'The target recall is higher than the calibration of the version promises'),
  batch_too_large: kind(400, EXIT.usage, 'The batch has more queries than one request may have'),
  unknown_attribute: kind(400, EXIT.usage, 'The index has no attribute with that name'),
  bad_filter: kind(400, EXIT.usage, 'The filter has an unknown attribute or operator, or a literal of the wrong type'),
  filter_too_costly: kind(400, EXIT.usage, 'The filter costs too much: clauses times rows exceed 2^31'),
  unsupported: kind(400, EXIT.usage, 'The server or the index does not support what the request asks for'),
  malformed_http: kind(400, EXIT.usage, 'The request is not well-formed HTTP/1.1'),
  answer_too_large: kind(400, EXIT.usage, 'The answer would be larger than the server allows'),
  unknown_index: kind(404, EXIT.badIndex, 'There is no index with that name'),
  unknown_id: kind(404, EXIT.badIndex, 'The index has no item with that id'),
  unknown_route: kind(404, EXIT.usage, 'There is no such route'),
  method_not_allowed: kind(405, EXIT.usage, 'The route does not support that method'),
  not_acceptable: kind(406, EXIT.usage, 'The route cannot answer in the type that Accept asks for'),
  version_not_loaded: kind(409, EXIT.badIndex, 'The version or alias that the request names is not loaded'),
  not_calibrated: kind(409, EXIT.badIndex, 'The version has no calibration, which a target recall needs'),
  request_timeout: kind(408, EXIT.busy, 'The request did not arrive completely within the time limit'),
  body_too_large: kind(413, EXIT.usage, 'The request body is larger than the server accepts'),
  unsupported_media_type: kind(415, EXIT.usage, 'The route does not accept that Content-Type'),
  headers_too_large: kind(431, EXIT.usage, 'The request line and headers are larger than the server accepts'),
  overloaded: kind(503, EXIT.busy, 'The server already has as many requests as it can answer in time; retry'),
  not_ready: kind(503, EXIT.busy, 'No published version of the index is loaded yet, or the server is shutting down'),
  index_damaged: kind(503, EXIT.badIndex, 'The published version is damaged on disk, and no earlier one can answer'),
  shards_unavailable: kind(
    503,
    EXIT.busy,
    'No server that holds some of the shards answers; retry, or set allow_partial',
  ),
  deadline_exceeded: kind(504, EXIT.busy, 'The time limit passed before the answer was complete'),

  // Input data
  input_not_found: kind(500, EXIT.badData, 'An input path does not exist or matches no file'),
  input_format: kind(500, EXIT.badData, 'The input has none of the formats that shortlist reads'),
  input_corrupt: kind(500, EXIT.badData, 'The input file is truncated or its contents contradict each other'),
  input_unsupported: kind(500, EXIT.badData, 'The input file uses a feature that shortlist does not read'),
  column_missing: kind(500, EXIT.badData, 'The input has no column with that name'),
  column_type: kind(500, EXIT.badData, 'A column has a type that cannot be used for this purpose'),
  schema_mismatch: kind(500, EXIT.badData, 'The columns of the input files contradict each other'),
  bad_rows: kind(500, EXIT.badData, 'Rows of the input are bad: null ids, NaN, duplicates and so on'),
  input_too_large: kind(500, EXIT.badData, 'The input is larger than one index can hold'),
  no_rows: kind(500, EXIT.badData, 'The input has no row to build from'),

  // Indexes on disk
  index_not_found: kind(500, EXIT.badIndex, 'The root has no index with that name'),
  version_not_found: kind(500, EXIT.badIndex, 'The index has no such version or alias, or none is published'),
  manifest_corrupt: kind(500, EXIT.badIndex, 'The manifest is unreadable or fails its own digest'),
  format_unsupported: kind(500, EXIT.badIndex, 'The version was written in a format that this release does not read'),
  file_missing: kind(500, EXIT.badIndex, 'A file of the version is missing'),
  file_unexpected: kind(500, EXIT.badIndex, 'The version holds a file that its manifest does not name'),
  file_corrupt: kind(500, EXIT.badIndex, 'A file has the wrong size, checksum or structure'),
  probe_failed: kind(500, EXIT.badIndex, 'A test search did not find a row that the version has'),
  state_corrupt: kind(500, EXIT.badIndex, 'CURRENT, HISTORY, an alias or a note fails its own digest'),

  // Failed checks
  gate_failed: kind(500, EXIT.checkFailed, 'The gate refused the version; the published version stays published'),
  check_failed: kind(500, EXIT.checkFailed, 'A check of the command failed: --min-overlap, for example'),
  insufficient_memory: kind(500, EXIT.checkFailed, 'The work needs more memory than is available'),

  // The machine
  io_error: kind(500, EXIT.io, 'The operating system refused to read or write'),
  disk_full: kind(500, EXIT.io, 'The disk is full, or has too little space for what must be written'),
  store_unavailable: kind(500, EXIT.io, 'The object store does not answer, or answers with errors of its own'),
  store_refused: kind(
    500,
    EXIT.io,
    'The object store answers no: credentials, permissions, bucket or region are wrong',
  ),
  interrupted: kind(
    500,
    EXIT.busy,
    'A signal stopped the command; its unfinished work was removed, or kept for the same command',
  ),
  parts_missing: kind(500, EXIT.busy, 'Shards of an array job are not built yet'),
  index_busy: kind(500, EXIT.busy, 'Another process holds the lock of the index, or has changed what is published'),
  client_missing: kind(500, EXIT.usage, 'The client of the object store, an optional package, is not installed'),
  addon_missing: kind(500, EXIT.bug, 'A native addon is not installed'),
  internal: kind(500, EXIT.bug, 'A bug in shortlist'),
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/** JSON-safe facts about an error: file, row, field, limit, ... They are reported beside `code` everywhere. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/** What crosses threads, processes and the network, where Error objects would lose their fields. */
export interface SerializedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
}

/**
 * A failure with a code. `message` is one sentence that names the file, row or field and says what to do. It is one
 * line, whatever it quotes.
 */
export class ShortlistError extends Error {
  override readonly name = 'ShortlistError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(oneLine(message), options);
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

export function serializeError(thrown: unknown): SerializedError {
  const error = systemError(thrown) ?? thrown;
  if (error instanceof ShortlistError) return { code: error.code, message: error.message, details: error.details };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: 'internal', message, details: {} };
}

export function deserializeError(error: SerializedError): ShortlistError {
  return new ShortlistError(error.code, error.message, error.details);
}

const DISK_FULL_ERRNOS = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** An error of the operating system as `disk_full` or `io_error`, with the action and the path in its message. */
export function ioError(action: string, path: string, cause: unknown): ShortlistError {
  if (cause instanceof ShortlistError) return cause;
  const errno = errnoOf(cause);
  const isFull = errno !== null && DISK_FULL_ERRNOS.has(errno);
  const reason = cause instanceof Error ? cause.message : String(cause);
  const problem = isFull ? 'no space is left; free some and try again' : reason;
  const message = `cannot ${action} ${path}: ${problem}`;
  return new ShortlistError(isFull ? 'disk_full' : 'io_error', message, { file: path, errno }, { cause });
}

/** What the operating system refused where no caller expected it, such as a file beyond the limit; else null. */
function systemError(error: unknown): ShortlistError | null {
  const errno = errnoOf(error);
  if (errno === null || !(error instanceof Error) || !('syscall' in error)) return null;
  const code = DISK_FULL_ERRNOS.has(errno) ? 'disk_full' : 'io_error';
  const advice = errno === 'EMFILE' || errno === 'ENFILE' ? '; raise the limit of open files (ulimit -n)' : '';
  return new ShortlistError(
    code,
    `the operating system refused: ${error.message}${advice}`,
    { errno },
    { cause: error },
  );
}

/** The errno, such as `ENOENT`; null if the error does not come from the operating system. */
export function errnoOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}
