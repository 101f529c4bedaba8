import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openIndex, type OpenIndex, type SearchAnswer } from '../../../src/retrieve/library/open-index.js';
import { makeVectors, publishVersion, temporaryFolder } from '../../indexes.js';

const DIM = 8;
const QUERIES = 200;
const thrown = (code: string) => expect.objectContaining({ code }) as Error;

/** Without the times that explanations tell, and the searches that took them. */
const untimed = (answers: readonly SearchAnswer[]) =>
  answers.map(({ explain, ...answer }) => ({ ...answer, why_not: explain?.why_not }));

describe('openIndex', () => {
  const root = temporaryFolder();
  let index: OpenIndex;
  const queries = makeVectors(QUERIES, DIM, 99);
  const queryAt = (position: number) => queries.subarray(position * DIM, (position + 1) * DIM);
  beforeAll(async () => {
    await publishVersion(root, 'items', { rows: 500, dim: DIM, shards: 2, textIds: true });
    index = await openIndex(root, 'items', { threads: 2 });
  });
  afterAll(() => index.close());

  it('a batch answers each query as a single search does, to the bit', async () => {
    const singles = Array.from({ length: QUERIES }, (_, position) => index.search(queryAt(position), { k: 7 }));
    expect(await index.searchBatch(queries, { k: 7 })).toEqual(singles);
  });

  it('an exact batch answers as exact single searches do', async () => {
    const exact = await index.searchBatch(queries, { k: 7, exact: true });
    expect(exact).toEqual(
      Array.from({ length: QUERIES }, (_, position) => index.search(queryAt(position), { k: 7, exact: true })),
    );
  });

  it('a batch under a filter, with exclusions, crowding and questions answers as single searches do', async () => {
    for (const options of [
      { k: 7, filter: { price: { $lt: 100 } } },
      { k: 30, filter: { price: null }, excludeIds: ['item-5', 'item-10', 'item-11'] },
      { k: 7, crowding: { attribute: 'price', limit: 1 }, minScore: 0.1 },
      { k: 40, crowding: { attribute: 'generation', limit: 30 }, whyNot: ['item-1'] },
      { k: 40, filter: { title: { $contains: '1' } }, crowding: { attribute: 'generation', limit: 3 }, exact: true },
    ]) {
      const singles = Array.from({ length: QUERIES }, (_, position) => index.search(queryAt(position), options));
      expect(untimed(await index.searchBatch(queries, options))).toEqual(untimed(singles));
    }
  });

  it('refuses what JavaScript callers get wrong, with a code', async () => {
    const query = queryAt(0);
    const anything = (value: unknown) => value as never;
    for (const [code, call] of [
      ['unknown_field', () => openIndex(root, 'items', anything({ versoin: 'canary' }))],
      ['bad_field', () => openIndex(root, 'items', anything({ version: 5 }))],
      ['bad_field', () => openIndex(root, 'items', { threads: 0 })],
      ['bad_field', () => openIndex(root, 'items', anything(null))],
      ['bad_field', () => index.search(query, anything(null))],
      ['bad_field', () => index.search(query, anything(5))],
      ['bad_field', () => index.search(query, anything([]))],
      ['bad_filter', () => index.search(query, { filter: new Map([['price', { $lt: 1 }]]) })],
      ['bad_filter', () => index.search(query, { filter: { $and: [new Map()] } })],
      ['bad_filter', () => index.search(query, { filter: new Date() })],
      ['bad_field', () => index.searchById(anything(5))],
      ['bad_field', () => index.searchById(anything(undefined))],
      ['bad_field', () => index.vector(anything(5))],
      ['bad_field', () => index.attributes(anything(5))],
      ['bad_field', () => index.attributes('item-1', anything('name'))],
      ['unknown_attribute', () => index.attributes('item-1', ['no-such'])],
      ['bad_field', () => index.searchSeeds(anything(null))],
      ['bad_field', () => index.searchSeeds(anything([null]))],
      ['unknown_field', () => index.searchSeeds(anything([{ id: 'item-5', quoat: 1 }]))],
      ['bad_request', () => index.searchSeeds(anything([{ id: 'item-5', vector: query }]))],
      ['bad_request', () => index.searchSeeds(anything([{ weight: 1 }]))],
      ['bad_field', () => index.searchSeeds(anything([{ id: 5 }]))],
      ['bad_field', () => index.searchSeeds(anything([{ id: 'item-5', weight: '2' }]))],
    ] as const) {
      await expect((async () => call())(), `${code}: ${String(call)}`).rejects.toThrow(thrown(code));
    }
  });

  it('a search with seeds leaves them out and names the one that brought each candidate', () => {
    const seeds = [
      { id: 'item-7', quota: 3 },
      { vector: queryAt(1), weight: 0.5 },
    ];
    const { ids, seeds: brought, seedScores, scores } = index.searchSeeds(seeds, { k: 10 });
    expect(ids).toHaveLength(10);
    expect(ids).not.toContain('item-7');
    expect(brought!.filter((seed) => seed === 0)).toHaveLength(3);
    ids.forEach((id, i) => {
      const seed = brought![i]!;
      const own = index.search(seed === 0 ? index.vector('item-7') : queryAt(1), { k: 500 });
      expect(seedScores![i]).toBe(own.scores[own.ids.indexOf(id)]);
      expect(scores[i]).toBe(seed === 0 ? seedScores![i] : seedScores![i]! / 2);
    });
    expect(() => index.searchSeeds([])).toThrow(thrown('bad_field'));
    expect(() => index.searchSeeds([{ id: 'item-7', weight: 0 }])).toThrow(thrown('bad_field'));
    expect(() => index.searchSeeds([{ id: 'item-7', quota: 1.5 }])).toThrow(thrown('bad_field'));
    expect(() => index.searchSeeds([{ id: 'nobody' }])).toThrow(thrown('unknown_id'));
  });

  it('batches that overlap end in the order they came, each with its own answers', async () => {
    const ended: number[] = [];
    const batches = [1, 2, 3].map((k) => index.searchBatch(queries, { k }).then((answers) => (ended.push(k), answers)));
    const answers = await Promise.all(batches);
    expect(ended).toEqual([1, 2, 3]);
    expect(answers.map((batch) => batch[0]!.ids.length)).toEqual([1, 2, 3]);
  });

  it('tells how far a batch is, and ends at its size', async () => {
    const told: number[] = [];
    await index.searchBatch(queries, { onProgress: (done, total) => told.push(done / total) });
    expect(told.at(-1)).toBe(1);
    expect(told).toEqual([...told].sort((a, b) => a - b));
  });

  it('an empty batch has no answers', async () => expect(await index.searchBatch(new Float32Array(0))).toEqual([]));

  it('a bad vector fails the batch with its position, and the next batch works', async () => {
    const bad = queries.slice();
    bad[3 * DIM + 1] = NaN;
    await expect(index.searchBatch(bad)).rejects.toMatchObject({ code: 'vector_not_finite', details: { position: 3 } });
    await expect(index.searchBatch(queries.subarray(0, 3))).rejects.toThrow(thrown('dimension_mismatch'));
    expect(await index.searchBatch(queries)).toHaveLength(QUERIES);
  });

  it('searches by id without the item itself, and has its vector and attributes', () => {
    const answer = index.searchById('item-7', { k: 499 });
    expect(answer.ids).toHaveLength(499);
    expect(answer.ids).not.toContain('item-7');
    expect(index.attributes('item-7', ['title', 'price'])).toEqual({ title: 'title "7" ü', price: 7.25 });
    expect(Object.keys(index.attributes('item-5'))).toEqual(['title', 'price', 'generation']);
    expect(index.attributes('item-5')['price']).toBeNull();
    const vector = index.vector('item-7');
    expect(vector.reduce((sum, x) => sum + x * x, 0)).toBeCloseTo(1, 6);
    expect(index.search(vector, { k: 1 }).ids).toEqual(['item-7']);
  });

  it('refuses options that it does not know or that have another type, naming them', async () => {
    const query = queryAt(0);
    const search = (options: object) => () => index.search(query, options);
    expect(search({ timeoutMs: 5 })).toThrow(thrown('unsupported'));
    expect(search({ filter: { prize: 1 } })).toThrow(thrown('bad_filter'));
    expect(search({ crowding: { attribute: 'price' } })).toThrow(thrown('bad_field'));
    expect(search({ crowding: { attribute: 'shop', limit: 1 } })).toThrow(thrown('unknown_attribute'));
    expect(search({ plan: 'fast' })).toThrow(thrown('bad_field'));
    expect(search({ exclude_ids: ['item-1'] })).toThrow(thrown('unknown_field'));
    expect(search({ exclude_ids: [] })).toThrow('did you mean excludeIds');
    expect(search({ excludeIds: [5] })).toThrow(thrown('bad_field'));
    expect(search({ excludeIds: '5' })).toThrow(thrown('bad_field'));
    expect(search({ exact: 1 })).toThrow(thrown('bad_field'));
    expect(() => index.search([0.1] as unknown as Float32Array)).toThrow(thrown('bad_vector'));
    await expect(index.searchBatch(null as unknown as Float32Array)).rejects.toThrow(thrown('bad_vector'));
    await expect(openIndex(undefined as unknown as string, 'items')).rejects.toThrow(thrown('usage'));
  });

  it('says that it was closed', async () => {
    const other = await openIndex(root, 'items');
    await other.close();
    await other.close();
    expect(() => other.search(queryAt(0))).toThrow(thrown('not_ready'));
    await expect(other.searchBatch(queries)).rejects.toThrow(thrown('not_ready'));
  });

  it('names what does not exist', async () => {
    expect(() => index.searchById('nobody')).toThrow(thrown('unknown_id'));
    await expect(openIndex(root, 'nothing')).rejects.toThrow(thrown('index_not_found'));
    await expect(openIndex(root, 'items', { version: '20200101T000000Z-00000000' })).rejects.toThrow(
      thrown('version_not_found'),
    );
  });
});
