/** GET /openapi.json and the page /docs, both made from the schemas of the routes. Nothing is loaded from elsewhere. */
import type { FastifyInstance } from 'fastify';
import { fastifyHelmet } from '@fastify/helmet';
import { fastifySwagger } from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';
import type { AppContext } from '../context.js';
import { MAX_EXAMPLE_INDEXES } from './examples.js';
import { problemResponses } from '../../../wire/schemas.js';
import { addExamples, nameSchemas, type OpenApiDocument } from './openapi.js';

const DOCUMENT_COPIES = ['/docs/json', '/docs/yaml'];

/**
 * Everything comes from this server, except pictures inside the style sheet. Without `upgrade-insecure-requests`, which
 * would leave the page empty over plain HTTP.
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

/** Must be called before the routes are added. */
export async function collectSchemas(app: FastifyInstance, version: string, basePath: string): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'shortlist',
        version,
        description:
          'Candidate retrieval: finds the items of an index nearest to a vector. Errors are RFC 9457 problem details with a `code`.',
        license: { name: 'MIT', identifier: 'MIT' },
        contact: { name: 'The operator of this server' },
      },
      servers: [{ url: basePath === '' ? '/' : basePath, description: 'This server' }],
      // Access is controlled in front of the server: no route needs credentials.
      security: [],
      tags: [
        { name: 'search', description: 'Candidates' },
        { name: 'indexes', description: 'The indexes served, and their items' },
        { name: 'operations', description: 'Health, metrics, documentation' },
      ],
    },
  });
}

export async function addDocRoutes(app: FastifyInstance, context: AppContext): Promise<void> {
  const schema = {
    tags: ['operations'],
    operationId: 'openapi',
    summary: 'This document',
    description: 'The examples use the indexes that are currently served.',
    response: {
      200: { type: 'object', additionalProperties: true, description: 'OpenAPI 3.1.' },
      ...problemResponses([]),
    },
  };
  const document = documentOf(app, context);
  app.get('/openapi.json', { schema }, (_request, reply) => {
    void reply.type('application/json; charset=utf-8');
    return reply.send(document());
  });
  await app.register(async (pages) => {
    // The page requests its own copies of the document; there is only one.
    pages.addHook('onRoute', (route) => {
      if (!DOCUMENT_COPIES.includes(route.url)) return;
      route.handler = (_request, reply) => reply.redirect('../openapi.json', 308);
    });
    await pages.register(fastifyHelmet, { contentSecurityPolicy: false, strictTransportSecurity: false });
    await pages.register(fastifySwaggerUi, {
      routePrefix: '/docs',
      indexPrefix: context.options.basePath,
      staticCSP: PAGE_POLICY,
      theme: { title: 'shortlist: HTTP interface' },
      uiConfig: { validatorUrl: null, tryItOutEnabled: false },
    });
  });
}

/** The document as text, made again when other versions go live, since its examples use their data. */
function documentOf(app: FastifyInstance, { backend }: AppContext): () => string {
  let named: OpenApiDocument | null = null;
  let made = { of: '', text: '' };
  return () => {
    const indexes = backend.names().filter((index) => backend.namesOf(index).current !== null);
    const of = indexes.map((index) => `${index}@${backend.namesOf(index).current}`).join();
    if (made.text === '' || made.of !== of) {
      named ??= nameSchemas(app.swagger());
      const examples = indexes.slice(0, MAX_EXAMPLE_INDEXES).map((index) => backend.examplesOf(index));
      made = {
        of,
        text: JSON.stringify(
          addExamples(
            named,
            examples.filter((example) => example !== null),
          ),
        ),
      };
    }
    return made.text;
  };
}
