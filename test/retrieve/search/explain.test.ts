/** What `explain` and `why_not` say, and how deep shards are searched. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openExactSearch } from '../../../src/engine/exact-search.js';
import type { WhyNot } from '../../../src/wire/answers.js';
import type { LoadedVersion } from '../../../src/retrieve/load/loaded-version.js';
import { loadVersion } from '../../../src/retrieve/load/loaded-version.js';
import { askFor, askSeeds, beginLong, searchInTurns } from './in-turns.js';
import { localSearch, search, searchSeeds } from '../../../src/retrieve/search/run-search.js';
import { buildVectors, buildVersion, makeVectors, temporaryFolder } from '../../indexes.js';
import { expectedOf, openShop, type Shop } from '../shop.js';

const ROWS = 3_000;
const DIM = 8;

describe.each([1, 4])('an explained search of %d shards', (shards) => {
  let shop: Shop;
  let version: LoadedVersion;
  const query = makeVectors(1, DIM, 4);
  beforeAll(async () => {
    shop = await openShop(temporaryFolder(), 'shop', { rows: ROWS, dim: DIM, metric: 'l2', shards, engine: 'native', seed: 3 }); // prettier-ignore
    ({ version } = shop);
  });
  afterAll(() => version.close());

  const reasons = (whyNot: readonly WhyNot[]) => whyNot.map(({ reason }) => reason);

  it('says what each shard did and what the filter took, and answers the same', () => {
    const options = { k: 20, filter: { price: { $lt: 90 } } };
    const { explain, ...answer } = search(version, query, { ...options, explain: true });
    expect(answer).toEqual(search(version, query, options));
    const passed = shop.items.filter(({ price }) => price !== null && price < 90).length;
    expect(explain!.filter).toMatchObject({ passed, selectivity: passed / ROWS, cached: false });
    expect(search(version, query, { ...options, explain: true }).explain!.filter).toMatchObject({ cached: true });
    expect(explain!.ef).toBe(200);
    expect(new Set(explain!.shards.map(({ shard }) => shard)).size).toBe(shards);
    for (const shard of explain!.shards) {
      expect(shard.plan).not.toBe('auto');
      expect(shard.computed + shard.rows_passed).toBeGreaterThan(0);
      expect(shard.returned).toBeLessThanOrEqual(shard.k);
      expect(Math.max(...Object.values(shard.costs))).toBeGreaterThan(0);
    }
    const first = new Map(explain!.shards.map((shard) => [shard.shard, shard.rows_passed]));
    expect([...first.values()].reduce((sum, count) => sum + count, 0)).toBe(passed);
    expect(Object.values(explain!.stages).every((us) => us >= 0)).toBe(true);
  });

  it('takes the way that is asked for', () => {
    for (const plan of ['widened', 'two_hop', 'code_scan', 'exact_scan'] as const) {
      const { explain } = search(version, query, { k: 5, filter: { price: { $lt: 50 } }, plan, explain: true });
      expect(explain!.shards.map((shard) => shard.plan)).toEqual(explain!.shards.map(() => plan));
    }
  });

  it('names what removed each id, with its exact score and ranks', () => {
    const everything = expectedOf(shop, [{ query, weight: 1 }], { k: ROWS });
    const { ordinals } = everything;
    const passes = (ordinal: number) => shop.items[ordinal]!.shop !== 'large';
    const allowed = ordinals.filter((ordinal) => passes(ordinal) && ordinal !== ordinals[0]);
    const removed = ordinals.find((ordinal) => !passes(ordinal))!;
    const [late] = allowed.slice(200);
    const ids = [String(allowed[0]), 'nobody', String(ordinals[0]), String(removed), String(late)];
    const filter = { $and: [{ shop: { $nin: ['large'] } }] };
    const nulls = ordinals.filter((ordinal) => shop.items[ordinal]!.shop === null);
    const options = { k: 10, filter, excludeIds: [ids[2]!], whyNot: [...ids, String(nulls[0])] };
    const { explain } = search(version, query, options);
    const whyNot = explain!.why_not!;
    expect(reasons(whyNot).slice(0, 5)).toEqual([passesNull(allowed[0]!) ? 'filter' : null, 'unknown_id', 'excluded', 'filter', 'rank']); // prettier-ignore
    expect(whyNot[1]).toEqual({ id: 'nobody', found: false, reason: 'unknown_id' });
    expect(whyNot[3]).toMatchObject({
      found: false,
      score: everything.scores[ordinals.indexOf(removed)],
      rank: ordinals.indexOf(removed) + 1,
      removed_by: [{ path: '/filter/$and/0/shop/$nin', operator: '$nin', attribute: 'shop', value: 'large' }],
      excluded: false,
      shard: version.locate(removed).shard,
      reached: true,
    });
    const really = ordinals.filter((ordinal) => passes(ordinal) && !passesNull(ordinal) && ordinal !== ordinals[0]);
    expect(whyNot[4]).toMatchObject({ rank: ordinals.indexOf(late!) + 1, rank_allowed: really.indexOf(late!) + 1 });
    expect(whyNot[5]!.reason).toBe(nulls[0] === ordinals[0] ? 'excluded' : 'filter');
  });
  const passesNull = (ordinal: number) => shop.items[ordinal]!.shop === null;

  it('tells crowding, min_score and quotas from rank', () => {
    const { ordinals, scores } = expectedOf(shop, [{ query, weight: 1 }], { k: ROWS });
    const large = ordinals.filter((ordinal) => shop.items[ordinal]!.shop === 'large').map(String);
    const crowded = { k: 10, exact: true, crowding: { attribute: 'shop', limit: 1 }, whyNot: [large[1]!, large[0]!] };
    const first = search(version, query, crowded).explain!.why_not!;
    expect(reasons(first)).toEqual(['crowding', null]);
    expect(first[0]).toMatchObject({ crowded_by: 'large' });
    const low = search(version, query, { k: 10, minScore: scores[4]!, whyNot: [String(ordinals[7])] });
    expect(reasons(low.explain!.why_not!)).toEqual(['min_score']);
    const other = { query: makeVectors(1, DIM, 5), weight: 1 };
    const seeds = [{ query, weight: 1, quota: 2 }, other];
    const answer = searchSeeds(version, seeds, { k: 50, exact: true, whyNot: ordinals.slice(0, 20).map(String) });
    const wanted = expectedOf(shop, seeds, { k: 50 }).ordinals;
    for (const { id, found, reason } of answer.explain!.why_not!) {
      expect(found).toBe(wanted.includes(Number(id)));
      expect(reason).toSatisfy((told) => (found ? told === null : told === 'crowding' || told === 'rank'));
    }
    expect(answer.explain!.why_not!.map(({ reason }) => reason)).toContain('crowding');
    expect(answer.explain!.shards.map(({ seed }) => seed)).toContain(1);
  });

  it('counts a seed for an item only if the score with it is high enough, as the search does', () => {
    const other = makeVectors(1, DIM, 5);
    const seeds = [{ query, weight: 1_000 }, { query: other, weight: 1 }]; // prettier-ignore
    const minScore = expectedOf(shop, [{ query: other, weight: 1 }], { k: ROWS }).scores[150]!;
    const all = searchSeeds(version, seeds, { k: ROWS, exact: true, minScore });
    const whyNot = [...all.ordinals.slice(0, 40), ...all.ordinals.slice(-40)].map(String);
    const found = searchSeeds(version, seeds, { k: ROWS, exact: true, minScore, whyNot }).explain!.why_not!;
    for (const { id, score, rank, reason } of found) {
      const position = all.ordinals.indexOf(Number(id));
      expect({ score, rank, reason }).toEqual({ score: all.scores[position], rank: position + 1, reason: null });
    }
    const few = searchSeeds(version, seeds, { k: 1, exact: true, minScore, whyNot }).explain!.why_not!;
    expect(reasons(few)).toEqual(whyNot.map((id) => (Number(id) === all.ordinals[0] ? null : 'rank')));
    expect(all.seeds).toContain(1);
  });

  it('refuses more ids than it explains', () => {
    const whyNot = Array.from({ length: 101 }, String);
    expect(() => search(version, query, { k: 1, whyNot })).toThrow(expect.objectContaining({ code: 'bad_field' }));
  });
});

describe('searches that take their time', () => {
  let version: LoadedVersion;
  const pool = openExactSearch(1);
  const dim = 64;
  beforeAll(async () => {
    const root = temporaryFolder();
    version = await loadVersion(root, 'large', (await buildVersion(root, 'large', { rows: 17_000, dim })).version);
  });
  afterAll(async () => {
    version.close();
    await pool.close();
  });

  it('leave the scan behind why_not to a later turn, and end it when told', async () => {
    const query = version.vectorOf(9);
    const options = { k: 5, whyNot: ['3'] };
    const begun = beginLong(version, askFor(version, query, options));
    const soFar = begun.partialAnswer();
    expect(soFar.ordinals).toHaveLength(5);
    const found = [...soFar.ordinals].includes(version.ordinalOf('3'));
    expect(soFar.explain!.why_not).toMatchObject([{ id: '3', found, reason: found ? null : 'timeout' }]);
    const gone = AbortSignal.abort(new Error('gone'));
    await expect(begun.finish(pool, { signal: gone })).rejects.toThrow('gone');
    const finished = await begun.finish(pool);
    expect(finished.explain!.why_not).toEqual(search(version, query, options).explain!.why_not);
  });

  it('tell of every id what is known when time runs out, with one query and with seeds', () => {
    const self = 3;
    const [excluded, missed] = ['1', '7'];
    const options = { k: 10, whyNot: [excluded, missed, 'nobody'], excludeIds: [excluded] };
    const known = [
      { id: excluded, found: false, reason: 'excluded', excluded: true, removed_by: null },
      { id: missed, found: false, reason: 'timeout', excluded: false, removed_by: null },
      { id: 'nobody', found: false, reason: 'unknown_id' },
    ];
    const query = version.vectorOf(self);
    const { plan, queries } = askFor(version, query, options);
    const single = localSearch(version, { plan, queries, kind: 'single' }).partialAnswer().explain!.why_not!;
    expect(single).toMatchObject(known);
    expect(single[1]!.score).toBe(search(version, query, options).explain!.why_not![1]!.score);
    const seeds = askSeeds(version, [{ query, weight: 1, self }], options);
    const seeded = localSearch(version, seeds).partialAnswer();
    expect(seeded.quality.short).toBe('timeout');
    expect(seeded.explain!.why_not).toMatchObject(known);
  });

  it('give of several seeds what there is, where that is allowed', async () => {
    const seeds = Array.from({ length: 64 }, (_, self) => ({ query: version.vectorOf(self), weight: 1, self }));
    const asked = askSeeds(version, seeds, { k: 10, ef: 300 });
    const begun = beginLong(version, asked);
    const controller = new AbortController();
    const running = begun.finish(pool, { signal: controller.signal });
    controller.abort(new Error('late'));
    await expect(running).rejects.toThrow('late');
    const answer = begun.partialAnswer();
    expect(answer.quality).toMatchObject({ short: 'timeout', shards: { total: 1, answered: 0 } });
    expect(answer.ordinals).toHaveLength(10);
    const nobody = searchInTurns(version, pool, askSeeds(version, seeds, { k: 10, exact: true }), controller);
    await expect(nobody).rejects.toThrow('late');
  });
});

describe('shards that hold all of the best', () => {
  const rows = 2_000;
  const shards = 8;
  let version: LoadedVersion;
  beforeAll(async () => {
    const root = temporaryFolder();
    const placed = await loadVersion(
      root,
      'any',
      (await buildVersion(root, 'any', { rows, dim: DIM, shards })).version,
    );
    const vectors = makeVectors(rows, DIM, 6);
    // Rows of the first shard point one way, all others the other way.
    for (let row = 0; row < rows; row++) vectors[row * DIM] = placed.locate(row).shard === 0 ? 5 : -5;
    placed.close();
    version = await loadVersion(
      root,
      'lean',
      (await buildVectors(root, 'lean', { vectors, dim: DIM, shards })).version,
    );
  });
  afterAll(() => version.close());

  it('are searched deeper until they have given all that belongs into the answer', () => {
    const query = Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0);
    for (const k of [10, 100]) {
      const { explain, ...answer } = search(version, query, { k, explain: true });
      expect(answer.ordinals).toEqual(search(version, query, { k, exact: true }).ordinals);
      const searches = explain!.shards.filter(({ shard }) => shard === 0);
      expect(searches.at(-1)).toMatchObject({ k, returned: k });
      expect(searches.length).toBeGreaterThan(1);
      expect(explain!.shards).toHaveLength(shards - 1 + searches.length);
      expect(explain!.shards.find(({ shard }) => shard === 1)!.k).toBeLessThan(k);
    }
  });
});
