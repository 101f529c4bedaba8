import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { Check } from 'typebox/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Column, ColumnType } from '../../../src/arrow/column.js';
import { encodeArrow } from '../../../src/arrow/write/encoder.js';
import { ERRORS, type ErrorCode } from '../../../src/base/errors.js';
import { seededRandom } from '../../../src/base/random.js';
import { SEARCH_PARAMETER_NAMES } from '../../../src/serve/request/search-parameters.js';
import { SEARCH_FIELDS } from '../../../src/serve/request/search-request.js';
import { shortlist } from '../../cli/process.js';
import { publishVersion, temporaryFolder } from '../../indexes.js';
import { columnOf } from '../../retrieve/filter/stores.js';
import { TestServer } from '../server.js';

interface Schema {
  readonly type?: string;
  readonly properties?: Record<string, Schema>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly $ref?: string;
}
interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: {
    readonly content: Record<
      string,
      {
        readonly schema: Schema;
        readonly examples?: Record<string, { readonly summary: string; readonly value: object }>;
      }
    >;
  };
  readonly responses: Record<
    string,
    { readonly description: string; readonly content?: Record<string, { readonly schema: Schema }> }
  >;
}
interface Document {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, Schema> };
}

/** A value with what its references stand for. */
function dereference<T>(value: T, { components }: Document): T {
  const text = JSON.stringify(value, (_key, member: Schema) => {
    const name = member?.$ref?.split('/').at(-1); // eslint-disable-line @typescript-eslint/no-unnecessary-condition -- members may be null
    return name === undefined ? member : dereference(components.schemas[name], { components } as Document);
  });
  return JSON.parse(text) as T;
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

/** The index that the examples ask; a calibration comes with it. */
async function publishExampleIndex(root: string): Promise<void> {
  const rows = Array.from({ length: 600 }, (_, row) => row);
  const random = seededRandom(1);
  const int32: ColumnType = { kind: 'int', bits: 32, signed: true };
  const float32: ColumnType = { kind: 'float', bits: 32 };
  const vector: ColumnType = { kind: 'list', item: float32, size: 4 };
  const values = Float32Array.from({ length: 4 * rows.length }, () => random() * 2 - 1);
  const items: Column = { shape: 'numbers', type: float32, rows: values.length, valid: null, values };
  const offsets = Uint32Array.from({ length: rows.length + 1 }, (_, row) => 4 * row);
  const columns: [name: string, column: Column][] = [
    ['id', columnOf(int32, rows)],
    ['vector', { shape: 'lists', type: vector, rows: rows.length, valid: null, offsets, items }],
    ['title', columnOf({ kind: 'utf8' }, rows.map((row) => `bowl ${row}`))],
    ['price', columnOf({ kind: 'float', bits: 64 }, rows.map((row) => row % 80))],
    ['category', columnOf({ kind: 'utf8' }, rows.map((row) => ['jewelry', 'kitchen', 'art'][row % 3]!))],
    ['in_stock', columnOf({ kind: 'bool' }, rows.map((row) => row % 4 > 0))],
    ['tags', columnOf({ kind: 'list', item: { kind: 'utf8' }, size: null }, rows.map((row) => (row % 2 > 0 ? ['handmade'] : [])))],
    ['shop_id', columnOf(int32, rows.map((row) => row % 50))],
  ]; // prettier-ignore
  const fields = columns.map(([name, { type }]) => ({ name, type, nullable: true }));
  const input = join(root, '.listings.arrow');
  writeFileSync(input, encodeArrow('file', { fields }, [columns.map(([, column]) => column)]));
  const { code, stderr } = await shortlist(['build', 'listings', '--input', input, '--root', root, '--publish']);
  expect(code, stderr).toBe(0);
  rmSync(input);
}

/** Where a value has members that its schema does not name, lacks some that it must have, or has another type. */
function differences(schema: Schema, value: unknown, at = ''): string[] {
  if (schema.anyOf !== undefined) {
    const tried = schema.anyOf.map((one) => differences(one, value, at));
    return tried.find((found) => found.length === 0) ?? tried.sort((a, b) => a.length - b.length)[0]!;
  }
  const type = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  const wanted = schema.type === 'integer' ? 'number' : (schema.type ?? type);
  if (wanted !== type) return [`${at} is ${type}, not ${wanted}`];
  if (Array.isArray(value))
    return value.flatMap((item, i) => (schema.items ? differences(schema.items, item, `${at}/${i}`) : []));
  if (type !== 'object' || schema.properties === undefined) return [];
  const { properties, required = [] } = schema;
  const members = value as Record<string, unknown>;
  return [
    ...required.filter((name) => !(name in members)).map((name) => `${at}/${name} is missing`),
    ...Object.entries(members).flatMap(([name, member]) =>
      name in properties ? differences(properties[name]!, member, `${at}/${name}`) : [`${at}/${name} is not described`],
    ),
  ];
}

describe('/openapi.json', () => {
  let server: TestServer;
  /** As it is, and with all references resolved. */
  let collected: Document;
  let document: Document;
  beforeAll(async () => {
    const root = temporaryFolder();
    await publishExampleIndex(root);
    await publishVersion(root, 'names', { rows: 60, dim: 3, textIds: true });
    server = await TestServer.start(root, ['--workers', '1']);
    collected = (await (await server.get('/openapi.json')).json()) as Document;
    document = { ...collected, paths: dereference(collected.paths, collected) };
  });
  afterAll(async () => expect(await server.stop()).toBe(0));

  const operations = () => Object.values(document.paths).flatMap((methods) => Object.values(methods));

  it('names every route, and each answers as it says', async () => {
    expect(document.openapi).toMatch(/^3\.1/);
    const methods = Object.entries(document.paths).map(([path, found]) => [path, Object.keys(found)]);
    expect(Object.fromEntries(methods)).toEqual(ROUTES);
    for (const path of Object.keys(ROUTES)) {
      const url = path.replace('{index}', 'listings').replace('{id}', '123');
      const response = path.endsWith('search') ? await server.search({ id: 123 }) : await server.get(url);
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

  it('has examples of a search that are answered, with every field between them', async () => {
    const search = document.paths['/v1/indexes/{index}/search']!['post']!;
    const { examples } = search.requestBody!.content['application/json']!;
    const shown = new Set<string>();
    for (const [name, { summary, value }] of Object.entries(examples!)) {
      const response = await server.search(
        value,
        name.startsWith('item-of-') ? name.slice('item-of-'.length) : 'listings',
      );
      const answer = (await response.json()) as { candidates?: unknown[]; results?: unknown[]; explain?: object };
      expect(response.status, `${name}: ${JSON.stringify(answer)}`).toBe(200);
      expect((answer.candidates ?? answer.results)!.length, name).toBeGreaterThan(0);
      expect(summary).not.toBe('');
      for (const field of Object.keys(value)) shown.add(field);
    }
    const elsewhere = ['vectors', 'vectors_b64', 'ef', 'version']; // as vector, vector_b64 and target_recall are
    expect([...shown, ...elsewhere].sort()).toEqual([...SEARCH_FIELDS].sort());
    expect(Object.keys(examples!)).toContain('item-of-names');
  });

  it('has in its paths the names and ids that are served', () => {
    const parameters = document.paths['/v1/indexes/{index}/items/{id}']!['get']!.parameters!;
    expect(parameters.filter((parameter) => parameter.in === 'path')).toMatchObject([
      { name: 'index', examples: { listings: { value: 'listings' }, names: { value: 'names' } } },
      { name: 'id', example: '0' },
    ]);
  });

  it('refuses by its schema what the server refuses by its fields, and takes what it takes', async () => {
    const { schema } = document.paths['/v1/indexes/{index}/search']!['post']!.requestBody!.content['application/json']!;
    const vector = [0.1, 0.2, 0.3, 0.4];
    const bodies: [isTaken: boolean, body: object][] = [
      [true, { id: 1 }],
      [true, { vector }],
      [true, { ids: ['1', 2], k: 3, exact: false, explain: false, allow_partial: false }],
      [true, { seeds: [{ id: '1', weight: 1 }, { vector }], include: { attributes: true, vectors: false } }],
      [false, {}],
      [false, { k: 10 }],
      [false, { id: '1', vector }],
      [false, { vector, vectors: [vector] }],
      [false, { seeds: [{ weight: 1 }] }],
      [false, { seeds: [{ id: '1', vector }] }],
      [false, { id: '1', k: 0 }],
      [false, { id: '1', kk: 1 }],
      [false, { id: '1', crowding: { attribute: 'shop_id' } }],
    ];
    for (const [isTaken, body] of bodies) {
      expect(Check(schema as object, body), JSON.stringify(body)).toBe(isTaken);
      expect((await server.search(body)).status === 200, JSON.stringify(body)).toBe(isTaken);
    }
  });

  it('gives no query parameter a default, which pages and generated clients would send with a body that refuses it', () => {
    const schemas = operations().flatMap(({ parameters = [] }) => parameters.map((one) => one as { schema?: object }));
    expect(schemas.filter(({ schema }) => schema !== undefined && 'default' in schema)).toEqual([]);
    // Generated types demand a field that has one.
    expect(JSON.stringify(collected.components.schemas['SearchRequest'])).not.toContain('"default"');
    expect(JSON.stringify(collected.components.schemas['Seed'])).not.toContain('"default"');
    expect(JSON.stringify(collected.components.schemas['Include'])).not.toContain('"default"');
  });

  it('names its schemas, says where the server is, and passes the strictest of the common rules', async () => {
    const { answers, names } = { answers: collected.paths, names: Object.keys(collected.components.schemas) };
    expect(names).toEqual(
      expect.arrayContaining(['SearchRequest', 'SearchAnswer', 'BatchAnswer', 'Candidate', 'Problem']),
    );
    for (const name of names) expect(JSON.stringify(collected)).toContain(`"#/components/schemas/${name}"`);
    expect(JSON.stringify(answers)).not.toContain('x-component');
    expect(collected).toMatchObject({ servers: [{ url: '/' }], security: [] });
    const config = await createConfig({ extends: ['recommended-strict'] });
    const problems = await lintFromString({ source: JSON.stringify(collected), config });
    expect(problems.map(({ ruleId, message }) => `${ruleId}: ${message}`)).toEqual([]);
    // What other linters ask for beyond it.
    for (const operation of operations()) expect((operation as { description?: string }).description).toMatch(/\w/);
  });

  it('describes answers as they are: every member, and no member that is not there', async () => {
    const search = document.paths['/v1/indexes/{index}/search']!['post']!;
    const answer = search.responses['200']!.content!['application/json']!.schema;
    const [single, batch] = answer.anyOf!;
    const seeds = { seeds: [{ id: '123' }, { id: '456' }], k: 3, explain: true, why_not: ['7', 'nobody'] };
    const more = { filter: { price: { $lt: 40 } }, crowding: { attribute: 'shop_id', limit: 1 } };
    const include = { attributes: ['title'], vectors: true };
    const body = await (await server.search({ ...seeds, ...more, include })).json();
    expect(differences(single!, body)).toEqual([]);
    const results = await (await server.search({ ids: ['123', 'nobody'], k: 2, explain: true })).json();
    expect(differences(batch!, results)).toEqual([]);
  });

  it('has every code that an answer of the server can have, under its status', () => {
    const documented = new Set<string>();
    for (const { responses } of operations()) {
      for (const [status, { content, description }] of Object.entries(responses)) {
        if (content?.['application/problem+json'] === undefined) continue;
        for (const [, code] of description.matchAll(/`(\w+)`:/g)) {
          documented.add(code!);
          expect(ERRORS[code as ErrorCode].status, code).toBe(Number(status));
        }
      }
    }
    const served = Object.entries(ERRORS)
      .filter(([, { status }]) => status !== 500 && status !== 503)
      .map(([code]) => code);
    const elsewhere = ['usage', 'unsupported', 'unknown_route', 'method_not_allowed'];
    expect([...documented].sort()).toEqual(
      [
        ...served.filter((code) => !elsewhere.includes(code)),
        'internal',
        'overloaded',
        'not_ready',
        'index_damaged',
        'shards_unavailable', // of a gateway, which has the same routes
      ].sort(),
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
