/**
 * Node's HTTP server with the limits of a worker, and with the guard before all else. It never listens itself:
 * connections.ts gives it connections.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Guard } from './guard.js';

/** Node's own default: five times the longest path of an item. */
const MAX_HEADER_BYTES = 16 * 1024;

/** Headers arrive in one or two packets. A slower client holds the connection on purpose. */
const HEADERS_TIMEOUT_MS = 5_000;

/** How often Node checks these timeouts: its default of 30 s would triple them. */
const CONNECTIONS_CHECK_MS = 500;

/** Requests under this path pass the guard; the others are for operators. */
export const WORK_PREFIX = '/v1/';

interface HttpLimits {
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** Path of the server behind a proxy, before all routes. */
  readonly basePath: string;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export function createHttpServer(
  { requestTimeoutMs, keepAliveTimeoutMs, basePath }: HttpLimits,
  guard: Pick<Guard, 'admits' | 'refuse'>,
  handler: Handler,
): Server {
  // A client that neither sends nor reads for the maximum time of a request and its answer is gone.
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
      if (socket.timeout !== silenceMs) socket.setTimeout(silenceMs); // first request: until now it was idle
      if (isGuarded(request, basePath) && !guard.admits(socket)) guard.refuse(request, response);
      else handler(request, response);
    },
  );
  // No limit of requests per connection: beyond it, Node answers 503. Connections are renewed by age instead.
  server.maxRequestsPerSocket = 0;
  server.setTimeout(silenceMs);
  return server;
}

function isGuarded({ url, method }: IncomingMessage, basePath: string): boolean {
  if (method !== 'POST' || url === undefined) return false;
  return url.startsWith(WORK_PREFIX) || (basePath !== '' && url.startsWith(basePath + WORK_PREFIX));
}
