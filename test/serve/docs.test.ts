import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERRORS, type ErrorCode } from '../../src/base/errors.js';
import { SEARCH_PARAMETER_NAMES } from '../../src/serve/request/query-string.js';
import { SEARCH_FIELDS } from '../../src/serve/request/search-request.js';
import { publishVersion, temporaryFolder } from '../indexes.js';
import { TestServer } from './server.js';

interface Schema {
  readonly properties?: Record<string, Schema>;
  readonly description?: string;
  readonly enum?: readonly string[];
}
interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: Schema }> };
  readonly responses: Record<
    string,
    { readonly description: string; readonly content?: Record<string, { readonly schema: Schema }> }
  >;
}
interface Document {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly paths: Record<string, Record<string, Operation>>;
}

const ROUTES = {
  '/v1/indexes/{index}/search': ['post'],
  '/v1/indexes': ['get'],
  '/v1/indexes/{index}': ['get'],
  '/v1/indexes/{index}/items/{id}': ['get'],
  '/livez': ['get'],
  '/readyz': ['get'],
  '/metrics': ['get'],
  '/openapi.json': ['get'],
};

describe('/openapi.json', () => {
  let server: TestServer;
  let document: Document;
  beforeAll(async () => {
    const root = temporaryFolder();
    await publishVersion(root, 'listings');
    server = await TestServer.start(root, ['--workers', '1']);
    document = (await (await server.get('/openapi.json')).json()) as Document;
  });
  afterAll(async () => expect(await server.stop()).toBe(0));

  const operations = () => Object.values(document.paths).flatMap((methods) => Object.values(methods));

  it('names every route, and each answers as it says', async () => {
    expect(document.openapi).toMatch(/^3\.1/);
    const methods = Object.entries(document.paths).map(([path, found]) => [path, Object.keys(found)]);
    expect(Object.fromEntries(methods)).toEqual(ROUTES);
    for (const path of Object.keys(ROUTES)) {
      const url = path.replace('{index}', 'listings').replace('{id}', '1');
      const response = path.endsWith('search') ? await server.search({ id: 1 }) : await server.get(url);
      expect(response.status, path).toBe(200);
    }
  });

  it('gives every operation a name, a summary and its answers', () => {
    for (const operation of operations()) {
      expect(operation.operationId).toMatch(/^\w+$/);
      expect(operation.summary).not.toBe('');
      expect(Object.keys(operation.responses)).toContain('200');
    }
    expect(new Set(operations().map(({ operationId }) => operationId)).size).toBe(Object.keys(ROUTES).length);
  });

  it('has every field and parameter of a search, and no other', () => {
    const search = document.paths['/v1/indexes/{index}/search']!['post']!;
    const body = search.requestBody!.content['application/json']!.schema;
    expect(Object.keys(body.properties!).sort()).toEqual([...SEARCH_FIELDS].sort());
    const types = ['application/json', 'application/octet-stream', 'application/vnd.apache.arrow.stream'];
    expect(Object.keys(search.requestBody!.content)).toEqual(types);
    expect(Object.keys(search.responses['200']!.content!)).toEqual([types[0], types[2]]);
    const query = search.parameters!.filter((parameter) => parameter.in === 'query').map(({ name }) => name);
    expect(query.sort()).toEqual([...SEARCH_PARAMETER_NAMES].sort());
  });

  it('has every code that an answer of the server can have, under its status', () => {
    const documented = new Set<string>();
    for (const { responses } of operations()) {
      for (const [status, { content }] of Object.entries(responses)) {
        const codes = content?.['application/problem+json']?.schema.properties?.['code']?.enum ?? [];
        for (const code of codes) {
          documented.add(code);
          expect(ERRORS[code as ErrorCode].status, code).toBe(Number(status));
        }
      }
    }
    const served = Object.entries(ERRORS)
      .filter(([, { status }]) => status !== 500 && status !== 503)
      .map(([code]) => code);
    const elsewhere = ['usage', 'unsupported', 'unknown_route', 'method_not_allowed'];
    expect([...documented].sort()).toEqual(
      [...served.filter((code) => !elsewhere.includes(code)), 'internal', 'overloaded', 'not_ready'].sort(),
    );
  });
});

it('/docs is a page whose every part comes from the server itself', async () => {
  const root = temporaryFolder();
  const server = await TestServer.start(root, ['--workers', '1']);
  const response = await server.get('/docs');
  expect(response.headers.get('content-type')).toContain('text/html');
  const policy = response.headers.get('content-security-policy');
  expect(policy).toContain("default-src 'self'");
  expect(policy).not.toContain('upgrade-insecure-requests');
  const page = await response.text();
  expect(page).toContain('<title>shortlist: HTTP interface</title>');
  const parts = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url!);
  expect(parts.length).toBeGreaterThan(3);
  for (const part of parts) {
    expect(part).toMatch(/^\/docs\//);
    expect((await server.get(part)).status, part).toBe(200);
  }
  const copy = await server.get('/docs/json');
  expect(copy.url).toBe(`${server.url}/openapi.json`);
  expect(copy.status).toBe(200);
  expect(await server.stop()).toBe(0);
});
