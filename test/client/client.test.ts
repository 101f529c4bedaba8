import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tableFromIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Column, ColumnType } from '../../src/arrow/column.js';
import { encodeArrow } from '../../src/arrow/write/encoder.js';
import { ShortlistClient, ShortlistClientError, type Explain, type SearchTerms } from '../../src/client/client.js';
import type { Explain as ServerExplain } from '../../src/wire/answers.js';
import { openIndex, type OpenIndex } from '../../src/retrieve/library/open-index.js';
import { makeVectors, publishVersion, temporaryFolder } from '../indexes.js';
import { TestServer } from '../serve/server.js';

const DIM = 16;

const FLOAT32: ColumnType = { kind: 'float', bits: 32 };
const lists: ColumnType = { kind: 'list', item: FLOAT32, size: DIM };

function columnOf(values: Float32Array): Column {
  const rows = values.length / DIM;
  const offsets = Uint32Array.from({ length: rows + 1 }, (_, row) => row * DIM);
  const items: Column = { shape: 'numbers', type: FLOAT32, rows: values.length, valid: null, values };
  return { shape: 'lists', type: lists, rows, valid: null, offsets, items };
}

// Compiles only while the client's words for an explanation are those of the server.
const asClient = (explain: ServerExplain): Explain => explain;

