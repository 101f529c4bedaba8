/** A gateway answers as one process over the same version does: ids, scores, order, attributes, quality, errors. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tableFromIPC } from 'apache-arrow';
import { seededRandom } from '../../../src/base/random.js';
import { publish } from '../../../src/version/state/publish.js';
import { openShop, FILTERS } from '../../retrieve/shop.js';
import { publishVersion, temporaryFolder } from '../../indexes.js';
import { ask, startFleet, type TestFleet } from './fleet.js';

const DIM = 8;
const ROWS = 2_000;

describe.each(['cosine', 'l2'] as const)('a gateway over three servers (%s)', (metric) => {
  const root = temporaryFolder();
  const random = seededRandom(metric.length);
  let fleet: TestFleet;

  beforeAll(async () => {
    const spec = { rows: ROWS, dim: DIM, metric, shards: 4, engine: 'native', seed: 3, ...(metric === 'l2' && { grid: 2 }) } as const; // prettier-ignore
    const { version } = await openShop(root, 'shop', spec);
    version.close();
    await publish(root, 'shop', version.manifest.version);
    fleet = await startFleet(root, ['0', '1-2', '3']);
  });
  afterAll(() => fleet.stop());

  const vector = () => Array.from({ length: DIM }, () => random() * 2 - 1);
  const id = () => String(Math.floor(random() * ROWS));
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const ids = (count: number) => Array.from({ length: count }, id);

  /** @returns the status of both */
  async function expectEqual(body: Record<string, unknown>): Promise<number> {
    const [whole, joined] = await Promise.all([ask(fleet.whole, body), ask(fleet.gateway, body)]);
    expect(joined, JSON.stringify(body)).toEqual(whole);
    return whole.status;
  }

  /** Parts of requests, each of which is present or not. */
  const options = (): Record<string, unknown> => ({
    k: pick([1, 7, 40, 300]),
    ...(random() < 0.5 && { filter: pick(FILTERS).json }),
    ...(random() < 0.3 && { exclude_ids: [...ids(20), 'nobody'] }),
    ...(random() < 0.3 && { include: pick([{ attributes: true }, { attributes: ['price'], vectors: true }]) }),
    ...(random() < 0.2 && { min_score: metric === 'l2' ? -1.5 : 0.3 }),
    ...(random() < 0.2 ? { exact: true } : random() < 0.4 && { ef: pick([10, 120]) }),
    ...(random() < 0.3 && { crowding: { attribute: pick(['shop', 'price']), limit: pick([1, 3]) } }),
    ...(random() < 0.2 && { explain: true }),
    ...(random() < 0.1 && { why_not: [...ids(2), 'nobody'] }),
  });

  const queries = (): Record<string, unknown> =>
    pick([
      () => ({ vector: vector() }),
      () => ({ id: id() }),
      () => ({ vectors: [vector(), vector(), [1]] }),
      () => ({ ids: [...ids(3), 'nobody'] }),
      () => ({ seeds: [{ id: id() }, { vector: vector(), weight: 0.5 }, { id: id(), weight: 2, quota: 1 }] }),
    ])();

  it('gives the same answers to plain queries', async () => {
    for (const k of [1, 10, 100, 1000, 5000]) await expectEqual({ vector: vector(), k });
    await expectEqual({ id: '7', k: 50 });
    await expectEqual({ vectors: [vector(), vector()], k: 50, include: { attributes: true, vectors: true } });
  });

  it('gives the same answers to whatever is combined', async () => {
    const statuses: number[] = [];
    for (let run = 0; run < 150; run++) statuses.push(await expectEqual({ ...queries(), ...options() }));
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(75);
  });

  it.each([
    { vector: [1, 2], k: 3 },
    { id: 'nobody' },
    { vector: Array(DIM).fill(1), filter: { nothing: 1 } },
    { vector: Array(DIM).fill(1), filter: { price: { $gt: 'x' } } },
    { vector: Array(DIM).fill(1), crowding: { attribute: 'nothing', limit: 1 } },
    { vector: Array(DIM).fill(1), include: { attributes: ['nothing'] } },
    { vector: Array(DIM).fill(1), target_recall: 0.9999999 },
    { vector: Array(DIM).fill(1), version: '20200101T000000Z-00000000' },
    { seeds: [{ id: 'nobody' }] },
    { seeds: [{ id: '1', quota: 9 }], k: 5 },
    { vector: Array(DIM).fill(1), filter: { price: 1000 }, include: { attributes: true } },
  ])('refuses and answers alike: %j', async (body) => {
    await expectEqual(body);
  });

  it('writes the same Arrow answers', async () => {
    const asks = [
      { vectors: [vector(), vector()], k: 30, include: { attributes: true, vectors: true } },
      { seeds: [{ id: '5' }, { id: '6' }], k: 20 },
      { vector: vector(), k: 5, filter: { price: 1000 }, include: { attributes: true } },
    ];
    for (const body of asks) {
      const read = async (server: TestFleet['whole']) => {
        const answer = await server.post('/v1/indexes/shop/search', body, { accept: 'application/vnd.apache.arrow.stream' });
        expect(answer.status).toBe(200);
        return Buffer.from(await answer.arrayBuffer());
      }; // prettier-ignore
      const [whole, joined] = await Promise.all([read(fleet.whole), read(fleet.gateway)]);
      expect(tableOf(joined)).toEqual(tableOf(whole));
    }
  });

  it('shows an index and an item as a server does', async () => {
    for (const path of ['/v1/indexes/shop/items/17?include.vectors=true', '/v1/indexes/shop/items/nobody', '/v1/indexes/none']) {
      const [whole, joined] = await Promise.all([fleet.whole.get(path), fleet.gateway.get(path)]);
      expect(joined.status).toBe(whole.status);
      const drop = (body: object) => Object.entries(body).filter(([name]) => !['request_id', 'age_seconds'].includes(name));
      expect(drop((await joined.json()) as object)).toEqual(drop((await whole.json()) as object));
    } // prettier-ignore
    const described = (await (await fleet.gateway.get('/v1/indexes/shop')).json()) as Record<string, unknown>;
    expect(described).toMatchObject({ index: 'shop', vectors: ROWS, dim: DIM, shards: 4 });
  });
});

