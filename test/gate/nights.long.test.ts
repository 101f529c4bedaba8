/**
 * The gate on nights of a catalog: every bad night is refused, by the check that names what is wrong, and good nights
 * pass. Prints both tables.
 */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { buildIndex } from '../../src/builder/build-index.js';
import type { BuildOptions } from '../../src/builder/build-options.js';
import { publishGated } from '../../src/builder/publish-gated.js';
import { runGate } from '../../src/gate/gate.js';
import { describeCheck, type GateVerdict } from '../../src/gate/verdict.js';
import { buildOptions, temporaryFolder } from '../indexes.js';
import {
  DIM,
  inCategory,
  makeItem,
  launchNight,
  makeNightlyCatalog,
  mapVectors,
  noise,
  ordinaryNight,
  retrained,
  saleNight,
  seasonalNight,
  writeNight,
  type Catalog,
  type Item,
  type Random,
  type Shape,
} from './nights.js';

const ROWS = 6_000;
const root = temporaryFolder();

async function buildNight(
  index: string,
  catalog: Catalog,
  shape: Shape = {},
  more: Partial<BuildOptions> = {},
): Promise<string> {
  const path = join(root, `.${index}.arrow`);
  writeNight(path, catalog, shape);
  const parameters = { m: 16, efConstruction: 200, seed: 42 };
  const options = buildOptions(root, index, [path], { parameters, calibrate: true, threads: 2, ...more });
  return (await buildIndex(options)).manifest.version;
}

function failedChecks({ checks }: GateVerdict): string[] {
  return checks.filter(({ verdict }) => verdict === 'fail').map(({ name }) => name);
}

interface BadNight {
  readonly name: string;
  /** One of the failed checks must have this name. */
  readonly check: string;
  readonly night: (catalog: Catalog, random: Random) => Catalog;
  readonly shape?: Shape;
  readonly build?: Partial<BuildOptions>;
}

const SKIP: Partial<BuildOptions> = { onBadRow: 'skip', maxRejected: 1 };
const same = (catalog: Catalog): Catalog => catalog;
const IN_STOCK = { in_stock: true };

/** The vectors of one category go to the items of another, and the other way round. */
function swapCategories(catalog: Catalog, a: string, b: string): Catalog {
  const of = (name: string): Item[] => catalog.filter(({ category }) => category === name);
  const [as, bs] = [of(a), of(b)];
  let [nextA, nextB] = [0, 0];
  return catalog.map((item) => {
    if (item.category === a) return { ...item, vector: bs[nextA++ % bs.length]!.vector };
    if (item.category === b) return { ...item, vector: as[nextB++ % as.length]!.vector };
    return item;
  });
}

/** A third of the items of a category get the vector of one of them. */
function oneVector(catalog: Catalog, name: string): Catalog {
  const { vector } = catalog.find(({ category }) => category === name)!;
  return catalog.map(inCategory(name, (item) => (item.id % 3 === 0 ? { ...item, vector } : item)));
}

/** A share of the items, at random, pass their vectors on to each other. */
function rotated(catalog: Catalog, random: Random, share: number): Catalog {
  const chosen = new Set(shuffled(catalog, random).slice(0, Math.round(share * catalog.length)));
  const vectors = [...chosen].map(({ vector }) => vector);
  let next = 0;
  return catalog.map((item) => (chosen.has(item) ? { ...item, vector: vectors[++next % vectors.length]! } : item));
}

/** All items pass something on to each other, at random. */
function passedOn(catalog: Catalog, random: Random, given: (item: Item) => Partial<Item>): Catalog {
  const givers = shuffled(catalog, random);
  return catalog.map((item, row) => ({ ...item, ...given(givers[row]!) }));
}

function priced(map: (price: number, item: Item) => number): (item: Item) => Item {
  return (item) => ({ ...item, price: item.price === null ? null : map(item.price, item) });
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return [...items].map((item) => ({ item, key: random() })).sort((a, b) => a.key - b.key).map(({ item }) => item); // prettier-ignore
}

