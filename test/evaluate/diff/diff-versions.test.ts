/** The differences between real versions: what is counted, and that each count means what it says. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileQueries, sampledQueries, type DiffQueries } from '../../../src/evaluate/diff/diff-queries.js';
import { diffVersions, type VersionDiff } from '../../../src/evaluate/diff/diff-versions.js';
import { chooseReadable } from '../../../src/evaluate/diff/readable-attributes.js';
import { queryAt } from '../../../src/evaluate/queries.js';
import { loadVersion, type LoadedVersion } from '../../../src/retrieve/load/loaded-version.js';
import { search } from '../../../src/retrieve/search/run-search.js';
import { temporaryFolder, makeVectors } from '../../indexes.js';
import { blur, buildItems, makeItems, rotate, SHOPS, type Item } from './shops.js';

const root = temporaryFolder();
const DIM = 8;
const ITEMS = makeItems(400, DIM, 1);
/** Without the items 0 to 39, with 60 new ones. */
const CHURNED: Item[] = [...ITEMS.slice(40), ...makeItems(60, DIM, 2, 1000)];
const opened: LoadedVersion[] = [];
let [base, same, churned, blurred]: LoadedVersion[] = [];

async function open(index: string, items: readonly Item[], more = {}): Promise<LoadedVersion> {
  const version = await loadVersion(root, index, await buildItems(root, index, items, more));
  opened.push(version);
  return version;
}

beforeAll(async () => {
  base = await open('shops', ITEMS);
  same = await open('shops', ITEMS);
  churned = await open('shops', CHURNED);
  blurred = await open('shops', blur(ITEMS, 0.5));
});
afterAll(() => opened.forEach((version) => version.close()));

const sampleOf = (before: LoadedVersion, after: LoadedVersion, size = 60): Promise<DiffQueries> =>
  sampledQueries(before, after, { size, seed: 42 });

async function diff(before: LoadedVersion, after: LoadedVersion, more = {}): Promise<VersionDiff> {
  const options = { ks: [5, 20], attributes: ['shop', 'handmade'], include: ['title', 'shop'], ...more };
  return diffVersions(before, after, await sampleOf(before, after), options);
}

/** Answers of the plain search, one after the other on this thread. */
function answersOf(version: LoadedVersion, queries: DiffQueries, side: 'before' | 'after', k: number): string[][] {
  return Array.from({ length: queries[side].count }, (_, position) => {
    const self = queries.selfOrdinals?.[side][position] ?? -1;
    const query = queryAt(queries[side], position, DIM);
    return version.ids.texts(search(version, query, { k }, self < 0 ? undefined : self).ordinals);
  });
}

describe('a version and itself', () => {
  it('have an overlap of 1 at every k, no change of rank or score, and nothing that entered or left', async () => {
    for (const other of [base!, same!]) {
      const found = await diff(base!, other);
      for (const point of found.points) {
        expect(point).toMatchObject({ overlap: 1, overlap_p5: 1, overlap_p50: 1, below_half: 0, same_order: 60 });
        expect(point).toMatchObject({ rank_biased_overlap: 1, rank_shift: { mean: 0, p50: 0, p95: 0 } });
        const none = { mean: 0, p5: 0, p50: 0, p95: 0 };
        expect(point).toMatchObject({ score_shift: none, last_score_shift: none });
        expect(point.overlap_counts).toEqual([...new Array<number>(19).fill(0), 60]);
      }
      const nothing = { total: 0, places: 0, ids: [] };
      expect(found).toMatchObject({ queries: 60, same_first: 60, entered: nothing, left: nothing });
      expect(found).toMatchObject({ changed_queries: [], winners: [], losers: [], changed_places: { total: 0, by_catalogue: 1 } }); // prettier-ignore
      expect(found.values.flatMap(({ values }) => values.map(({ change }) => change))).toEqual([0, 0, 0, 0, 0, 0]);
      expect(found.sampled).toEqual({ from: 30, to: 30 });
    }
  });
});

