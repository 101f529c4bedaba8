/**
 * Requests that never become requests: what Node's HTTP parser refuses, answered on the raw socket in the shape of
 * all errors.
 */
import { randomUUID } from 'node:crypto';
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ShortlistError, type ErrorCode } from '../../base/errors.js';
import { PROBLEM_TYPE, describeProblem } from '../../wire/problem.js';
import { REQUEST_ID_HEADER } from './request-id.js';

/** Parser errors with codes of their own; every other one is `malformed_http`. */
const PARSER_CODES: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

const DETAILS: Partial<Record<ErrorCode, string>> = {
  headers_too_large: 'the request line and headers are larger than the server takes',
  body_too_large: 'the extensions of a chunk are larger than the server takes',
  request_timeout: 'the request did not arrive whole within the time limit',
};

export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  // Node counts from the opening of a connection. One on which nothing was sent is idle: clients open them ahead.
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket.bytesRead === 0) return;
  const answered = socket.bytesWritten > 0 && isAnswering(socket);
  // Nobody listens, or an answer is half written: there is no place for another.
  if (error.code === 'ECONNRESET' || !socket.writable || answered) {
    socket.destroy();
    return;
  }
  const code = PARSER_CODES[error.code ?? ''] ?? 'malformed_http';
  const detail = DETAILS[code] ?? 'the bytes are not a well-formed HTTP/1.1 request';
  socket.end(rawResponse(new ShortlistError(code, detail)), () => socket.destroy());
}

/** True while a response is being written to this connection (Node keeps it there). */
function isAnswering(socket: Socket): boolean {
  const message = (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage;
  return message?.headersSent === true && !message.writableFinished;
}

function rawResponse(error: ShortlistError): string {
  const id = randomUUID();
  const body = JSON.stringify(describeProblem(error, id));
  const head = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? 'Error'}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    `${REQUEST_ID_HEADER}: ${id}`,
    'Connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

/** An Expect header other than 100-continue. RFC 9110 has a status of its own for it. */
export function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const id = randomUUID();
  const problem = {
    ...describeProblem(new ShortlistError('malformed_http', 'the only Expect that is met is 100-continue'), id),
    status: 417,
  };
  response.writeHead(417, { 'content-type': PROBLEM_TYPE, [REQUEST_ID_HEADER]: id, connection: 'close' });
  response.end(JSON.stringify(problem));
}
