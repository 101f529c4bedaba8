/** GET /openapi.json, and /docs for reading it: both from the routes' own schemas, everything served from here. */
import type { FastifyInstance } from 'fastify';
import { fastifyHelmet } from '@fastify/helmet';
import { fastifySwagger } from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';

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
    await pages.register(fastifyHelmet, { contentSecurityPolicy: false, strictTransportSecurity: false });
    await pages.register(fastifySwaggerUi, {
      routePrefix: '/docs',
      staticCSP: true,
      uiConfig: { validatorUrl: null, tryItOutEnabled: false },
    });
  });
}
