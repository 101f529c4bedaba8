/** Answers what Node's HTTP parser rejects, on the raw socket, in the format of all errors. */
import { randomUUID } from 'node:crypto';
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ShortlistError, type ErrorCode } from '../../base/errors.js';
import { PROBLEM_TYPE, describeProblem } from '../../wire/problem.js';
import { REQUEST_ID_HEADER } from '../request/head.js';

/** Parser errors with their own codes; all others are `malformed_http`. */
const PARSER_CODES: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

const DETAILS: Partial<Record<ErrorCode, string>> = {
  headers_too_large: 'the request line and headers are larger than 16 KiB',
  body_too_large: 'the chunk extensions of the body are too large',
  request_timeout: 'the request did not arrive completely within the time limit',
};

export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  // Node counts from the opening of a connection. One without any bytes is idle: clients open them in advance.
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket.bytesRead === 0) return;
  const answered = socket.bytesWritten > 0 && isAnswering(socket);
  // The client is gone, or an answer is partly written.
  if (error.code === 'ECONNRESET' || !socket.writable || answered) {
    socket.destroy();
    return;
  }
  const code = PARSER_CODES[error.code ?? ''] ?? 'malformed_http';
  const detail = DETAILS[code] ?? 'the bytes are not a well-formed HTTP/1.1 request';
  socket.end(rawResponse(new ShortlistError(code, detail)), () => socket.destroy());
}

/** True while a response is being written to this connection. Node keeps it in a private member. */
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

/** An Expect header other than 100-continue has its own status, 417 (RFC 9110). */
export function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const id = randomUUID();
  const problem = {
    ...describeProblem(new ShortlistError('malformed_http', 'the only supported Expect is 100-continue'), id),
    status: 417,
  };
  response.writeHead(417, { 'content-type': PROBLEM_TYPE, [REQUEST_ID_HEADER]: id, connection: 'close' });
  response.end(JSON.stringify(problem));
}
