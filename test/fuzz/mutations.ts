/** Requests bent out of shape: by what the fields mean, by JSON, by bytes, by HTTP. */
import { DIM } from './catalog.js';
import { below, pick } from '../retrieve/filter/random-filters.js';
import type { MadeSearch } from './requests.js';
import { ARROW_TYPE, BINARY_TYPE, JSON_TYPE, type HttpRequest } from './wire.js';

type Random = () => number;
type Json = Record<string, unknown>;

export interface Bent {
  readonly what: string;
  readonly request: HttpRequest;
  /** Where only a refusal is right. */
  readonly mustFail: boolean;
}

/** Values that stand where others belong. */
const ODD: readonly unknown[] = [
  null, true, false, 0, -0, 1, -1, 0.5, 1e-320, 1e308, -1e308, 2 ** 31, 2 ** 53, 2 ** 53 + 2, '', ' ', 'x', '1', '0x10', 'null',
  '__proto__', 'constructor', '\u0000', '\ud800', '💥', 'x'.repeat(5_000), [], [[]], [null], ['x'], [1, 2], {}, { $eq: 1 }, { a: { b: {} } },
  { __proto__: null, toString: 1 }, '2026-01-01', '99999999999999999999', Array.from({ length: 2_000 }, () => 1),
]; // prettier-ignore

/** What no search takes. */
const WRONG: readonly ((random: Random, body: Json) => Json)[] = [
  (random, body) => ({ ...body, [pick(random, ['kk', 'filters', '__proto_', 'Vector', 'size', 'K'])]: 1 }),
  (random, body) => ({ ...body, k: pick(random, [0, -1, 1.5, 10_001, '10', [], true, 1e99]) }),
  (random, body) => ({ ...body, ef: pick(random, [0, -5, 2.5, 10_001, '200', {}]), exact: false, target_recall: null }),
  (_random, body) => ({ ...body, ef: 10, exact: true }),
  (random, body) => ({ ...body, target_recall: pick(random, [0, 1.01, -1, '0.9', true]), ef: null, exact: null }),
  (_random, body) => ({ ...body, target_recall: 0.9, ef: 100 }),
  (random, body) => ({ ...body, min_score: pick(random, ['0', true, [], {}]) }),
  (random, body) => ({ ...body, timeout_ms: pick(random, [0, -1, '5', 1e9, true]) }),
  (random, body) => ({ ...body, allow_partial: pick(random, ['true', 1, []]) }),
  (random, body) => ({ ...body, version: pick(random, ['nope', '', 3, '20200101T000000Z-00000000', []]) }),
  (random, body) => ({ ...body, include: pick(random, [[], 'title', { attributes: ['nothing'] }, { vectors: 1 }, { a: 1 }]) }),
  (random, body) => ({ ...body, exclude_ids: pick(random, ['1', [1.5], [null], [{}], { a: 1 }, [[]]]) }),
  (random, body) => ({ ...body, explain: pick(random, ['yes', 1, {}]) }),
  (random, body) => ({ ...body, why_not: pick(random, ['1', [null], [1.5], Array.from({ length: 101 }, String)]) }),
  (random, body) => ({
    ...body,
    crowding: pick(random, [
      [], 3, {}, { attribute: 'nothing', limit: 1 }, { attribute: 'bool_0' }, { limit: 1 }, { attribute: 'bool_0', limit: 0 },
      { attribute: 'bool_0', limit: 1.5 }, { attribute: 'bool_0', limit: 1, more: 1 }, { attribute: '', limit: 1 }, { attribute: 1, limit: 1 },
    ]),
  }),
  (random, body) => ({
    ...body,
    filter: pick(random, [
      [], 'a', 3, true, { nothing: 1 }, { bool_0: {} }, { bool_0: { $eq: 'x' } }, { bool_0: { $gt: true } }, { bool_0: { $like: 1 } }, { $and: [] },
      { $or: {} }, { $or: [] }, { $nor: [{}] }, { $not: {} }, { bool_0: { $in: [] } }, { bool_0: { $in: 'x' } }, { bool_0: { $exists: 1 } }, deep(40),
      { $or: Array.from({ length: 300 }, () => ({ bool_0: true })) }, { __proto__x: 1 }, { bool_0: [true] }, { bool_0: { $contains: 'x' } },
    ]),
  }),
  (random, body) => ({
    ...withoutQueries(body),
    seeds: pick(random, [
      [], {}, 'x', [null], [1], [{}], [{ id: '1', vector: [1] }], [{ id: 'nobody' }], [{ vector: [1, 2] }], [{ vector: zeros(), weight: 0 }],
      [{ vector: ones(), weight: -1 }], [{ vector: ones(), weight: '1' }], [{ vector: ones(), quota: 0 }], [{ vector: ones(), quota: 1.5 }],
      [{ vector: ones(), quota: 10_001 }], [{ vector: ones(), more: 1 }], Array.from({ length: 101 }, () => ({ vector: ones() })),
    ]),
  }),
  (random, body) => ({
    ...withoutQueries(body),
    vector: pick(random, [
      [], ones().slice(1), [...ones(), 1], [...ones().slice(1), null], [...ones().slice(1), '1'], [...ones().slice(1), 1e39], 'x', {}, null,
      [[...ones()]], Array.from({ length: 20_000 }, () => 1),
    ]),
  }),
  (random, body) => ({ ...withoutQueries(body), vector_b64: pick(random, ['', 'AAAA', '!!!!', 'AAAAAAA=', 3, [], 'A'.repeat(43)]) }),
  (random, body) => ({ ...withoutQueries(body), id: pick(random, ['nobody', 1.5, 2 ** 53, {}, [], true, 'x'.repeat(2_000)]) }),
  (random, body) => ({ ...withoutQueries(body), ids: pick(random, ['1', 7, {}, Array.from({ length: 1_025 }, () => '1')]) }),
  (_random, body) => withoutQueries(body),
  (_random, body) => ({ ...withoutQueries(body), id: '1', vector: ones() }),
  (_random, body) => ({ ...withoutQueries(body), vector: ones(), seeds: [{ vector: ones() }] }),
]; // prettier-ignore

