/** GET /openapi.json, and /docs for reading it: both from the routes' own schemas, everything served from here. */
import type { FastifyInstance } from 'fastify';
import { fastifyHelmet } from '@fastify/helmet';
import { fastifySwagger } from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';

const DOCUMENT_COPIES = ['/docs/json', '/docs/yaml'];

/**
 * Everything from here, but for pictures inside the style sheet. No `upgrade-insecure-requests`: a server
 * that speaks plain HTTP would give an empty page.
 */
const PAGE_POLICY = {
  'default-src': ["'self'"],
  'base-uri': ["'self'"],
  'frame-ancestors': ["'self'"],
  'img-src': ["'self'", 'data:'],
  'object-src': ["'none'"],
  'script-src': ["'self'"],
  'script-src-attr': ["'none'"],
  'style-src': ["'self'"],
};

/** Before any route: it collects those that follow. */
export async function collectSchemas(app: FastifyInstance, version: string): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'shortlist',
        version,
        description:
          'Candidate retrieval: the nearest items of an index to a vector. Errors are RFC 9457 problem details with a `code`.',
      },
      tags: [
        { name: 'search', description: 'Candidates' },
        { name: 'indexes', description: 'What is served' },
        { name: 'operations', description: 'Health, metrics, documentation' },
      ],
    },
  });
}

export async function addDocRoutes(app: FastifyInstance): Promise<void> {
  const schema = {
    tags: ['operations'],
    operationId: 'openapi',
    summary: 'This document',
    response: { 200: { type: 'object', additionalProperties: true } },
  };
  let document: string | null = null;
  app.get('/openapi.json', { schema }, (_request, reply) => {
    document ??= JSON.stringify(app.swagger());
    void reply.type('application/json; charset=utf-8');
    return reply.send(document);
  });
  await app.register(async (pages) => {
    // The page asks for its own copies of the document. There is one.
    pages.addHook('onRoute', (route) => {
      if (!DOCUMENT_COPIES.includes(route.url)) return;
      route.handler = (_request, reply) => reply.redirect('../openapi.json', 308);
    });
    await pages.register(fastifyHelmet, { contentSecurityPolicy: false, strictTransportSecurity: false });
    await pages.register(fastifySwaggerUi, {
      routePrefix: '/docs',
      staticCSP: PAGE_POLICY,
      theme: { title: 'shortlist: HTTP interface' },
      uiConfig: { validatorUrl: null, tryItOutEnabled: false },
    });
  });
}
