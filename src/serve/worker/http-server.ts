/**
 * The HTTP server of a worker: Node's, with its limits, and with the guard before everything else.
 *
 * Takes the handler of all requests; gives a server that never listens itself: connections are given to it
 * (connections.ts).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Guard } from './guard.js';

/** Node's own bound, stated: the longest item path takes a fifth of it. */
const MAX_HEADER_BYTES = 16 * 1024;

/** Headers come in one packet or two; whoever needs longer is holding the connection open on purpose. */
const HEADERS_TIMEOUT_MS = 5_000;

/** How often Node looks for requests that overstay: its default of 30 s would treble the limits above. */
const CONNECTIONS_CHECK_MS = 500;

/** Requests under this are work and are let in by the guard; the others are for operators. */
export const WORK_PREFIX = '/v1/';

interface HttpLimits {
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** Before all routes, where a proxy has put the server. */
  readonly basePath: string;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export function createHttpServer(
  { requestTimeoutMs, keepAliveTimeoutMs, basePath }: HttpLimits,
  guard: Guard,
  handler: Handler,
): Server {
  // A client that neither sends nor reads for as long as a request and its answer may take is gone.
  const silenceMs = 2 * requestTimeoutMs;
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: Math.min(HEADERS_TIMEOUT_MS, requestTimeoutMs),
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      connectionsCheckingInterval: CONNECTIONS_CHECK_MS,
      requireHostHeader: false, // checked in a hook, where the refusal is problem+json
    },
    (request, response) => {
      const { socket } = request;
      if (socket.timeout !== silenceMs) socket.setTimeout(silenceMs); // a first request: until now the connection was idle
      if (isGuarded(request, basePath) && !guard.admits(socket)) guard.refuse(request, response);
      else handler(request, response);
    },
  );
  // No bound of requests: beyond one, Node answers 503 to clients that go on sending. Connections are renewed by age
  // instead.
  server.maxRequestsPerSocket = 0;
  server.setTimeout(silenceMs);
  return server;
}

function isGuarded({ url, method }: IncomingMessage, basePath: string): boolean {
  if (method !== 'POST' || url === undefined) return false;
  return url.startsWith(WORK_PREFIX) || (basePath !== '' && url.startsWith(basePath + WORK_PREFIX));
}