const BAD_NIGHTS: readonly BadNight[] = [
  { name: 'half of the rows are missing', check: 'rows', night: (c) => c.filter((_, row) => row % 2 === 0) },
  { name: '30 % of the rows are missing', check: 'rows', night: (c) => c.filter((_, row) => row % 10 >= 3) },
  { name: '1 % of the rows is left', check: 'rows', night: (c) => c.filter((_, row) => row % 100 === 0) },
  { name: 'every row is there three times under new ids', check: 'rows', night: (c) => [0, 1, 2].flatMap((n) => c.map((i) => ({ ...i, id: i.id + 50_000_000 * n }))) },
  { name: 'another model: the embeddings are rotated', check: 'vectors_moved', night: (c, r) => retrained(c, r) },
  { name: 'embeddings of another dimension', check: 'dimension', night: (c) => mapVectors(c, (v) => v.slice(0, 24)) },
  { name: 'another metric', check: 'metric', night: same, build: { metric: 'l2' } },
  { name: 'ids are numbered anew from another start', check: 'ids_kept', night: (c) => c.map((item, row) => ({ ...item, id: 5 + row })) },
  { name: 'ids are numbered anew in another order', check: 'vectors_moved', night: (c, r) => { const ids = shuffled(c.map(({ id }) => id), r); return c.map((item, row) => ({ ...item, id: ids[row]! })); } },
  { name: 'ids are shuffled over the vectors', check: 'vectors_moved', night: (c, r) => { const vectors = shuffled(c.map(({ vector }) => vector), r); return c.map((item, row) => ({ ...item, vector: vectors[row]! })); } },
  { name: 'ids are off by one row', check: 'vectors_moved', night: (c) => c.map((item, row) => ({ ...item, vector: c[(row + 1) % c.length]!.vector })) },
  { name: 'ids are text', check: 'id_type', night: same, shape: { textIds: true } },
  { name: 'the vectors of one category are zero, and skipped', check: 'value_counts', night: (c) => c.map(inCategory('garden', (i) => ({ ...i, vector: new Float32Array(DIM) }))), build: SKIP },
  { name: 'the vectors of a small category are zero, and skipped', check: 'value_counts', night: (c) => c.map(inCategory('tea', (i) => ({ ...i, vector: new Float32Array(DIM) }))), build: SKIP },
  { name: 'the vectors of one category are constant', check: 'vectors_moved_by_value', night: (c) => c.map(inCategory('garden', (i) => ({ ...i, vector: new Float32Array(DIM).fill(0.1) }))) },
  { name: 'the vectors of a small category are constant', check: 'vectors_moved_by_value', night: (c) => c.map(inCategory('tea', (i) => ({ ...i, vector: new Float32Array(DIM).fill(0.1) }))) },
  { name: 'the vectors of two categories are swapped', check: 'vectors_moved_by_value', night: (c) => swapCategories(c, 'garden', 'books') },
  { name: 'the vectors of two small categories are swapped', check: 'vectors_moved_by_value', night: (c) => swapCategories(c, 'bikes', 'tea') },
  { name: 'pure noise', check: 'vectors_moved', night: (c, r) => mapVectors(c, () => noise(r)) },
  { name: 'a collapsed embedding', check: 'spread', night: (c, r) => { const center = noise(r); return mapVectors(c, () => center.map((value) => value + 1e-3 * (r() - 0.5))); } },
  { name: '30 % exact duplicates of one vector', check: 'duplicates', night: (c) => c.map((item, row) => (row % 10 < 3 ? { ...item, vector: c[0]!.vector } : item)) },
  { name: '30 % exact duplicates of other items', check: 'duplicates', night: (c, r) => c.map((item) => (r() < 0.3 ? { ...item, vector: c.find(({ category }) => category === item.category)!.vector } : item)) },
  { name: 'float16 overflows, and the rows are skipped', check: 'rejected', night: (c) => mapVectors(c, (v, i) => v.map((x) => (i.id % 10 === 0 ? x * 1e5 : x))), shape: { float16: true }, build: SKIP },
  { name: 'values scaled by 100', check: 'norms', night: (c) => mapVectors(c, (v) => v.map((x) => x * 100)) },
  { name: 'a column is gone', check: 'attributes', night: same, shape: { without: ['brand'] } },
  { name: 'a price became text', check: 'attributes', night: same, shape: { textPrices: true } },
  { name: 'all prices are null', check: 'filled', night: (c) => c.map((item) => ({ ...item, price: null })) },
  { name: 'prices are in cents', check: 'number_shift', night: (c) => c.map(priced((price) => 100 * price)) },
  { name: 'prices are divided by 100', check: 'number_shift', night: (c) => c.map(priced((price) => price / 100)) },
  { name: 'a third of the prices is divided by 100', check: 'number_shift', night: (c) => c.map(priced((price, { id }) => (id % 3 === 0 ? price / 100 : price))) },
  { name: 'all prices are 0', check: 'number_shift', night: (c) => c.map(priced(() => 0)) },
  { name: 'all prices are equal', check: 'number_repeats', night: (c) => c.map(priced(() => 20)) },
  { name: '40 % of the prices are 0', check: 'number_repeats', night: (c) => c.map(priced((price, { id }) => (id % 5 < 2 ? 0 : price))) },
  { name: 'discounts, which few items have, are all 0', check: 'number_shift', night: (c) => c.map((item) => ({ ...item, discount: 0 })) },
  { name: 'a number on both sides of 0 is shifted by three deviations', check: 'number_shift', night: (c) => c.map((item) => ({ ...item, trend: item.trend + 3 })) },
  { name: '14 % of the brands are null', check: 'missing', night: (c) => c.map((item) => (item.id % 50 < 7 ? { ...item, brand: null } : item)) },
  { name: 'all brands are empty texts', check: 'filled', night: (c) => c.map((item) => ({ ...item, brand: '' })) },
  { name: 'all links are empty texts', check: 'filled', night: (c) => c.map((item) => ({ ...item, link: '' })) },
  { name: 'all tags are empty lists', check: 'filled', night: (c) => c.map((item) => ({ ...item, tags: [] })) },
  { name: 'prices are shuffled over the ids', check: 'numbers_shuffled', night: (c, r) => passedOn(c, r, ({ price }) => ({ price })) },
  { name: 'the keys of shops are shuffled over the ids', check: 'numbers_shuffled', night: (c, r) => passedOn(c, r, ({ shop }) => ({ shop })) },
  { name: 'codes of grades are shuffled over the ids', check: 'numbers_shuffled', night: (c, r) => passedOn(c, r, ({ grade }) => ({ grade })) },
  { name: 'codes of grades are numbered anew', check: 'numbers_shuffled', night: (c) => c.map((item) => ({ ...item, grade: 1 + ((5 * item.grade) % 12) })) },
  { name: 'the prices of one category are in cents', check: 'numbers_changed_by_value', night: (c) => c.map(inCategory('kitchen', priced((price) => 100 * price))) },
  { name: 'the prices of a small category are in cents', check: 'numbers_changed_by_value', night: (c) => c.map(inCategory('tea', priced((price) => 100 * price))) },
  { name: 'the prices of a small category are ten times as high', check: 'numbers_changed_by_value', night: (c) => c.map(inCategory('bikes', priced((price) => 10 * price))) },
  { name: 'the prices of a small category are 0', check: 'numbers_changed_by_value', night: (c) => c.map(inCategory('tea', priced(() => 0))) },
  { name: 'the prices of a small category are 1', check: 'numbers_changed_by_value', night: (c) => c.map(inCategory('bikes', priced(() => 1))) },
  { name: 'the prices with one tag are in cents', check: 'numbers_changed_by_value', night: (c) => c.map((item) => (item.tags.includes('eco') ? priced((price) => 100 * price)(item) : item)) },
  { name: 'counters of views are divided by 10 for half of the items', check: 'numbers_changed', night: (c) => c.map((item) => ({ ...item, views: item.id % 2 === 0 ? item.views : Math.floor(item.views / 10) })) },
  { name: 'half of the prices are negative', check: 'numbers_changed', night: (c) => c.map(priced((price, { id }) => (id % 2 === 0 ? -price : price))) },
  { name: 'all titles are the text null', check: 'text_repeats', night: (c) => c.map((item) => ({ ...item, title: 'null' })) },
  { name: 'half of the titles are Untitled', check: 'text_repeats', night: (c) => c.map((item) => (item.id % 2 === 0 ? { ...item, title: 'Untitled' } : item)) },
  { name: 'titles are shuffled over the ids', check: 'texts_changed', night: (c, r) => passedOn(c, r, ({ title }) => ({ title })) },
  { name: 'titles are in another language', check: 'texts_changed', night: (c) => c.map((item) => ({ ...item, title: `sch\u00f6n ${item.title}` })) },
  { name: 'a third of the categories are unknown', check: 'new_values', night: (c) => c.map((item) => (item.id % 20 < 7 ? { ...item, category: 'unknown' } : item)) },
  { name: 'a third of the codes are -1', check: 'new_values', night: (c) => c.map((item) => (item.id % 20 < 7 ? { ...item, grade: -1 } : item)) },
  { name: 'all dates are equal', check: 'date_repeats', night: (c) => c.map((item) => ({ ...item, created: c[0]!.created })) },
  { name: 'dates are ten years early', check: 'date_shift', night: (c) => c.map((item) => ({ ...item, created: item.created - 3_652 })) },
  { name: 'milliseconds are read as microseconds: dates are in 1970', check: 'date_shift', night: (c) => c.map((item) => ({ ...item, created: item.created / 1_000 })) },
  { name: 'a tenth of the dates is in 1970', check: 'date_shift', night: (c) => c.map((item) => (item.id % 10 === 0 ? { ...item, created: 0 } : item)) },
  { name: 'half of one category is missing', check: 'value_counts', night: (c) => c.filter(({ category, id }) => category !== 'toys' || id % 20 >= 11) },
  { name: 'a third of a category has one vector', check: 'duplicates_by_value', night: (c) => oneVector(c, 'garden') },
  { name: 'a third of a small category has one vector', check: 'duplicates_by_value', night: (c) => oneVector(c, 'bikes') },
  { name: '9 % of the ids are shuffled over their vectors', check: 'vectors_moved', night: (c, r) => rotated(c, r, 0.09) },
  { name: 'a category vanished', check: 'value_counts', night: (c) => c.filter(({ category }) => category !== 'music') },
  { name: 'a category is renamed', check: 'value_counts', night: (c) => c.map(inCategory('music', (i) => ({ ...i, category: 'Music' }))) },
  { name: 'a category tripled', check: 'value_counts', night: (c, r) => { let next = 9_000_000; return [...c, ...c.filter(({ category }) => category === 'shoes').flatMap(() => [makeItem(next++, r, 'shoes'), makeItem(next++, r, 'shoes')])]; } },
  { name: 'the attributes are shifted by one row', check: 'values_changed', night: (c) => c.map((item, row) => { const { category, brand, tags } = c[(row + 1) % c.length]!; return { ...item, category, brand, tags }; }) },
  { name: 'the categories are shuffled', check: 'values_changed', night: (c, r) => { const names = shuffled(c.map(({ category }) => category), r); return c.map((item, row) => ({ ...item, category: names[row]! })); } },
  { name: 'two categories have exchanged their names', check: 'values_changed_by_value', night: (c) => c.map((item) => ({ ...item, category: item.category === 'garden' ? 'jewelry' : item.category === 'jewelry' ? 'garden' : item.category })) },
  { name: 'everything is out of stock', check: 'value_counts', night: (c) => c.map((item) => ({ ...item, inStock: false })) },
  { name: 'a graph with m 4 and ef_construction 20', check: 'graph_parameters', night: same, build: { parameters: { m: 4, efConstruction: 20, seed: 42 } } },
  { name: 'the recall of a filter class fell', check: `recall_filtered@100 ${JSON.stringify(IN_STOCK)}`, night: same, build: { parameters: { m: 4, efConstruction: 8, seed: 42 }, calibrate: false } },
]; // prettier-ignore

