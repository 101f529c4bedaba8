/** Filters on a server: their time is bounded, and they go on between the searches of others. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publishVersion, temporaryFolder } from '../../indexes.js';
import { TestServer } from '../server.js';

interface Answer {
  readonly code?: string;
  readonly candidates: readonly { readonly id: string }[];
  readonly results: readonly Answer[];
  readonly quality: { readonly path: string; readonly ef: number | null; readonly selectivity: number; readonly short: string | null; readonly shards: object };
  readonly explain?: { readonly why_not?: readonly { readonly id: string; readonly reason: string }[] };
} // prettier-ignore

describe('a filter', () => {
  let server: TestServer;
  const root = temporaryFolder();
  const vector = [1, 2, 3, 4, 5, 6, 7, 8];

  beforeAll(async () => {
    await publishVersion(root, 'listings', { rows: 3_000, shards: 2 });
    server = await TestServer.start(root, ['--workers', '1']);
  });
  afterAll(async () => expect(await server.stop()).toBe(0));

  async function search(body: object): Promise<{ status: number; body: Answer }> {
    const response = await server.search({ vector, k: 5, ...body });
    return { status: response.status, body: (await response.json()) as Answer };
  }

  /** As often as the worker says that it has too much to do. */
  async function searchUntilLetIn(body: object): ReturnType<typeof search> {
    for (;;) {
      const answer = await search(body);
      if (answer.body.code !== 'overloaded') return answer;
    }
  }

  /** A different one each time, so that none is known. */
  let made = 0;
  const makeFilter = () => ({
    $or: Array.from({ length: 200 }, (_, i) => ({ title: { $contains: `"${i}${made++ % 10}` } })),
  });
  const late = { timeout_ms: 0.001 };

  it('that takes longer than the time limit ends as deadline_exceeded', async () => {
    for (const query of [{}, { vector: undefined, seeds: [{ id: '1' }] }, { exact: true }]) {
      const { status, body } = await search({ ...query, filter: makeFilter(), ...late });
      expect(status).toBe(504);
      expect(body.code).toBe('deadline_exceeded');
    }
  });

  it('that was not applied in time leaves a partial answer without candidates, which says so', async () => {
    const timeout = { short: 'timeout', selectivity: 0, shards: { total: 2, answered: 0 } };
    const partial = { filter: makeFilter(), ...late, allow_partial: true };
    const one = await search({ ...partial, why_not: ['7', 'nobody'] });
    expect(one).toMatchObject({
      status: 200,
      body: { candidates: [], quality: { path: 'filtered-graph', ...timeout } },
    });
    expect(one.body.explain!.why_not!.map(({ reason }) => reason)).toEqual(['timeout', 'unknown_id']);
    const exact = await search({ ...partial, exact: true });
    expect(exact.body.quality).toMatchObject({ path: 'exact', ef: null, ...timeout });
    const seeded = await search({ ...partial, vector: undefined, seeds: [{ id: '1' }, { id: '2' }] });
    expect(seeded).toMatchObject({ status: 200, body: { candidates: [], quality: timeout } });
    const batch = await search({ ...partial, vector: undefined, ids: ['1', '2'] });
    expect(batch.body.results).toHaveLength(2);
    for (const result of batch.body.results) expect(result).toMatchObject({ candidates: [], quality: timeout });
  });

  it('that is wrong is refused whatever the time', async () => {
    const { status, body } = await search({ filter: { titel: 'x' } });
    expect(status).toBe(400);
    expect(body.code).toBe('bad_filter');
  });

  it('by ids, with what else a search says', async () => {
    const { body } = await search({ filter: { id: { $in: ['5', 9, 'nobody', '12'] } }, exclude_ids: ['9'] });
    expect(body.candidates.map(({ id }) => id).sort()).toEqual(['12', '5']);
    const crowded = await search({ filter: { id: { $nin: ['1'] } }, crowding: { attribute: 'generation', limit: 2 } });
    expect(crowded.body.candidates).toHaveLength(2);
    const wrong = await search({ crowding: { attribute: 'id', limit: 1 } });
    expect(wrong.body.code).toBe('unknown_attribute');
  });

  it('is answered alike while many others are', async () => {
    const filters = Array.from({ length: 40 }, (_, i) =>
      i % 2 === 0 ? makeFilter() : { price: { $lt: 40 * i + 0.5 }, title: { $contains: '7' } },
    );
    const together = await Promise.all(filters.map((filter) => searchUntilLetIn({ filter })));
    for (const [i, filter] of filters.entries()) {
      const alone = await search({ filter });
      expect(together[i]!.body.candidates, JSON.stringify(filter)).toEqual(alone.body.candidates);
    }
  });
});