describe('the client of a real server', () => {
  let server: TestServer;
  let client: ShortlistClient;
  let library: OpenIndex;
  const queries = makeVectors(3, DIM, 7);
  const query = queries.slice(0, DIM);

  beforeAll(async () => {
    const root = temporaryFolder();
    await publishVersion(root, 'listings', { rows: 300, dim: DIM });
    library = await openIndex(root, 'listings');
    server = await TestServer.start(root, ['--workers', '1']);
    client = new ShortlistClient(`${server.url}/`);
  });
  afterAll(async () => {
    await library.close();
    expect(await server.stop()).toBe(0);
  });

  it('searches by vector, list and id, as the library does', async () => {
    const expected = library.search(query, { k: 10 });
    for (const vector of [query, Array.from(query)]) {
      const answer = await client.search('listings', { vector, k: 10 });
      expect(answer.candidates.map(({ id }) => id)).toEqual(expected.ids);
      expect(Float32Array.from(answer.candidates, ({ score }) => score)).toEqual(expected.scores);
      expect(answer.quality).toEqual(expected.quality);
    }
    const byId = await client.search('listings', { id: 5, k: 10, include: { attributes: ['title'] } });
    expect(byId.candidates.map(({ id }) => id)).toEqual(library.searchById('5', { k: 10 }).ids);
    expect(byId.candidates[0]!.attributes).toEqual({ title: `title "${byId.candidates[0]!.id}" ü` });
  });

  it('searches batches of vectors, in one array or several, and of ids', async () => {
    const packed = await client.searchBatch('listings', { vectors: queries, k: 4 });
    const listed = await client.searchBatch('listings', {
      vectors: [0, 1, 2].map((i) => queries.subarray(i * DIM, (i + 1) * DIM)),
      k: 4,
    });
    expect(packed.results).toEqual(listed.results);
    expect(packed.results[0]!.candidates!.map(({ id }) => id)).toEqual(library.search(query, { k: 4 }).ids);
    const byId = await client.searchBatch('listings', { ids: ['1', 'nobody'], k: 2 });
    expect(byId.results[0]!.candidates).toHaveLength(2);
    expect(byId.results[1]!.error).toMatchObject({ code: 'unknown_id' });
  });

  it('sends filters, seeds and everything else that a search may say, in JSON and raw', async () => {
    const terms: SearchTerms = {
      k: 5,
      ef: 50,
      filter: { price: { $gte: 10, $lt: 200 }, $not: { title: { $contains: '7' } } },
      exclude_ids: [3, '4'],
      crowding: { attribute: 'price', limit: 1 },
      min_score: -0.5,
      include: { attributes: ['price'], vectors: true },
      timeout_ms: 5_000,
      allow_partial: true,
      version: library.manifest.version,
      explain: true,
      why_not: [1, 'nobody'],
    };
    const json = await client.search('listings', { vector: query, ...terms });
    expect(json.candidates).toHaveLength(5);
    expect(asClient(library.search(query, { k: 5, explain: true }).explain!).shards).toHaveLength(1);
    expect(json.explain!.why_not!.map(({ id }) => id)).toEqual(['1', 'nobody']);
    const binary = await client.search('listings', { vector: query, ...terms }, { form: 'binary' });
    expect(binary.candidates).toEqual(json.candidates);
    const batch = await client.searchBatch('listings', { vectors: queries, ...terms }, { form: 'binary' });
    expect(batch.results).toHaveLength(3);
    expect(batch.results[0]!.candidates).toEqual(json.candidates);
    const seeds = [
      { id: 1, quota: 2 },
      { vector: query, weight: 2 },
    ];
    const { candidates } = await client.search('listings', { seeds, k: 4 });
    expect(candidates.map(({ seed }) => typeof seed)).toEqual(['number', 'number', 'number', 'number']);
    await expect(client.search('listings', { vector: query, filter: { prize: 1 } })).rejects.toMatchObject({
      code: 'bad_filter',
      details: { field: '/filter/prize' },
    });
  });

  it('sends options that are too long for a URL in JSON', async () => {
    const excluded = Array.from({ length: 5_000 }, (_, i) => `none-${i}`);
    const answer = await client.search('listings', { vector: query, exclude_ids: excluded, k: 2 }, { form: 'binary' });
    expect(answer.candidates.map(({ id }) => id)).toEqual(library.search(query, { k: 2 }).ids);
  });

  it('sends and reads Arrow streams', async () => {
    const arrow = encodeArrow('stream', { fields: [{ name: 'vector', type: lists, nullable: false }] }, [
      [columnOf(queries)],
    ]);
    const { results } = await client.searchBatch('listings', { arrow, k: 3 });
    expect(results.map(({ candidates }) => candidates!.length)).toEqual([3, 3, 3]);
    const table = tableFromIPC(await client.searchArrow('listings', { arrow, vector_column: 'vector', k: 3 }));
    const ids = [...(table.getChild('id') as Iterable<bigint>)].map(String);
    expect(ids).toEqual(results.flatMap(({ candidates }) => candidates!.map(({ id }) => id)));
    const one = tableFromIPC(await client.searchArrow('listings', { vector: query, k: 3 }, { form: 'binary' }));
    expect(one.numRows).toBe(3);
  });

  it('packs bodies where it is told to, and reads packed answers', async () => {
    const packing = new ShortlistClient(server.url, { gzipFrom: 1 });
    const request = { vector: query, k: 300, include: { attributes: true, vectors: true } } as const;
    const expected = await client.search('listings', request);
    expect((await packing.search('listings', request)).candidates).toEqual(expected.candidates);
    expect((await packing.search('listings', request, { form: 'binary' })).candidates).toEqual(expected.candidates);
  });

  it('knows the routes of operators', async () => {
    expect(await client.live()).toMatchObject({ status: 'live' });
    expect(await client.ready()).toMatchObject({ status: 'ready', indexes: [{ index: 'listings' }] });
    expect(await client.metrics()).toContain('shortlist_');
    expect(await client.openapi()).toHaveProperty('paths');
  });

  it('describes indexes and items', async () => {
    expect((await client.indexes()).map(({ index }) => index)).toEqual(['listings']);
    expect(await client.index('listings')).toMatchObject({ vectors: 300, dim: DIM, version: library.manifest.version });
    const item = await client.item('listings', 3, { attributes: ['price'], vectors: true });
    expect(item).toMatchObject({ id: '3', attributes: { price: 3.25 } });
    expect(Float32Array.from(item.vector!)).toEqual(library.vector('3'));
  });

  it('throws the server’s code, status, field and request id', async () => {
    const error = await client.search('listings', { vector: [1, 2], k: 3 }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ShortlistClientError);
    expect(error).toMatchObject({
      code: 'dimension_mismatch',
      status: 400,
      details: { field: '/vector_b64', expected: DIM, actual: 2 },
    });
    expect((error as ShortlistClientError).requestId).toMatch(/^[0-9a-f-]{36}$/);
    await expect(client.index('nothing')).rejects.toMatchObject({ code: 'unknown_index', status: 404 });
    await expect(client.item('listings', 'a/b?c')).rejects.toMatchObject({
      code: 'unknown_id',
      details: { id: 'a/b?c' },
    });
  });
});