/** Nights that are refused nowhere, because good ones look nearly the same; they warn. */
const DOUBTFUL_NIGHTS: readonly BadNight[] = [
  // A season may leave a category two thirds of its items: 67 % and 60 % differ by chance alone where it is small.
  { name: '40 % of one category is missing', check: 'value_counts', night: (c) => c.filter(({ category, id }) => category !== 'kitchen' || id % 5 >= 2) },
  { name: '4 % of the brands are null', check: 'missing', night: (c) => c.map((item) => (item.id % 25 === 0 ? { ...item, brand: null } : item)) },
  { name: '5 % of the ids are shuffled over their vectors', check: 'vectors_moved', night: (c, r) => rotated(c, r, 0.05) },
]; // prettier-ignore

describe('bad nights', () => {
  const table: string[] = [];
  let catalog: Catalog = [];

  beforeAll(async () => {
    const random = seededRandom(1);
    const first = makeNightlyCatalog(ROWS, random);
    catalog = ordinaryNight(first, random);
    const live = await buildNight('bad', first);
    const { accepted } = await publishGated(root, 'bad', live, { dryRun: false, filters: [IN_STOCK] });
    expect(accepted).toBe(true);
    return () => console.log(`bad nights, ${ROWS} rows\n${table.join('\n')}`);
  });

  it.each(BAD_NIGHTS)('$name: refused by $check', async ({ name, check, night, shape, build }) => {
    const version = await buildNight('bad', night(catalog, seededRandom(2)), shape, build);
    const verdict = await runGate(root, 'bad', version, { filters: [IN_STOCK] });
    const found = verdict.checks.find((each) => each.name === check);
    table.push(`  ${name.padEnd(55)} ${found ? describeCheck(found) : 'passed'}`);
    expect(failedChecks(verdict)).toContain(check);
  });

  it.each(DOUBTFUL_NIGHTS)('$name: a warning of $check, no refusal', async ({ name, check, night }) => {
    const verdict = await runGate(root, 'bad', await buildNight('bad', night(catalog, seededRandom(2))));
    const found = verdict.checks.find((each) => each.name === check);
    table.push(`  ${name.padEnd(55)} ${found ? describeCheck(found) : 'passed'}`);
    expect([found?.verdict, failedChecks(verdict)]).toEqual(['warn', []]);
  });
});