const QUERY_FIELDS = ['vector', 'vector_b64', 'id', 'vectors', 'vectors_b64', 'ids', 'seeds'];

function withoutQueries(body: Json): Json {
  return Object.fromEntries(Object.entries(body).filter(([name]) => !QUERY_FIELDS.includes(name)));
}

const ones = () => Array.from({ length: DIM }, () => 1);
const zeros = () => Array.from({ length: DIM }, () => 0);

function deep(levels: number): Json {
  let filter: Json = { bool_0: true };
  for (let i = 0; i < levels; i++) filter = { $not: filter };
  return filter;
}

type Bend = (random: Random, made: MadeSearch, request: HttpRequest) => Bent;

/** A request that asks for something else than the made search, or for nothing. */
export const BENDS: readonly Bend[] = [
  bendMeaning,
  bendMeaning,
  bendValue,
  bendText,
  bendBytes,
  bendParameters,
  bendHttp,
];

function bendMeaning(random: Random, made: MadeSearch, request: HttpRequest): Bent {
  const wrong = below(random, WRONG.length);
  const body = WRONG[wrong]!(random, { ...made.queries, ...made.terms });
  return { what: `wrong ${wrong}`, request: jsonRequest(request, JSON.stringify(body)), mustFail: true };
}

/** Some value of the body becomes another one, whatever that means. */
function bendValue(random: Random, made: MadeSearch, request: HttpRequest): Bent {
  const body = JSON.parse(JSON.stringify({ ...made.queries, ...made.terms })) as Json;
  const places: [holder: Record<string | number, unknown>, key: string | number][] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const key of Object.keys(value)) {
      places.push([value as Json, key]);
      visit((value as Json)[key]);
    }
  };
  visit(body);
  for (let i = 1 + below(random, 2); i > 0; i--) {
    const [holder, key] = pick(random, places);
    if (random() < 0.2) Reflect.deleteProperty(holder, key);
    else holder[key] = pick(random, ODD);
  }
  return { what: 'value', request: jsonRequest(request, JSON.stringify(body)), mustFail: false };
}

function jsonRequest(request: HttpRequest, text: string | Buffer): HttpRequest {
  const { accept } = request.headers;
  const headers = { ...(accept === undefined ? {} : { accept }), 'content-type': JSON_TYPE };
  return { ...request, path: request.path.split('?')[0]!, headers, body: Buffer.from(text) };
}

