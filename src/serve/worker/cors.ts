/** Cross-origin requests: which pages of other origins may ask, and which headers of answers their scripts may read. */
import { fastifyCors } from '@fastify/cors';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** Those that are not readable anyway, and that a client has a use for. */
const EXPOSED_HEADERS = ['x-request-id', 'retry-after', 'allow', 'accept-post'];

/** How long a browser may go on without asking again whether it may ask; no browser takes more than hours. */
const PREFLIGHT_SECONDS = 3_600;

/** Its hook must run before those that refuse requests, so that pages can read why. */
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
    // An OPTIONS request that asks for no permission is one for a method that no route takes.
    delegator: (request, done) => done(null, { ...common, preflight: isPreflight(request) }),
  });
}

/** For requests that fail before hooks run. */
export function setCorsHeaders(origins: readonly string[], request: FastifyRequest, reply: FastifyReply): void {
  const { origin } = request.headers;
  const allowed = origins.includes('*') ? '*' : origins.find((one) => one === origin);
  if (allowed === undefined) return;
  void reply.headers({
    'access-control-allow-origin': allowed,
    'access-control-expose-headers': EXPOSED_HEADERS.join(', '),
    vary: 'accept, accept-encoding, origin',
  });
}

/**
 * For refusals that are written without a look at the request, as flat name and value pairs: pages can read them
 * where there is one answer for all, of `*` and of a single origin. To pages of several origins such a refusal is a
 * failed connection.
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