describe('good nights', () => {
  const NIGHTS = 50;

  it('pass, and none warns', async () => {
    const random = seededRandom(3);
    let catalog = makeNightlyCatalog(ROWS, random);
    const version = await buildNight('good', catalog);
    await publishGated(root, 'good', version, { dryRun: false });
    const table: string[] = [];
    let [refused, warned] = [0, 0];
    for (let night = 1; night <= NIGHTS; night++) {
      catalog = ordinaryNight(catalog, random);
      const isNewModel = night % 10 === 0;
      const isSeason = night % 5 === 2;
      if (isSeason) catalog = seasonalNight(catalog, random);
      const [isSale, isLaunch] = [night % 10 === 3, night % 25 === 4];
      if (isSale) catalog = saleNight(catalog, random);
      if (isLaunch) catalog = launchNight(catalog, random, `launched-${night}`);
      if (isNewModel) catalog = retrained(catalog, random);
      const next = await buildNight('good', catalog);
      const { gate, accepted } = await publishGated(root, 'good', next, { dryRun: false, newEmbedding: isNewModel });
      const loud = gate.checks.filter(({ verdict }) => verdict !== 'pass').map(describeCheck);
      if (!accepted) refused++;
      else if (loud.length > 0) warned++;
      const kind = isNewModel
        ? 'a model trained again'
        : isSeason
          ? 'a season'
          : isSale
            ? 'a sale'
            : isLaunch
              ? 'a new category'
              : 'an ordinary night';
      table.push(`  ${String(night).padStart(2)} ${kind.padEnd(22)} ${loud.length === 0 ? 'passed' : loud.join('; ')}`);
    }
    console.log(`good nights, about ${ROWS} rows\n${table.join('\n')}`);
    expect({ refused, warned }).toEqual({ refused: 0, warned: 0 });
  }, 900_000);

  it('identical input warns, and says what it is identical to', async () => {
    const catalog = makeNightlyCatalog(1_000, seededRandom(4));
    const first = await buildNight('still', catalog);
    await publishGated(root, 'still', first, { dryRun: false });
    const again = await buildNight('still', catalog);
    const { gate, accepted } = await publishGated(root, 'still', again, { dryRun: false });
    expect(accepted).toBe(true);
    const loud = gate.checks.filter(({ verdict }) => verdict !== 'pass');
    expect(loud).toMatchObject([{ name: 'fresh', verdict: 'warn', detail: `identical to still@${first}` }]);
  });
});
