/** Cross-origin requests: the pages that may send them, and the response headers that their scripts may read. */
import { fastifyCors } from '@fastify/cors';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** Headers that clients need and that browsers hide by default. */
const EXPOSED_HEADERS = ['x-request-id', 'retry-after', 'allow', 'accept-post'];

/** How long browsers may cache a preflight answer; they limit it to a few hours anyway. */
const PREFLIGHT_SECONDS = 3_600;

/** Its hook must run before those that refuse requests, so that pages can read the error. */
export async function registerCors(app: FastifyInstance, origins: readonly string[]): Promise<void> {
  if (origins.length === 0) return;
  const common = {
    origin: originsOption(origins),
    methods: ['GET', 'HEAD', 'POST'],
    exposedHeaders: EXPOSED_HEADERS,
    maxAge: PREFLIGHT_SECONDS,
    strictPreflight: false,
  };
  await app.register(fastifyCors, {
    // An OPTIONS request that is no preflight gets 405 like any other unsupported method.
    delegator: (request, done) => done(null, { ...common, preflight: isPreflight(request) }),
  });
}

/** For requests that fail before the hooks run. */
export function setCorsHeaders(origins: readonly string[], request: FastifyRequest, reply: FastifyReply): void {
  const { origin } = request.headers;
  const allowed = origins.includes('*') ? '*' : origins.find((candidate) => candidate === origin);
  if (allowed === undefined) return;
  void reply.headers({
    'access-control-allow-origin': allowed,
    'access-control-expose-headers': EXPOSED_HEADERS.join(', '),
    vary: 'accept, accept-encoding, origin',
  });
}

/**
 * Headers for refusals that do not depend on the request, as flat name and value pairs: for `*` or a single origin.
 * With several origins, pages see such a refusal as a failed connection.
 */
export function corsHeadersOfRefusals(origins: readonly string[]): string[] {
  const allowed = origins.includes('*') ? '*' : origins.length === 1 ? origins[0] : undefined;
  if (allowed === undefined) return [];
  return ['access-control-allow-origin', allowed, 'access-control-expose-headers', EXPOSED_HEADERS.join(', ')];
}

function originsOption(origins: readonly string[]): string | string[] {
  return origins.includes('*') ? '*' : [...origins];
}

function isPreflight({ headers }: FastifyRequest): boolean {
  return headers.origin !== undefined && headers['access-control-request-method'] !== undefined;
}