function bendText(random: Random, made: MadeSearch, request: HttpRequest): Bent {
  const text = JSON.stringify({ ...made.queries, ...made.terms });
  const at = below(random, text.length);
  const [mustFail, bent] = pick<[boolean, string | Buffer]>(random, [
    [true, text.slice(0, at)],
    [true, `${text}}`],
    [true, `\ufeff${text}`],
    [true, text.replaceAll('"', "'")],
    [true, `${text.slice(0, -1)},}`],
    [true, Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from([0x2c, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])])],
    [true, pick(random, ['', ' ', '[]', '3', '"x"', 'null', '{}', 'NaN', '{"k":1', '['.repeat(50_000)])],
    [true, `${text.slice(0, -1)},"vector":[${'1,'.repeat(DIM - 1)}NaN]}`],
    [false, text.slice(0, at) + String.fromCharCode(32 + below(random, 90)) + text.slice(at + 1)],
    [false, text.slice(0, at) + text.slice(at + 1 + below(random, 5))],
    [false, `  ${text}\n`],
    [false, `${text.slice(0, -1)},"k":5}`],
  ]);
  return { what: 'text', request: jsonRequest(request, bent), mustFail };
}

/** The bytes of any form: cut, flipped, or said to be something else. */
function bendBytes(random: Random, _made: MadeSearch, request: HttpRequest): Bent {
  const body = Buffer.from(request.body);
  const kind = below(random, 4);
  if (kind === 0) return { what: 'bytes cut', request: { ...request, body: body.subarray(0, below(random, body.length + 1)) }, mustFail: false };
  if (kind === 1 && body.length > 0) {
    for (let i = 1 + below(random, 8); i > 0; i--) body[below(random, body.length)]! ^= 1 << below(random, 8);
    return { what: 'bytes flipped', request: { ...request, body }, mustFail: false };
  }
  if (kind === 2) {
    const type = pick(random, [JSON_TYPE, BINARY_TYPE, ARROW_TYPE]);
    return { what: 'another type', request: { ...request, headers: { ...request.headers, 'content-type': type } }, mustFail: false };
  }
  const headers = { ...request.headers, 'content-encoding': pick(random, ['gzip', 'x-gzip', 'br', 'identity', '']) };
  return { what: 'another encoding', request: { ...request, headers }, mustFail: false };
} // prettier-ignore

const PARAMETERS = [
  'k', 'ef', 'exact', 'filter', 'min_score', 'version', 'exclude_ids', 'include.attributes', 'include.vectors', 'crowding.attribute', 'crowding.limit',
  'crowding', 'include', 'timeout_ms', 'allow_partial', 'explain', 'why_not', 'target_recall', 'batch', 'vector_column', 'vector', 'seeds', 'x',
]; // prettier-ignore

function bendParameters(random: Random, _made: MadeSearch, request: HttpRequest): Bent {
  const values = ['', '0', '1', '-1', '1e9', 'true', 'TRUE', 'null', '{}', '[]', '{"bool_0":true}', '{"a', '%ff', '%', 'ü', '..', '\u0000', '1&k=2'];
  const added = Array.from({ length: 1 + below(random, 3) }, () => {
    const value = pick(random, values);
    return `${pick(random, PARAMETERS)}=${random() < 0.7 ? encodeURIComponent(value) : encodeURI(value)}`;
  });
  const path = `${request.path}${request.path.includes('?') ? '&' : '?'}${added.join('&')}`;
  return { what: 'parameters', request: { ...request, path }, mustFail: false };
} // prettier-ignore

/** Another route, method or header. */
function bendHttp(random: Random, made: MadeSearch, request: HttpRequest): Bent {
  const { index } = made.asked.catalog;
  const [mustFail, change] = pick<[boolean, Partial<HttpRequest>]>(random, [
    [true, { path: '/v1/indexes/nothing/search' }],
    [true, { path: `/v1/indexes/${index}/searches` }],
    [true, { path: '/v1/indexes/%ff/search' }],
    [true, { path: `/v1/indexes/${'x'.repeat(4_000)}/search` }],
    [true, { path: '/v1/admin/reload' }],
    [true, { method: pick(random, ['PUT', 'DELETE', 'PATCH']) }],
    [true, { headers: { ...request.headers, 'content-type': pick(random, ['text/plain', 'application', ';', '*/*']) } }],
    [true, { headers: { ...request.headers, accept: pick(random, ['text/html', 'application/json;q=0', 'image/*']) } }],
    [false, { headers: { ...request.headers, accept: pick(random, ['', '*/*', 'application/*', 'text/html, */*;q=0.1', ';;;', 'q=1']) } }],
    [false, { headers: { ...request.headers, 'x-request-id': pick(random, ['', 'a'.repeat(300), '../..', 'é'.repeat(3), '{}']) } }],
    [false, { headers: { ...request.headers, 'content-type': `${JSON_TYPE}; charset=utf-8` } }],
  ]); // prettier-ignore
  return { what: 'http', request: { ...request, ...change }, mustFail };
}