describe('a catalogue with removed and new items', () => {
  it('is counted as the answers of the plain search are', async () => {
    const queries = await sampleOf(base!, churned!);
    const found = await diffVersions(base!, churned!, queries, { ks: [20] });
    const [old, fresh] = [answersOf(base!, queries, 'before', 20), answersOf(churned!, queries, 'after', 20)];
    const overlaps = old.map((ids, i) => ids.filter((id) => fresh[i]!.includes(id)).length / 20);
    expect(found.points[0]!.overlap).toBeCloseTo(overlaps.reduce((sum, each) => sum + each, 0) / overlaps.length, 12);
    const count = (ids: string[][], other: string[][]): Map<string, number> => {
      const counts = new Map<string, number>();
      for (const [i, own] of ids.entries())
        for (const id of own) if (!other[i]!.includes(id)) counts.set(id, (counts.get(id) ?? 0) + 1);
      return counts;
    };
    const [entered, left] = [count(fresh, old), count(old, fresh)];
    expect(found.entered).toMatchObject({ total: entered.size, places: sum(entered.values()) });
    expect(found.left).toMatchObject({ total: left.size, places: sum(left.values()) });
    for (const { id, queries: times } of found.entered.ids) expect(entered.get(id)).toBe(times);
    for (const { id, queries: times } of found.left.ids) expect(left.get(id)).toBe(times);
  });

  it('tells removed ids from those that were pushed out, and new ids from those that were there', async () => {
    const found = await diff(base!, churned!);
    const isNew = (id: string): boolean => Number(id) >= 1000;
    const isGone = (id: string): boolean => Number(id) < 40;
    expect(found.entered.by.catalogue.ids).toBeGreaterThan(0);
    expect(found.left.by.catalogue.ids).toBeGreaterThan(0);
    for (const { id, cause } of found.entered.ids) expect(cause === 'catalogue').toBe(isNew(id));
    for (const { id, cause } of found.left.ids) expect(cause === 'catalogue').toBe(isGone(id));
    for (const { entered, left } of found.changed_queries) {
      for (const { id, cause } of entered.ids) expect(cause === 'catalogue').toBe(isNew(id));
      for (const { id, cause } of left.ids) expect(cause === 'catalogue').toBe(isGone(id));
    }
    expect(found.changed_places.by_catalogue).toBeGreaterThan(0.95);
  });

  it('lists winners and losers with attributes of the version that has them', async () => {
    const { winners, losers } = await diff(base!, churned!);
    expect(winners[0]).toMatchObject({ state: 'new', queries: { from: 0 }, reciprocal_rank: { from: 0 } });
    expect(losers[0]).toMatchObject({ state: 'gone', queries: { to: 0 } });
    for (const { id, attributes } of [...winners, ...losers])
      expect(attributes).toEqual({ title: `item ${id}`, shop: SHOPS[Number(id) % SHOPS.length] });
    for (const { queries, change } of [...winners, ...losers]) expect(change).toBe(queries.to - queries.from);
  });

  it('is mirrored when the versions are exchanged', async () => {
    const [there, back] = [await diff(base!, churned!), await diff(churned!, base!)];
    expect(back.sampled).toEqual({ from: there.sampled!.to, to: there.sampled!.from });
    expect(back.entered).toEqual(there.left);
    expect(back.left).toEqual(there.entered);
    expect(back.points.map(({ overlap }) => overlap)).toEqual(there.points.map(({ overlap }) => overlap));
    expect(back.points.map(({ rank_shift: shift }) => shift)).toEqual(there.points.map(({ rank_shift: shift }) => shift)); // prettier-ignore
    for (const [i, point] of back.points.entries())
      expect(point.last_score_shift!.mean).toBeCloseTo(-there.points[i]!.last_score_shift!.mean, 5);
    const moved = (movers: VersionDiff['winners']) => movers.map(({ id, change }) => [id, Math.abs(change)]);
    expect(moved(back.winners)).toEqual(moved(there.losers));
    expect(moved(back.losers)).toEqual(moved(there.winners));
    const lists = ({ changed_queries: listed }: VersionDiff) => listed.map(({ id, overlap }) => ({ id, overlap }));
    expect(lists(back)).toEqual(lists(there));
  });

  it('shares all places among the values of an attribute', async () => {
    const { values } = await diff(base!, churned!);
    expect(values.map(({ attribute, total }) => [attribute, total]).sort()).toEqual([['handmade', 2], ['shop', 4]]); // prettier-ignore
    for (const attribute of values) {
      expect(sum(attribute.values.map(({ from }) => from))).toBeCloseTo(1, 4);
      expect(sum(attribute.values.map(({ to }) => to))).toBeCloseTo(1, 4);
      const changes = attribute.values.map(({ change }) => Math.abs(change));
      expect(changes).toEqual(changes.toSorted((a, b) => b - a));
    }
  });

  it('is searched among the rows of a filter, in both versions', async () => {
    const filter = { shop: 'oak' };
    const found = await diff(base!, churned!, { filter });
    const shop = found.values.find(({ attribute }) => attribute === 'shop')!;
    expect(shop.values).toEqual([{ value: 'oak', from: 1, to: 1, change: 0 }]);
    await expect(diff(base!, churned!, { filter: { shp: 'oak' } })).rejects.toMatchObject({ code: 'bad_filter' });
  });
});