describe('the client of a troubled server', () => {
  async function serve(listener: RequestListener): Promise<string> {
    const server: Server = createServer(listener).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const refuse =
    (retryAfter: string): RequestListener =>
    (_request, response) => {
      response.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': retryAfter });
      response.end(
        JSON.stringify({ status: 503, code: 'overloaded', detail: 'too much', title: 'Too much', request_id: 'r1' }),
      );
    };

  it('tries again after a 503, as long as it may', async () => {
    let calls = 0;
    const url = await serve((request, response) => {
      calls++;
      if (calls < 3) refuse('0')(request, response);
      else response.end('{"indexes":[]}');
    });
    expect(await new ShortlistClient(url).indexes()).toEqual([]);
    expect(calls).toBe(3);
    calls = 0;
    await expect(new ShortlistClient(url, { retries: 1 }).indexes()).rejects.toMatchObject({
      code: 'overloaded',
      status: 503,
      requestId: 'r1',
      retryAfterMs: 0,
    });
    expect(calls).toBe(2);
  });

  it('waits as long as Retry-After says, also where it is a date, and an abort ends the wait', async () => {
    const url = await serve((request, response) => {
      refuse(new Date(Date.now() + 4_000).toUTCString())(request, response);
    });
    const failure = await new ShortlistClient(url, { retries: 0 }).indexes().catch((caught: unknown) => caught);
    expect((failure as ShortlistClientError).retryAfterMs).toBeGreaterThan(2_000);
    expect((failure as ShortlistClientError).retryAfterMs).toBeLessThanOrEqual(4_000);
    const controller = new AbortController();
    const reason = new Error('not needed any more');
    setTimeout(() => controller.abort(reason), 50);
    await expect(new ShortlistClient(url).indexes({ signal: controller.signal })).rejects.toBe(reason);
    await expect(new ShortlistClient(await serve(refuse('0'))).ready()).rejects.toMatchObject({ code: 'overloaded' });
  });

  it('does not wait longer for a retry than its time limit allows', async () => {
    let calls = 0;
    const url = await serve((request, response) => {
      calls++;
      refuse('3')(request, response);
    });
    await expect(new ShortlistClient(url, { timeoutMs: 1_000 }).indexes()).rejects.toMatchObject({
      code: 'overloaded',
      retryAfterMs: 3_000,
    });
    expect(calls).toBe(1);
  });

  it('tries again when a connection breaks, and says network when it stays so', async () => {
    let calls = 0;
    const url = await serve((request, response) => {
      calls++;
      if (calls === 1) request.socket.destroy();
      else response.end('{"indexes":[]}');
    });
    expect(await new ShortlistClient(url).indexes()).toEqual([]);
    expect(calls).toBe(2);
    await expect(new ShortlistClient('http://127.0.0.1:1', { retries: 0 }).indexes()).rejects.toMatchObject({
      code: 'network',
      status: null,
    });
  });

  it('ends at its time limit, or when the caller aborts with the caller’s reason', async () => {
    const url = await serve(() => undefined);
    const client = new ShortlistClient(url);
    await expect(client.indexes({ timeoutMs: 50 })).rejects.toMatchObject({ code: 'timeout' });
    const controller = new AbortController();
    const reason = new Error('not needed any more');
    setTimeout(() => controller.abort(reason), 20);
    await expect(client.indexes({ signal: controller.signal })).rejects.toBe(reason);
    await expect(client.indexes({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('says bad_answer for what is neither an answer nor a problem', async () => {
    const html = await serve((_request, response) => response.end('<html>'));
    await expect(new ShortlistClient(html).indexes()).rejects.toMatchObject({ code: 'bad_answer', status: 200 });
    const proxy = await serve((_request, response) => response.writeHead(502).end('<html>'));
    await expect(new ShortlistClient(proxy).indexes()).rejects.toMatchObject({ code: 'bad_answer', status: 502 });
  });

  it('sends the headers that it was given', async () => {
    const url = await serve((request, response) =>
      response.end(JSON.stringify({ indexes: [request.headers['x-team']] })),
    );
    expect(await new ShortlistClient(url, { headers: { 'x-team': 'ranking' } }).indexes()).toEqual(['ranking']);
  });
});
