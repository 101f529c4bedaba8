import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openIndex, type OpenIndex } from '../../../src/retrieve/library/open-index.js';
import { buildVersion, makeVectors, publishVersion, temporaryFolder } from '../../indexes.js';
import { TestServer, waitFor } from '../server.js';
import { publish, setAlias } from '../../../src/version/state/publish.js';

const DIM = 24;

interface AnswerBody {
  index: string;
  version: string;
  took_ms: number;
  candidates: { id: string; score: number; attributes?: Record<string, unknown>; vector?: number[] }[];
  quality: Record<string, unknown>;
  results: Omit<AnswerBody, 'index' | 'version' | 'took_ms' | 'results'>[];
}

describe('search over HTTP', () => {
  let server: TestServer;
  let library: OpenIndex;
  let vectors: Float32Array;
  let version: string;
  const root = temporaryFolder();
  const queries = makeVectors(7, DIM, 99);
  const query = queries.subarray(0, DIM);

  beforeAll(async () => {
    ({ vectors, version } = await publishVersion(root, 'listings', { rows: 900, dim: DIM, shards: 3 }));
    await publishVersion(root, 'names', { rows: 50, dim: DIM, textIds: true, metric: 'l2', seed: 5 });
    library = await openIndex(root, 'listings');
    server = await TestServer.start(root);
  });
  afterAll(async () => {
    await library.close();
    expect(await server.stop()).toBe(0);
  });

  async function search(body: unknown, index = 'listings'): Promise<AnswerBody> {
    const response = await server.search(body, index);
    const text = await response.text();
    expect(response.status, text.slice(0, 300)).toBe(200);
    return JSON.parse(text) as AnswerBody;
  }

  async function searchBinary(vectors: Float32Array, parameters: string): Promise<AnswerBody> {
    const body = new Uint8Array(vectors.slice().buffer);
    const response = await server.post(`/v1/indexes/listings/search${parameters}`, body, {
      'content-type': 'application/octet-stream',
    });
    expect(response.status).toBe(200);
    return (await response.json()) as AnswerBody;
  }

  const base64 = (vectors: Float32Array) => Buffer.from(vectors.slice().buffer).toString('base64');

  it('answers every wire form as the library does, scores equal to the bit', async () => {
    const expected = library.search(query.slice(), { k: 20 });
    const answers = [
      await search({ vector: Array.from(query), k: 20 }),
      await search({ vector_b64: base64(query), k: 20 }),
      await searchBinary(query, '?k=20'),
    ];
    for (const answer of answers) {
      expect(answer).toMatchObject({ index: 'listings', version, quality: expected.quality });
      expect(answer.candidates.map(({ id }) => id)).toEqual(expected.ids);
      expect(Float32Array.from(answer.candidates, ({ score }) => score)).toEqual(expected.scores);
      expect(answer.took_ms).toBeGreaterThan(0);
    }
  });

  it('answers batches in query order, in every wire form, as one by one', async () => {
    const single = await Promise.all(
      [0, 1, 2, 3, 4, 5, 6].map((i) => search({ vector: Array.from(queries.subarray(i * DIM, (i + 1) * DIM)), k: 5 })),
    );
    const expected = single.map(({ candidates, quality }) => ({ candidates, quality }));
    const rows = single.map((_, i) => queries.subarray(i * DIM, (i + 1) * DIM));
    expect((await search({ vectors: rows.map((row) => Array.from(row)), k: 5 })).results).toEqual(expected);
    expect((await search({ vectors_b64: base64(queries), k: 5 })).results).toEqual(expected);
    expect((await search({ vectors_b64: rows.map(base64), k: 5 })).results).toEqual(expected);
    expect((await searchBinary(queries, '?k=5&batch=true')).results).toEqual(expected);
    expect((await searchBinary(query, '?k=5&batch=true')).results).toEqual(expected.slice(0, 1));
    expect((await search({ vectors: [], k: 5 })).results).toEqual([]);
  });

  it('finds the same by a scan, and says so', async () => {
    const exact = await search({ vector: Array.from(query), k: 900, exact: true });
    const graph = await search({ vector: Array.from(query), k: 10, ef: 900 });
    expect(exact.quality).toMatchObject({
      path: 'exact',
      ef: null,
      short: null,
      selectivity: 1,
      shards: { total: 3, answered: 3 },
    });
    expect(graph.quality).toMatchObject({ path: 'graph', ef: 900, short: null });
    expect(exact.candidates.slice(0, 10)).toEqual(graph.candidates);
    const batch = await search({ vectors_b64: base64(queries), k: 900, exact: true });
    expect(batch.results[0]!.candidates).toEqual(exact.candidates);
  });

  it('searches by id without the item itself, by text and by number', async () => {
    const byText = await search({ id: '17', k: 899 });
    const byNumber = await search({ id: 17, k: 899 });
    expect(byText.candidates).toEqual(byNumber.candidates);
    expect(byText.candidates.some(({ id }) => id === '17')).toBe(false);
    const exact = await search({ id: 17, k: 899, exact: true });
    expect(exact.candidates).toHaveLength(899);
    expect(exact.candidates.some(({ id }) => id === '17')).toBe(false);
    const own = vectors.slice(17 * DIM, 18 * DIM);
    const byVector = await search({ vector: Array.from(own), k: 900, exact: true });
    expect(byVector.candidates[0]).toEqual({ id: '17', score: 1 });
    expect(byVector.candidates.slice(1)).toEqual(exact.candidates);
  });

  it.each([false, true])('fails an unknown id of a batch alone (exact: %s)', async (exact) => {
    const { results } = await search({ ids: ['3', 'nobody', 4], k: 3, exact });
    expect(results).toHaveLength(3);
    expect(results[1]).toEqual({ error: expect.objectContaining({ code: 'unknown_id', status: 404 }) as unknown });
    expect(results[0]!.candidates).toEqual((await search({ id: 3, k: 3, exact })).candidates);
    expect(results[2]!.candidates).toEqual((await search({ id: 4, k: 3, exact })).candidates);
  });

  it('leaves out excluded ids and ignores unknown ones', async () => {
    const before = await search({ vector: Array.from(query), k: 5 });
    const [first, second] = before.candidates.map(({ id }) => id);
    const after = await search({ vector: Array.from(query), k: 3, exclude_ids: [first, Number(second), 'nobody'] });
    expect(after.candidates).toEqual(before.candidates.slice(2));
  });

  it('cuts at min_score and says why it is short', async () => {
    const whole = await search({ vector: Array.from(query), k: 10 });
    const limit = whole.candidates[3]!.score;
    const cut = await search({ vector: Array.from(query), k: 10, min_score: limit });
    expect(cut.candidates).toEqual(whole.candidates.slice(0, 4));
    expect(cut.quality['short']).toBe('min_score');
    expect((await search({ vector: Array.from(query), k: 1000 })).quality['short']).toBe('corpus');
  });

  it('includes attributes and vectors as asked', async () => {
    const { candidates } = await search({ id: 1, k: 3, include: { attributes: ['price', 'title'], vectors: true } });
    for (const { id, attributes, vector } of candidates) {
      expect(attributes).toEqual({ price: Number(id) % 5 === 0 ? null : Number(id) + 0.25, title: `title "${id}" ü` });
      expect(Float32Array.from(vector!)).toEqual(library.vector(id));
    }
    const all = await search({ id: 1, k: 1, include: { attributes: true } });
    expect(Object.keys(all.candidates[0]!.attributes!)).toEqual(['title', 'price', 'generation']);
    const none = await search({ id: 1, k: 1, include: {} });
    expect(Object.keys(none.candidates[0]!)).toEqual(['id', 'score']);
    const binary = await searchBinary(
      query,
      '?k=1&include.attributes=price&include.vectors=true&exclude_ids=1&exclude_ids=2&min_score=-1',
    );
    expect(Object.keys(binary.candidates[0]!)).toEqual(['id', 'score', 'attributes', 'vector']);
  });

  it('answers from the other index with ids that are text', async () => {
    const answer = await search({ id: 'item-7', k: 4, include: { attributes: ['title'] } }, 'names');
    expect(answer.candidates.map(({ id }) => id)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^item-\d+$/)]),
    );
    expect(answer.candidates.every(({ score }) => score < 0)).toBe(true);
    const item = (await (await server.get('/v1/indexes/names/items/item-7')).json()) as { id: string };
    expect(item).toMatchObject({ index: 'names', id: 'item-7', attributes: { title: 'title "7" ü' } });
  });

  it('describes what it serves', async () => {
    const list = (await (await server.get('/v1/indexes')).json()) as { indexes: { index: string }[] };
    expect(list.indexes.map(({ index }) => index)).toEqual(['listings', 'names']);
    const one = (await (await server.get('/v1/indexes/listings')).json()) as Record<string, unknown>;
    expect(one).toMatchObject({
      index: 'listings',
      version,
      vectors: 900,
      dim: DIM,
      metric: 'cosine',
      shards: 3,
      engine: 'native',
      aliases: {},
      loaded: [version],
    });
    expect(one['age_seconds']).toBeGreaterThanOrEqual(0);
  });

  it('takes a sane request id over, and makes one otherwise', async () => {
    const given = await server.get('/livez', { 'x-request-id': 'trace-1:a/b=' });
    expect(given.headers.get('x-request-id')).toBe('trace-1:a/b=');
    const forged = await server.get('/livez', { 'x-request-id': 'a b"c' });
    expect(forged.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('logs what was asked, never the vectors or ids of it', async () => {
    const secret = 123456.78125;
    await server.post(
      '/v1/indexes/listings/search',
      { vector: [secret, ...Array.from(query).slice(1)], k: 7 },
      { 'x-request-id': 'find-me' },
    );
    await server.post('/v1/indexes/listings/search', { id: 'secret-item', k: 7 }, { 'x-request-id': 'find-me-too' });
    const line = await waitFor('the log line', () => server.lines.find((one) => one['request_id'] === 'find-me'));
    expect(line).toMatchObject({
      msg: 'request completed',
      route: '/v1/indexes/:index/search',
      status: 200,
      index: 'listings',
      version,
      k: 7,
      queries: 1,
    });
    expect(line['ms']).toBeGreaterThan(0);
    await waitFor('the other log line', () => server.lines.find((one) => one['request_id'] === 'find-me-too'));
    expect(server.stderr).not.toContain('123456.78');
    expect(server.stderr).not.toContain('secret-item');
  });

  it('answers from a pinned version or alias, and after a switch from the one before', async () => {
    const next = await buildVersion(root, 'listings', { rows: 300, dim: DIM, seed: 2 });
    await setAlias(root, 'listings', 'canary', next.version);
    const pinned = await waitFor('the alias', async () => {
      const response = await server.search({ id: 1, k: 1, version: 'canary' });
      return response.status === 200 ? ((await response.json()) as AnswerBody) : undefined;
    });
    expect(pinned.version).toBe(next.version);
    expect((await search({ id: 1, k: 1, version: next.version })).version).toBe(next.version);
    expect((await search({ id: 1, k: 1 })).version).toBe(version);
    await publish(root, 'listings', next.version);
    await waitFor('the switch', async () =>
      (await search({ id: 1, k: 1 })).version === next.version ? true : undefined,
    );
    await server.waitForLog('version is live', 0, (line) => line['previous'] === version);
    expect((await search({ id: 1, k: 1, version })).version).toBe(version);
    const one = (await (await server.get('/v1/indexes/listings')).json()) as { aliases: unknown; loaded: string[] };
    expect(one.aliases).toEqual({ canary: next.version });
    expect(one.loaded.sort()).toEqual([version, next.version]);
  });
});
