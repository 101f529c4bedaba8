import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ShortlistClient, ShortlistClientError } from '../../src/client/client.js';
import { openIndex, type OpenIndex } from '../../src/retrieve/open-index.js';
import { makeVectors, publishVersion, temporaryFolder } from '../indexes.js';
import { TestServer } from '../serve/server.js';

const DIM = 16;

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
