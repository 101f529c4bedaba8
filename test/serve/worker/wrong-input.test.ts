import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERRORS, type ErrorCode } from '../../../src/base/errors.js';
import { publishVersion, temporaryFolder } from '../../indexes.js';
import { TestServer } from '../server.js';

const DIM = 8;
const good = [1, 2, 3, 4, 5, 6, 7, 8];
const floats = (values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const base64 = (values: readonly number[]): string => Buffer.from(floats(values)).toString('base64');
const many = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

/** What is wrong, the body, the code that answers it, and the field that it must name. */
type Case = readonly [what: string, body: unknown, code: ErrorCode, field?: string];

const jsonCases: readonly Case[] = [
  ['a vector that is too short', { vector: [1, 2] }, 'dimension_mismatch', '/vector'],
  ['a vector that is too long', { vector: [...good, 9] }, 'dimension_mismatch', '/vector'],
  ['an empty vector', { vector: [] }, 'dimension_mismatch', '/vector'],
  [
    'null in a vector, which is how JSON.stringify writes NaN',
    { vector: [NaN, ...good.slice(1)] },
    'vector_not_finite',
    '/vector',
  ],
  ['a number beyond float32', { vector: [1e39, ...good.slice(1)] }, 'vector_not_finite', '/vector'],
  ['a number beyond float64', '{"vector":[1e400,2,3,4,5,6,7,8]}', 'vector_not_finite', '/vector'],
  ['a string in a vector', { vector: ['1', ...good.slice(1)] }, 'bad_vector', '/vector'],
  ['a boolean in a vector', { vector: [true, ...good.slice(1)] }, 'bad_vector', '/vector'],
  ['a list in a vector', { vector: [[1], ...good.slice(1)] }, 'bad_vector', '/vector'],
  ['a vector that is text', { vector: '1,2,3' }, 'bad_vector', '/vector'],
  ['a vector that is null', { vector: null }, 'bad_request'],
  ['the zero vector under cosine', { vector: many(DIM, 0) }, 'vector_zero', '/vector'],
  ['NaN as base64', { vector_b64: base64([NaN, ...good.slice(1)]) }, 'vector_not_finite', '/vector_b64'],
  ['base64 of too few values', { vector_b64: base64([1]) }, 'dimension_mismatch', '/vector_b64'],
  ['base64 of half a value', { vector_b64: Buffer.from([1, 2]).toString('base64') }, 'bad_vector', '/vector_b64'],
  ['text that is not base64', { vector_b64: '*not base64*' }, 'bad_base64', '/vector_b64'],
  ['base64 without its padding', { vector_b64: base64(good).replace(/=+$/, '') }, 'bad_base64', '/vector_b64'],
  [
    'base64 of the URL alphabet',
    { vector_b64: Buffer.from([251, 255, 254, 255]).toString('base64url') },
    'bad_base64',
    '/vector_b64',
  ],
  [
    'base64 with a line break',
    { vector_b64: `${base64(good).slice(0, 8)}\n${base64(good).slice(8)}` },
    'bad_base64',
    '/vector_b64',
  ],
  ['base64 that is a number', { vector_b64: 5 }, 'bad_base64', '/vector_b64'],
  ['a batch of no vector of the length', { vectors: [[1], [1, 2]] }, 'dimension_mismatch', '/vectors/0'],
  ['a batch that is no list', { vectors: 7 }, 'bad_field', '/vectors'],
  ['a batch of more vectors than are taken', { vectors: many(1025, good) }, 'batch_too_large', '/vectors'],
  ['a batch of more ids than are taken', { ids: many(1025, '1') }, 'batch_too_large', '/ids'],
  ['packed vectors that are no whole number', { vectors_b64: base64([...good, 1]) }, 'bad_vector', '/vectors_b64'],
  ['k 0', { vector: good, k: 0 }, 'k_out_of_range', '/k'],
  ['k -1', { vector: good, k: -1 }, 'k_out_of_range', '/k'],
  ['k 10^9', { vector: good, k: 1e9 }, 'k_out_of_range', '/k'],
  ['k 1.5', { vector: good, k: 1.5 }, 'k_out_of_range', '/k'],
  ['k as text', { vector: good, k: '5' }, 'bad_field', '/k'],
  ['an unknown field that is null', { vector: good, kk: null }, 'unknown_field', '/kk'],
  ['ef 0', { vector: good, ef: 0 }, 'ef_out_of_range', '/ef'],
  ['ef 10,001', { vector: good, ef: 10_001 }, 'ef_out_of_range', '/ef'],
  ['ef and exact together', { vector: good, ef: 10, exact: true }, 'bad_request', '/ef'],
  ['exact as a number', { vector: good, exact: 1 }, 'bad_field', '/exact'],
  ['min_score as text', { vector: good, min_score: '0' }, 'bad_field', '/min_score'],
  ['min_score beyond every number', '{"id":"1","min_score":1e999}', 'bad_field', '/min_score'],
  ['include that is a list', { vector: good, include: ['title'] }, 'bad_field', '/include'],
  ['an unknown field of include', { vector: good, include: { vector: true } }, 'unknown_field', '/include/vector'],
  ['include.vectors as text', { vector: good, include: { vectors: 'true' } }, 'bad_field', '/include/vectors'],
  [
    'an unknown attribute',
    { vector: good, include: { attributes: ['price', 'titel'] } },
    'unknown_attribute',
    '/include/attributes/1',
  ],
  [
    'an attribute that is a number',
    { vector: good, include: { attributes: [1] } },
    'bad_field',
    '/include/attributes/0',
  ],
  ['exclude_ids that is no list', { vector: good, exclude_ids: '1' }, 'bad_field', '/exclude_ids'],
  ['too many exclude_ids', { vector: good, exclude_ids: many(10_001, '1') }, 'bad_field', '/exclude_ids'],
  ['an id that is null', { id: null }, 'bad_request'],
  ['an id that is a fraction', { id: 1.5 }, 'bad_field', '/id'],
  ['an id that JSON does not carry exactly', '{"id":9007199254740993}', 'bad_field', '/id'],
  ['an unknown id', { id: 'nobody' }, 'unknown_id'],
  ['an integer id in another spelling', { id: '007' }, 'unknown_id'],
  ['a version that is not loaded', { id: '1', version: '20200101T000000Z-00000000' }, 'version_not_loaded'],
  ['an alias that there is not', { id: '1', version: 'canary' }, 'version_not_loaded'],
  ['a version that is a number', { id: '1', version: 3 }, 'bad_field', '/version'],
  ['an empty version', { id: '1', version: '' }, 'bad_field', '/version'],
  ['an unknown field', { vector: good, kk: 5 }, 'unknown_field', '/kk'],
  ['__proto__ as a field', '{"id":"1","__proto__":{"k":1}}', 'unknown_field', '/__proto__'],
  ['constructor as a field', '{"id":"1","constructor":{}}', 'unknown_field', '/constructor'],
  ['a filter that is a list', { vector: good, filter: [] }, 'bad_filter', '/filter'],
  ['a filter over an unknown attribute', { vector: good, filter: { prize: 1 } }, 'bad_filter', '/filter/prize'],
  ['an unknown operator', { vector: good, filter: { price: { $near: 1 } } }, 'bad_filter', '/filter/price/$near'],
  [
    'a literal of another type',
    { vector: good, filter: { $or: [{ title: 'x' }, { price: '5' }] } },
    'bad_filter',
    '/filter/$or/1/price',
  ],
  ['a filter that lets nothing in by mistake', { vector: good, filter: { $or: [] } }, 'bad_filter', '/filter/$or'],
  ['no seeds', { seeds: [] }, 'bad_field', '/seeds'],
  ['too many seeds', { seeds: many(101, { id: '1' }) }, 'batch_too_large', '/seeds'],
  ['a seed that is an id', { seeds: ['1'] }, 'bad_field', '/seeds/0'],
  ['a seed without a query', { seeds: [{ id: '1' }, { weight: 2 }] }, 'bad_request', '/seeds/1'],
  ['a seed with two queries', { seeds: [{ id: '1', vector: good }] }, 'bad_request', '/seeds/0'],
  ['a seed of an unknown id', { seeds: [{ id: '1' }, { id: 'nobody' }] }, 'unknown_id', '/seeds/1/id'],
  ['a seed of another dimension', { seeds: [{ vector: [1, 2] }] }, 'dimension_mismatch', '/seeds/0/vector'],
  ['a seed of zeros', { seeds: [{ vector: many(DIM, 0) }] }, 'vector_zero', '/seeds/0/vector'],
  ['a weight of 0', { seeds: [{ id: '1', weight: 0 }] }, 'bad_field', '/seeds/0/weight'],
  ['a weight beyond reason', '{"seeds":[{"id":"1","weight":1e300}]}', 'bad_field', '/seeds/0/weight'],
  ['a weight as text', { seeds: [{ id: '1', weight: '2' }] }, 'bad_field', '/seeds/0/weight'],
  ['a quota of 0', { seeds: [{ id: '1', quota: 0 }] }, 'bad_field', '/seeds/0/quota'],
  ['a quota above k', { seeds: [{ id: '1', quota: 4 }], k: 3 }, 'bad_field', '/seeds/0/quota'],
  ['an unknown field of a seed', { seeds: [{ id: '1', wait: 1 }] }, 'unknown_field', '/seeds/0/wait'],
  ['seeds beside a query', { seeds: [{ id: '1' }], id: '1' }, 'bad_request', '/id'],
  ['crowding without an attribute', { vector: good, crowding: { limit: 1 } }, 'bad_request', '/crowding/attribute'],
  ['crowding without a limit', { vector: good, crowding: { attribute: 'price' } }, 'bad_request', '/crowding/limit'],
  [
    'crowding by an unknown attribute',
    { vector: good, crowding: { attribute: 'shop', limit: 1 } },
    'unknown_attribute',
    '/crowding/attribute',
  ],
  [
    'a crowding limit of 0',
    { vector: good, crowding: { attribute: 'price', limit: 0 } },
    'bad_field',
    '/crowding/limit',
  ],
  ['an unknown field of crowding', { vector: good, crowding: { by: 'price' } }, 'unknown_field', '/crowding/by'],
  ['a target recall of 0', { vector: good, target_recall: 0 }, 'target_recall_out_of_range', '/target_recall'],
  ['a target recall above 1', { vector: good, target_recall: 1.5 }, 'target_recall_out_of_range', '/target_recall'],
  ['a target recall as text', { vector: good, target_recall: 'high' }, 'bad_field', '/target_recall'],
  ['a target recall beside ef', { vector: good, target_recall: 0.9, ef: 100 }, 'bad_request', '/target_recall'],
  ['a target recall beside exact', { vector: good, target_recall: 0.9, exact: true }, 'bad_request', '/target_recall'],
  ['a target recall without a calibration', { vector: good, target_recall: 0.9 }, 'not_calibrated', '/target_recall'],
  ['explain as a number', { vector: good, explain: 1 }, 'bad_field', '/explain'],
  ['why_not that is no list', { vector: good, why_not: '1' }, 'bad_field', '/why_not'],
  ['too many why_not', { vector: good, why_not: many(101, '1') }, 'bad_field', '/why_not'],
  ['a timeout of 0', { vector: good, timeout_ms: 0 }, 'bad_field', '/timeout_ms'],
  ['a timeout below 0', { vector: good, timeout_ms: -5 }, 'bad_field', '/timeout_ms'],
  ['a timeout of two hours', { vector: good, timeout_ms: 7_200_000 }, 'bad_field', '/timeout_ms'],
  ['a timeout as text', { vector: good, timeout_ms: '5ms' }, 'bad_field', '/timeout_ms'],
  ['allow_partial as a number', { vector: good, allow_partial: 1 }, 'bad_field', '/allow_partial'],
  ['no query', { k: 5 }, 'bad_request'],
  ['two queries', { vector: good, id: '1' }, 'bad_request', '/id'],
  ['a list as the body', [1, 2, 3], 'bad_request'],
  ['null as the body', 'null', 'bad_request'],
  ['a number as the body', '5', 'bad_request'],
  ['a field twice', '{"id":"1","k":3,"k":4}', 'bad_request', '/k'],
  ['a field twice, escaped', '{"id":"1","k":3,"\\u006b":4}', 'bad_request', '/k'],
  ['a query twice', '{"vector":[1,2],"k":1,"vector":[1,2,3,4,5,6,7,8]}', 'bad_request', '/vector'],
  [
    'two conditions on one attribute',
    '{"id":"1","filter":{"price":{"$gte":1},"title":"x","price":{"$lt":9}}}',
    'bad_request',
    '/filter/price',
  ],
  [
    'an operator twice, deep inside',
    '{"id":"1","filter":{"$or":[{"price":1},{"$not":{"price":{"$gt":1,"$gt":2}}}]}}',
    'bad_request',
    '/filter/$or/1/$not/price/$gt',
  ],
  [
    'a member of a seed twice',
    '{"seeds":[{"id":"1"},{"id":"2","weight":1,"weight":2}]}',
    'bad_request',
    '/seeds/1/weight',
  ],
  ['text that is no JSON', '{"vector": [1, 2', 'bad_json'],
  ['NaN in the JSON', '{"vector":[NaN]}', 'bad_json'],
  ['an empty body', '', 'bad_json'],
  ['bytes that are not UTF-8', Uint8Array.of(0x22, 0xff, 0x22), 'bad_json'],
  ['JSON nested ten thousand deep', `{"vector":${'['.repeat(10_000)}${']'.repeat(10_000)}}`, 'bad_vector', '/vector'],
];

/** Query string, bytes, code. */
const binaryCases: readonly (readonly [what: string, query: string, bytes: Uint8Array, code: ErrorCode])[] = [
  ['NaN', '', floats([...good.slice(1), NaN]), 'vector_not_finite'],
  ['the zero vector', '', floats(many(DIM, 0)), 'vector_zero'],
  ['one of another length', '', floats([...good, 1]), 'dimension_mismatch'],
  ['a batch that is no whole number of vectors', '?batch=true', floats([...good, 1]), 'bad_vector'],
  ['a body that is no whole number of values', '', new Uint8Array(33), 'bad_vector'],
  ['an empty body', '', new Uint8Array(0), 'bad_vector'],
  ['an empty batch', '?batch=true', new Uint8Array(0), 'bad_vector'],
  ['more vectors than are taken', '?batch=true', floats(many(1025, good).flat()), 'batch_too_large'],
  ['several vectors that are no batch', '', floats([...good, ...good]), 'bad_request'],
  ['several vectors where one is asked for', '?batch=false', floats([...good, ...good]), 'bad_request'],
  ['k 0', '?k=0', floats(good), 'k_out_of_range'],
  ['k that is no number', '?k=ten', floats(good), 'bad_field'],
  ['k given twice', '?k=1&k=2', floats(good), 'bad_field'],
  ['an empty k', '?k=', floats(good), 'bad_field'],
  ['an ef that is too large', '?ef=99999', floats(good), 'ef_out_of_range'],
  ['exact that is neither true nor false', '?exact=yes', floats(good), 'bad_field'],
  ['batch that is neither true nor false', '?batch=1', floats(good), 'bad_field'],
  ['a timeout that is no number', '?timeout_ms=soon', floats(good), 'bad_field'],
  ['a filter that is no JSON', '?filter=x', floats(good), 'bad_json'],
  ['a filter over an unknown attribute', `?filter=${encodeURIComponent('{"prize":1}')}`, floats(good), 'bad_filter'],
  [
    'a filter with two conditions on one attribute',
    `?filter=${encodeURIComponent('{"price":1,"price":2}')}`,
    floats(good),
    'bad_request',
  ],
  ['a filter given twice', '?filter={}&filter={}', floats(good), 'bad_field'],
  ['crowding without a limit', '?crowding.attribute=price', floats(good), 'bad_request'],
  ['crowding in one parameter', '?crowding=price', floats(good), 'unknown_field'],
  ['seeds, which this form has not', '?seeds=[]', floats(good), 'unknown_field'],
  ['an explain that is neither true nor false', '?explain=1', floats(good), 'bad_field'],
  ['a column of vectors, which this form has not', '?vector_column=v', floats(good), 'unknown_field'],
  ['an unknown parameter', '?kay=3', floats(good), 'unknown_field'],
  ['a vector in the query string', '?vector=1', floats(good), 'unknown_field'],
  ['an unknown attribute', '?include.attributes=nope', floats(good), 'unknown_attribute'],
];

describe('wrong inputs over HTTP', () => {
  let server: TestServer;
  beforeAll(async () => {
    const root = temporaryFolder();
    await publishVersion(root, 'listings', { dim: DIM, rows: 600 });
    server = await TestServer.start(root, ['--workers', '1']);
  });
  afterAll(async () => expect(await server.stop()).toBe(0));

  async function expectProblem(response: Response, code: ErrorCode, field?: string): Promise<void> {
    const problem = (await response.json()) as Record<string, unknown>;
    expect({ status: response.status, code: problem['code'] }, JSON.stringify(problem).slice(0, 300)).toEqual({
      status: ERRORS[code].status,
      code,
    });
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(problem).toMatchObject({
      type: `urn:shortlist:error:${code}`,
      title: ERRORS[code].title,
      status: response.status,
    });
    expect(problem['detail']).toEqual(expect.stringMatching(/.{10,}/));
    expect(problem['request_id']).toBe(response.headers.get('x-request-id'));
    if (field !== undefined) expect(problem['field']).toBe(field);
  }

  for (const [what, body, code, field] of jsonCases) {
    it(what, async () => {
      await expectProblem(await server.search(body), code, field);
    });
  }

  it.each(binaryCases)('binary: %s', async (_what, query, bytes, code) => {
    const response = await server.post(`/v1/indexes/listings/search${query}`, bytes, {
      'content-type': 'application/octet-stream',
    });
    await expectProblem(response, code);
  });

  it('float64 bytes are refused where float32 is read, and the message says so', async () => {
    const doubles = (values: readonly number[]) => new Uint8Array(Float64Array.from(values).buffer);
    const type = { 'content-type': 'application/octet-stream' };
    const route = '/v1/indexes/listings/search';
    const one = doubles(many(DIM, 0).map((_, i) => Math.sin(i + 1)));
    const batch = doubles(many(6 * DIM, 0).map((_, i) => Math.fround(Math.sin(i + 1))));
    const packed = { vectors_b64: Buffer.from(batch).toString('base64') };
    for (const response of [
      await server.post(route, one, type),
      await server.post(`${route}?batch=true`, batch, type),
      await server.search(packed),
      await server.search({ vector_b64: Buffer.from(one).toString('base64') }),
    ]) {
      expect(response.status).toBe(400);
      expect(((await response.json()) as { detail: string }).detail).toMatch(/float64.*float32/);
    }
  });

  describe('one bad query of a batch fails alone', () => {
    interface Results {
      readonly results: { candidates?: unknown[]; error?: { code: string; field?: string; detail: string } }[];
    }

    async function expectSecondToFail(response: Response, code: ErrorCode, field?: string): Promise<void> {
      const text = await response.text();
      expect(response.status, text).toBe(200);
      const { results } = JSON.parse(text) as Results;
      expect(results.map(({ candidates }) => candidates?.length)).toEqual([2, undefined, 2]);
      expect(results[1]!.error).toMatchObject({
        code,
        status: ERRORS[code].status,
        ...(field === undefined ? {} : { field }),
      });
    }

    const bad: readonly (readonly [what: string, vector: unknown, code: ErrorCode])[] = [
      ['null', null, 'bad_vector'],
      ['a text', '1,2', 'bad_vector'],
      ['a text in it', ['1', ...good.slice(1)], 'bad_vector'],
      ['another length', [1, 2], 'dimension_mismatch'],
      ['nothing in it', [], 'dimension_mismatch'],
      ['NaN, as JSON.stringify writes it', [null, ...good.slice(1)], 'vector_not_finite'],
      ['zeros', many(DIM, 0), 'vector_zero'],
    ];
    it.each(bad)('vectors: %s', async (_what, vector, code) => {
      for (const exact of [false, true]) {
        const response = await server.search({ vectors: [good, vector, good], k: 2, exact });
        await expectSecondToFail(response, code, '/vectors/1');
      }
    });

    it.each([
      ['no base64', '*', 'bad_base64'],
      ['a number', 5, 'bad_base64'],
      ['half a value', 'AAA=', 'bad_vector'],
      ['another length', base64([1]), 'dimension_mismatch'],
      ['NaN', base64(many(DIM, NaN)), 'vector_not_finite'],
    ] as const)('vectors_b64, a list: %s', async (_what, text, code) => {
      const body = { vectors_b64: [base64(good), text, base64(good)], k: 2 };
      await expectSecondToFail(await server.search(body), code, '/vectors_b64/1');
    });

    it.each([
      ['null', null, 'bad_field'],
      ['a fraction', 1.5, 'bad_field'],
      ['unknown', 'nobody', 'unknown_id'],
    ] as const)('ids: %s', async (_what, id, code) => {
      await expectSecondToFail(await server.search({ ids: ['1', id, 2], k: 2 }), code);
    });

    it('end to end, as base64 and as bytes', async () => {
      const bytes = floats([...good, ...good.slice(1), Infinity, ...good]);
      const packed = { vectors_b64: Buffer.from(bytes).toString('base64'), k: 2 };
      await expectSecondToFail(await server.search(packed), 'vector_not_finite');
      const raw = await server.post('/v1/indexes/listings/search?k=2&batch=true', bytes, {
        'content-type': 'application/octet-stream',
      });
      await expectSecondToFail(raw, 'vector_not_finite');
    });

    it('also where it is the only one', async () => {
      const response = await server.search({ vectors: [many(DIM, 0)], k: 2 });
      expect(response.status).toBe(200);
      expect(((await response.json()) as Results).results[0]!.error!.code).toBe('vector_zero');
    });
  });

  it('an unknown index, whatever the body', async () => {
    await expectProblem(await server.search({ nonsense: 1 }, 'listing'), 'unknown_index');
    await expectProblem(await server.get('/v1/indexes/listing'), 'unknown_index');
    await expectProblem(await server.get('/v1/indexes/listing/items/1'), 'unknown_index');
  });

  it('items: an unknown id, attribute, parameter or version', async () => {
    await expectProblem(await server.get('/v1/indexes/listings/items/nobody'), 'unknown_id');
    await expectProblem(
      await server.get('/v1/indexes/listings/items/1?include.attributes=x'),
      'unknown_attribute',
      '/include.attributes/0',
    );
    await expectProblem(
      await server.get('/v1/indexes/listings/items/1?include.vectors=1'),
      'bad_field',
      '/include.vectors',
    );
    await expectProblem(await server.get('/v1/indexes/listings/items/1?vector=true'), 'unknown_field', '/vector');
    await expectProblem(await server.get('/v1/indexes/listings/items/1?version=old'), 'version_not_loaded');
    await expectProblem(await server.get(`/v1/indexes/listings/items/${'x'.repeat(4_000)}`), 'unknown_route');
    await expectProblem(await server.get('/v1/indexes/listings/items/%ff'), 'malformed_http');
  });

  it('a route, method, type or encoding that there is not', async () => {
    await expectProblem(await server.get('/v2/indexes'), 'unknown_route');
    const wrongMethod = await server.get('/v1/indexes/listings/search');
    expect(wrongMethod.headers.get('allow')).toBe('POST');
    await expectProblem(wrongMethod, 'method_not_allowed');
    const wrongPost = await server.post('/v1/indexes', {});
    expect(wrongPost.headers.get('allow')).toBe('GET, HEAD');
    await expectProblem(wrongPost, 'method_not_allowed');
    const wrongType = await server.post('/v1/indexes/listings/search', '{}', { 'content-type': 'text/plain' });
    expect(wrongType.headers.get('accept-post')).toBe(
      'application/json, application/octet-stream, application/vnd.apache.arrow.stream',
    );
    await expectProblem(wrongType, 'unsupported_media_type');
    const wrongEncoding = await server.post('/v1/indexes/listings/search', '{}', { 'content-encoding': 'br' });
    expect(wrongEncoding.headers.get('accept-encoding')).toBe('gzip, identity');
    await expectProblem(wrongEncoding, 'unsupported_media_type');
    await expectProblem(await server.post('/v1/indexes/listings/search?k=3', { id: '1' }), 'unknown_field');
    await expectProblem(
      await server.post('/v1/indexes/listings/search', { id: '1' }, { accept: 'text/csv' }),
      'not_acceptable',
    );
  });

  it('a body of 100 MB, in one piece and in chunks', async () => {
    const body = new Uint8Array(100 * 1024 * 1024);
    await expectProblem(await server.post('/v1/indexes/listings/search', body), 'body_too_large');
    const stream = new Blob([body]).stream();
    const init = { method: 'POST', body: stream, duplex: 'half', headers: { 'content-type': 'application/json' } };
    await expectProblem(await fetch(`${server.url}/v1/indexes/listings/search`, init as RequestInit), 'body_too_large');
  });

  it('an answer that would be larger than the server gives', async () => {
    const body = { ids: many(1024, '1'), k: 10_000, include: { vectors: true } };
    await expectProblem(await server.search(body), 'answer_too_large');
  });

  it('did none of it harm: the same process answers, and nothing was a bug', async () => {
    const response = await server.search({ id: '1', k: 3 });
    expect(response.status).toBe(200);
    expect(server.lines.filter(({ level }) => level >= 50)).toEqual([]);
    expect(server.lines.filter(({ msg }) => msg === 'worker died')).toEqual([]);
  });
});
