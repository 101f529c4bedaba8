import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeVectors, publishVersion, temporaryFolder } from '../../indexes.js';
import { TestServer, waitFor } from '../server.js';

const DIM = 64;
const ROWS = 12_000;

interface Quality {
  readonly path: string;
  readonly ef: number | null;
  readonly short: string | null;
  readonly shards: { readonly total: number; readonly answered: number };
}

interface Result {
  readonly candidates: readonly { readonly id: string }[];
  readonly quality: Quality;
  readonly error?: { readonly code: string };
}

describe("a request's own time limit", () => {
  let server: TestServer;
  const root = temporaryFolder();
  const query = Array.from(makeVectors(1, DIM, 7));

  beforeAll(async () => {
    await publishVersion(root, 'listings', { rows: ROWS, dim: DIM, shards: 3 });
    server = await TestServer.start(root, ['--workers', '1']);
  });
  afterAll(async () => expect(await server.stop()).toBe(0));

  const ids = (count: number) => Array.from({ length: count }, (_, id) => String(id));
  /** Some seconds of scanning on one thread. */
  const scan = { ids: ids(1024), k: 100, exact: true };
  /** Some tenths of a second of graph searches. */
  const walk = { ids: ids(1024), k: 100, ef: 3_000 };

  async function search(body: object): Promise<{ status: number; body: Result & { results: Result[]; code: string } }> {
    const response = await server.search(body);
    return { status: response.status, body: (await response.json()) as Result & { results: Result[]; code: string } };
  }

  it('changes nothing where time suffices', async () => {
    const plain = await search({ vector: query, k: 5 });
    for (const more of [{ timeout_ms: 60_000 }, { timeout_ms: 60_000, allow_partial: true }, { allow_partial: true }]) {
      for (const exact of [false, true]) {
        const limited = await search({ vector: query, k: 5, exact, ...more });
        expect(limited.status).toBe(200);
        expect(limited.body.quality).toMatchObject({ short: null, shards: { total: 3, answered: 3 } });
        expect(limited.body.candidates).toHaveLength(5);
      }
    }
    expect(plain.status).toBe(200);
  });

  it.each([
    ['a batch of scans', scan],
    ['a batch of graph searches', walk],
  ])('ends %s as deadline_exceeded', async (_what, body) => {
    const { status, body: problem } = await search({ ...body, timeout_ms: 20 });
    expect(status).toBe(504);
    expect(problem.code).toBe('deadline_exceeded');
    await idle();
  });

  it.each([
    ['a batch of scans', scan],
    ['a batch of graph searches', walk],
  ])('gives what %s has found, and empty answers for the rest', async (_what, body) => {
    const { status, body: answer } = await search({ ...body, timeout_ms: 60, allow_partial: true });
    expect(status).toBe(200);
    expect(answer.results).toHaveLength(1024);
    const answered = answer.results.filter(({ quality }) => quality.short === null);
    const rest = answer.results.filter(({ quality }) => quality.short === 'timeout');
    expect(answered.length + rest.length).toBe(1024);
    expect(rest.length).toBeGreaterThan(0);
    for (const { candidates } of answered) expect(candidates).toHaveLength(100);
    const unanswered = { candidates: [], quality: { short: 'timeout', shards: { total: 3, answered: 0 } } };
    for (const one of rest) {
      // Some shards of a query may have answered when time ran out.
      expect(one.quality.shards.answered).toBeLessThan(3);
      if (one.quality.shards.answered === 0) expect(one).toMatchObject(unanswered);
    }
    // Those that were answered are those that would have been.
    const first = answered.slice(0, 3);
    const whole = await search({ ...body, ids: ids(1024).slice(0, first.length) });
    expect(first).toEqual(whole.body.results);
    await idle();
  });

  it('says of an unanswered query which way it would have gone', async () => {
    const paths = async (body: object) =>
      (await search({ ...body, timeout_ms: 1, allow_partial: true })).body.results.at(-1)!.quality;
    expect(await paths(scan)).toMatchObject({ path: 'exact', ef: null, short: 'timeout' });
    expect(await paths(walk)).toMatchObject({ path: 'graph', ef: 3_000, short: 'timeout' });
    await idle();
  });

  it('still fails unknown ids of a batch alone', async () => {
    const body = { ...walk, ids: [...ids(1000), 'nobody'], timeout_ms: 1, allow_partial: true };
    const { results } = (await search(body)).body;
    expect(results.at(-1)!.error).toMatchObject({ code: 'unknown_id' });
  });

  it('answers one query with the shards that are scanned by then, or none', async () => {
    for (let round = 0; round < 20; round++) {
      const { status, body } = await search({
        vector: query,
        k: 10,
        exact: true,
        timeout_ms: 0.01,
        allow_partial: true,
      });
      expect(status).toBe(200);
      const { short, shards } = body.quality;
      expect(short).toBe(shards.answered === 3 ? null : 'timeout');
      expect(body.candidates.length).toBe(shards.answered === 0 ? 0 : 10);
    }
  });

  it('holds for bytes in the query string too', async () => {
    const bytes = new Uint8Array(makeVectors(1024, DIM, 3).buffer);
    const headers = { 'content-type': 'application/octet-stream' };
    const path = '/v1/indexes/listings/search?batch=true&exact=true&k=100&timeout_ms=10';
    expect((await server.post(path, bytes, headers)).status).toBe(504);
    const partial = await server.post(`${path}&allow_partial=true`, bytes, headers);
    expect(partial.status).toBe(200);
    const { results } = (await partial.json()) as { results: Result[] };
    expect(results.at(-1)!.quality.short).toBe('timeout');
  });

  /** What was given up has ended, and holds nothing any more. */
  async function idle(): Promise<void> {
    await waitFor('all work to end', async () => {
      const page = await (await server.get('/metrics')).text();
      const isIdle = page.includes('shortlist_requests_in_flight 0') && page.includes('shortlist_buffered_bytes 0');
      return isIdle ? true : undefined;
    });
  }
});