describe('other changes', () => {
  it('of vectors are the ranking, not the catalogue', async () => {
    const found = await diff(base!, blurred!);
    expect(found.entered.by.catalogue).toEqual({ ids: 0, places: 0 });
    expect(found.entered.by.ranking.ids).toBe(found.entered.total);
    expect(found.changed_places.by_catalogue).toBe(0);
    expect(found.points[1]!.rank_shift!.mean).toBeGreaterThan(0);
  });

  it('of shards and engines change nothing in small versions', async () => {
    for (const more of [{ shards: 3 }, { engine: 'hnswlib' as const }]) {
      const other = await open('shops', ITEMS, more);
      expect((await diff(base!, other)).points[1]!.overlap).toBeGreaterThan(0.99);
    }
  });

  it('of the type of ids change nothing: an integer and its decimal text are one id', async () => {
    const texts = await open('shops', ITEMS.map((item) => ({ ...item, id: String(item.id) }))); // prettier-ignore
    expect(await diff(base!, texts)).toMatchObject({ points: [{ overlap: 1 }, { overlap: 1, same_order: 60 }], entered: { total: 0 } }); // prettier-ignore
    const moved = await diff(blurred!, texts);
    expect(moved.entered.by).toMatchObject({ catalogue: { ids: 0 }, ranking: { ids: moved.entered.total } });
    expect(moved.entered.total).toBeGreaterThan(0);
  });

  it('of scores are told for queries of a file too', async () => {
    const vectors = makeVectors(10, DIM, 5);
    const queries = fileQueries(base!, blurred!, { before: vectors, after: vectors });
    const found = await diffVersions(base!, blurred!, queries, { ks: [10] });
    expect(found).toMatchObject({ source: 'file', queries: 10 });
    expect(found).not.toHaveProperty('sampled');
    const scores = (version: LoadedVersion): number[] =>
      Array.from({ length: 10 }, (_, i) => search(version, queryAt(queries.before, i, DIM), { k: 10 }).scores[9]!);
    const old = scores(base!);
    const shifts = scores(blurred!).map((score, i) => score - old[i]!);
    expect(found.points[0]!.last_score_shift!.mean).toBeCloseTo(sum(shifts) / 10, 5);
  });
});

describe('own vectors', () => {
  it('find the same neighbours in a rotated embedding, where the vectors of the other version find others', async () => {
    const rotated = await open('shops', rotate(ITEMS));
    expect((await diff(base!, rotated)).points[1]!.overlap).toBeLessThan(0.3);
    const queries = await sampledQueries(base!, rotated, { size: 60, seed: 42, ownVectors: true });
    const found = await diffVersions(base!, rotated, queries, { ks: [20] });
    expect(found.own_vectors).toBe(true);
    expect(found.points[0]!.overlap).toBeGreaterThan(0.97);
  });

  it('compare versions of other dimensions, which are refused otherwise, by ids that both have', async () => {
    const wide = await open('shops', makeItems(300, DIM + 2, 3, 200));
    await expect(sampleOf(base!, wide)).rejects.toMatchObject({ code: 'dimension_mismatch' });
    const queries = await sampledQueries(base!, wide, { size: 60, seed: 42, ownVectors: true });
    const found = await diffVersions(base!, wide, queries, { ks: [10] });
    expect(found.queries).toBeGreaterThan(30);
    expect(found.changed_queries.every(({ id }) => Number(id) >= 200 && Number(id) < 400)).toBe(true);
  });
});

describe('own vectors of versions without a common id', () => {
  it('are refused', async () => {
    const strangers = await open('shops', makeItems(50, DIM, 4, 7000));
    const sampled = sampledQueries(base!, strangers, { size: 20, seed: 42, ownVectors: true });
    await expect(sampled).rejects.toMatchObject({ code: 'usage' });
    const found = await diff(base!, strangers);
    expect(found.points[1]).toMatchObject({ overlap: 0, rank_shift: null, score_shift: null });
    expect(found.changed_places.by_catalogue).toBe(1);
  });
});

describe('attributes shown with ids', () => {
  it('are titles and names, then categories, other texts and numbers; no links and no long texts', () => {
    const fields = [
      ['price', 'float64'], ['image_url', 'utf8'], ['maker', 'utf8'], ['shop', 'utf8'], ['description', 'utf8'], ['title', 'utf8'], ['stock', 'int32'],
    ].map(([name, type]) => ({ name: name!, type: type!, label: type!, nullable: true })); // prettier-ignore
    expect(chooseReadable(fields, ['shop'])).toEqual(['title', 'shop', 'maker', 'price']);
  });
});

function sum(values: Iterable<number>): number {
  return [...values].reduce((total, each) => total + each, 0);
}
