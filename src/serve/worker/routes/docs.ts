/** GET /openapi.json, and /docs for reading it: both from the routes' own schemas, everything served from here. */
import type { FastifyInstance } from 'fastify';
import { fastifyHelmet } from '@fastify/helmet';
import { fastifySwagger } from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';
import type { AppContext } from '../context.js';
import { MAX_EXAMPLE_INDEXES, exampleSearches, type IndexExamples } from './examples.js';
import { problemResponses } from '../../../wire/schemas.js';
import { addExamples, nameSchemas, type OpenApiDocument } from './openapi.js';

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
export async function collectSchemas(app: FastifyInstance, version: string, basePath: string): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'shortlist',
        version,
        description:
          'Candidate retrieval: the nearest items of an index to a vector. Errors are RFC 9457 problem details with a `code`.',
        license: { name: 'MIT', identifier: 'MIT' },
        contact: { name: 'Whoever runs this server' },
      },
      servers: [{ url: basePath === '' ? '/' : basePath, description: 'This server' }],
      // Who may ask is decided in front of the server: no route needs credentials.
      security: [],
      tags: [
        { name: 'search', description: 'Candidates' },
        { name: 'indexes', description: 'What is served' },
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
    description: 'Its examples are of the indexes that are served now.',
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
    // The page asks for its own copies of the document. There is one.
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

/** As text, made again when other versions answer: its examples are of what they hold. */
function documentOf(app: FastifyInstance, { live }: AppContext): () => string {
  let named: OpenApiDocument | null = null;
  let made = { of: '', text: '' };
  return () => {
    const indexes = live.names().filter((index) => live.namesOf(index).current !== null);
    const of = indexes.map((index) => `${index}@${live.namesOf(index).current}`).join();
    if (made.text === '' || made.of !== of) {
      named ??= nameSchemas(app.swagger());
      const examples = indexes.slice(0, MAX_EXAMPLE_INDEXES).map((index) => examplesOf(live, index));
      made = {
        of,
        text: JSON.stringify(
          addExamples(
            named,
            examples.filter((one) => one !== null),
          ),
        ),
      };
    }
    return made.text;
  };
}

function examplesOf(live: AppContext['live'], index: string): IndexExamples | null {
  const lease = live.lease(index);
  try {
    return exampleSearches(lease.version);
  } finally {
    lease.release();
  }
}
