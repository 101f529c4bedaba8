/** Filters, seeds, crowding and explanations, the same in every form that carries them. What they mean is tested in test/retrieve. */
import { tableFromIPC, type Table } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openIndex, type OpenIndex } from '../../../src/retrieve/library/open-index.js';
import { encodeQueries } from '../../fuzz/catalog.js';
import { makeVectors, publishVersion, temporaryFolder } from '../../indexes.js';
import { TestServer } from '../server.js';

const DIM = 8;
const ARROW = 'application/vnd.apache.arrow.stream';
const ROUTE = '/v1/indexes/listings/search';

interface Result {
  readonly candidates: { id: string; score: number; seed?: number; seed_score?: number; attributes?: { price: number } }[];
  readonly quality: { path: string; selectivity: number; short: string | null };
  readonly explain?: {
    readonly shards: { shard: number; seed?: number }[];
    readonly filter: { passed: number; cached: boolean } | null;
    readonly why_not?: { id: string; found: boolean; reason: string | null; score?: number; rank?: number }[];
  };
  readonly results: Result[];
} // prettier-ignore

describe('searches that say more than a vector', () => {
  let server: TestServer;
  let library: OpenIndex;
  const queries = makeVectors(3, DIM, 55);
  const vector = queries.slice(0, DIM);
  const filter = { price: { $gte: 100, $lt: 300 }, $or: [{ title: { $contains: '1' } }, { generation: 'nothing' }] };

  beforeAll(async () => {
    const root = temporaryFolder();
    await publishVersion(root, 'listings', { dim: DIM, rows: 900, shards: 2 });
    library = await openIndex(root, 'listings');
    server = await TestServer.start(root, ['--workers', '1']);
  });
  afterAll(async () => {
    await library.close();
    expect(await server.stop()).toBe(0);
  });

  async function ask(body: unknown): Promise<Result> {
    const response = await server.search(body);
    expect(response.status, await response.clone().text()).toBe(200);
    return (await response.json()) as Result;
  }

  const bytes = (values: Float32Array) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

  it('filter: as the library answers it, in JSON, raw bytes and Arrow', async () => {
    const expected = library.search(vector, { k: 20, filter });
    const json = await ask({ vector: [...vector], k: 20, filter, include: { attributes: ['price'] } });
    expect(json.candidates.map(({ id }) => id)).toEqual(expected.ids);
    expect(json.quality).toEqual(expected.quality);
    expect(json.quality.selectivity).toBeLessThan(0.3);
    for (const { id, attributes } of json.candidates) {
      expect(attributes!.price).toBeGreaterThanOrEqual(100);
      expect(attributes!.price).toBeLessThan(300);
      expect(id).toContain('1');
    }
    const parameters = `?k=20&filter=${encodeURIComponent(JSON.stringify(filter))}`;
    const forms = [
      ['application/octet-stream', bytes(vector)],
      [ARROW, encodeQueries(vector)],
    ] as const;
    for (const [type, body] of forms) {
      const answer = (await (await server.post(ROUTE + parameters, body, { 'content-type': type })).json()) as Result;
      expect(answer.candidates.map(({ id }) => id)).toEqual(expected.ids);
      expect(answer.quality).toEqual(expected.quality);
    }
  });

  it('filter: holds for every query of a batch, and for none of its neighbours', async () => {
    const batch = await ask({ vectors_b64: Buffer.from(bytes(queries)).toString('base64'), k: 5, filter });
    expect(batch.results).toHaveLength(3);
    for (const [i, { candidates }] of batch.results.entries()) {
      const expected = library.search(queries.slice(i * DIM, (i + 1) * DIM), { k: 5, filter });
      expect(candidates.map(({ id }) => id)).toEqual(expected.ids);
    }
    const plain = await ask({ vector: [...vector], k: 20 });
    expect(plain.candidates.map(({ id }) => id)).toEqual(library.search(vector, { k: 20 }).ids);
  });

  it('seeds: each candidate says which seed brought it, in JSON and in columns of their own', async () => {
    const body = { seeds: [{ id: '7' }, { vector: [...vector], weight: 2, quota: 3 }, { id: 8, weight: 0.5 }], k: 10 };
    const { candidates, explain } = await ask({ ...body, explain: true });
    expect(candidates).toHaveLength(10);
    expect(candidates.filter(({ seed }) => seed === 1)).toHaveLength(3);
    for (const { id, score, seed, seed_score: own } of candidates) {
      expect(['7', '8']).not.toContain(id);
      const weight = [1, 2, 0.5][seed!]!;
      expect(Math.fround(score)).toBe(Math.fround(own! >= 0 ? own! * weight : own! / weight));
    }
    expect(new Set(explain!.shards.map(({ seed }) => seed))).toEqual(new Set([0, 1, 2]));
    const include = { attributes: ['price'] };
    const table = await readTable(await server.post(ROUTE, { ...body, include }, { accept: ARROW }));
    expect(table.schema.fields.map(({ name, type }) => `${name}: ${String(type)}`)).toEqual([
      'query: Int32', 'id: Int64', 'score: Float32', 'seed: Int32', 'seed_score: Float32', 'price: Float64',
    ]); // prettier-ignore
    expect([...(table.getChild('seed') as Iterable<number>)]).toEqual(candidates.map(({ seed }) => seed));
    expect([...(table.getChild('seed_score') as Iterable<number>)]).toEqual(
      candidates.map(({ seed_score: own }) => Math.fround(own!)),
    );
  });

  it('crowding: in the body and in the query string', async () => {
    const crowding = { attribute: 'generation', limit: 2 };
    const json = await ask({ vector: [...vector], k: 5, crowding });
    expect(json.candidates).toHaveLength(2);
    expect(json.quality.short).toBe('crowding');
    const parameters = '?k=5&crowding.attribute=generation&crowding.limit=2';
    const binary = await server.post(ROUTE + parameters, bytes(vector), { 'content-type': 'application/octet-stream' });
    expect(((await binary.json()) as Result).candidates).toEqual(json.candidates);
  });

  it('explain: what was done, and why ids did not come back, with scores as candidates have them', async () => {
    const { candidates } = await ask({ vector: [...vector], k: 3 });
    const first = candidates[0]!;
    const body = { vector: [...vector], k: 3, filter: { title: { $ne: `title "${first.id}" ü` } } };
    const why = [first.id, candidates[1]!.id, 'nobody'];
    const { explain } = await ask({ ...body, why_not: why });
    expect(explain!.filter).toMatchObject({ passed: 899 });
    expect(explain!.shards.map(({ shard }) => shard)).toEqual(expect.arrayContaining([0, 1]));
    expect(explain!.why_not).toMatchObject([
      { id: first.id, found: false, reason: 'filter', score: first.score, rank: 1 },
      { id: candidates[1]!.id, found: true, reason: null },
      { id: 'nobody', found: false, reason: 'unknown_id' },
    ]);
    expect((await ask(body)).explain).toBeUndefined();
    const table = await readTable(
      await server.post(ROUTE, { ids: ['1', 'nobody', '2'], k: 2, explain: true }, { accept: ARROW }),
    );
    const explains = JSON.parse(table.schema.metadata.get('explain')!) as (object | null)[];
    expect(explains.map((one) => one !== null)).toEqual([true, false, true]);
  });

  it('deadlines: seeds are answered with what there is, explained as far as it goes, or not at all', async () => {
    const seeds = Array.from({ length: 100 }, (_, id) => ({ id: String(id) }));
    const late = { seeds, exact: true, timeout_ms: 0.001, explain: true };
    expect((await server.search(late)).status).toBe(504);
    const { quality, explain } = await ask({ ...late, allow_partial: true });
    expect(quality.short).toBe('timeout');
    expect(explain!.shards.length).toBeLessThan(200);
  });
});

async function readTable(response: Response): Promise<Table> {
  expect(response.status).toBe(200);
  return tableFromIPC(new Uint8Array(await response.arrayBuffer()));
}