it('a gateway gives the same answers where ids are texts and requests are bytes or Arrow', async () => {
  const root = temporaryFolder();
  await publishVersion(root, 'shop', { rows: 500, dim: DIM, shards: 2, textIds: true, metric: 'ip' });
  const fleet = await startFleet(root, ['0', '1']);
  try {
    const bodies = [
      { id: 'item-7', k: 20, include: { attributes: ['title'] } },
      { ids: ['item-1', 'item-2', 'none'], k: 4, exclude_ids: ['item-3'] },
      { seeds: [{ id: 'item-9' }, { id: 'item-8' }], k: 9, filter: { id: { $nin: ['item-8'] } } },
      { vectors: Array.from({ length: 300 }, (_, i) => Array.from({ length: DIM }, (_, c) => Math.sin(i + c))), k: 40 },
    ];
    for (const body of bodies) expect(await ask(fleet.gateway, body)).toEqual(await ask(fleet.whole, body));
    const bytes = new Uint8Array(Float32Array.from({ length: 2 * DIM }, (_, i) => i).buffer);
    const post = async (server: TestFleet['whole']) => {
      const type = { 'content-type': 'application/octet-stream', accept: 'application/vnd.apache.arrow.stream' };
      const answer = await server.post('/v1/indexes/shop/search?batch=true&k=30&include.attributes=price', bytes, type);
      return tableOf(Buffer.from(await answer.arrayBuffer()));
    };
    expect(await post(fleet.gateway)).toEqual(await post(fleet.whole));
  } finally {
    await fleet.stop();
  }
});

function tableOf(bytes: Buffer): unknown {
  const table = tableFromIPC(bytes);
  const metadata = [...table.schema.metadata].filter(([name]) => name !== 'took_ms');
  return {
    rows: table
      .toArray()
      .map((row) => JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))),
    fields: table.schema.fields.map(String),
    metadata,
  };
}
