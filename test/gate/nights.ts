/**
 * Nights of a catalog for the gate: a marketplace's catalog with categories, brands, prices and embeddings, and what can
 * happen to it from one night to the next. A night takes a catalog and returns another one; it changes nothing.
 */
import { writeFileSync } from 'node:fs';
import {
  Bool,
  Field,
  FixedSizeList,
  Float16,
  Float32,
  Float64,
  Int32,
  Int64,
  List,
  Table,
  TimestampMicrosecond,
  Utf8,
  Vector,
  makeData,
  tableToIPC,
  vectorFromArray,
} from 'apache-arrow';
import { seededRandom } from '../../src/base/random.js';

export const DIM = 32;

export interface Item {
  readonly id: number;
  readonly category: string;
  readonly brand: string | null;
  readonly price: number | null;
  /** 0 for nine of ten. */
  readonly discount: number;
  /** On both sides of 0; another one every night. */
  readonly trend: number;
  /** Seen when, in seconds since 1970; another one every night. */
  readonly seen: number;
  readonly link: string;
  readonly title: string;
  /** A counter: it grows every night. */
  readonly views: number;
  /** A key with many values, equally frequent. */
  readonly shop: number;
  /** A code with few values. */
  readonly grade: number;
  /** In days since 1970. */
  readonly created: number;
  readonly inStock: boolean;
  readonly tags: readonly string[];
  readonly vector: Float32Array;
}

export type Catalog = readonly Item[];

export type Random = () => number;

const CATEGORIES = ['kitchen', 'toys', 'garden', 'jewelry', 'books', 'shoes', 'lamps', 'music', 'bikes', 'tea'];
const BRANDS = 80;
const SHOPS = 500;
const GRADES = 12;
const TAGS = ['new', 'sale', 'vintage', 'handmade', 'gift', 'eco'];

/** Standard normal numbers. */
function gaussian(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

function gaussianVector(random: Random, dim = DIM): Float32Array {
  return Float32Array.from({ length: dim }, () => gaussian(random));
}

/** Vectors of one model: an item lies near its category, its brand, and its own words. */
const model = (() => {
  const random = seededRandom(7);
  const centers = new Map(CATEGORIES.map((name) => [name, gaussianVector(random)]));
  const brands = Array.from({ length: BRANDS }, () => gaussianVector(random));
  return { centers, brands };
})();

export function makeItem(id: number, random: Random, category = pickCategory(random)): Item {
  const brand = Math.floor(random() * random() * BRANDS);
  const center = model.centers.get(category)!;
  const vector = center.map((value, i) => value + 0.6 * model.brands[brand]![i]! + 0.7 * gaussian(random));
  const price = random() < 0.1 ? null : Math.round(1000 * Math.exp(0.8 * gaussian(random))) / 50;
  const tags = TAGS.filter(() => random() < 0.2);
  const inStock = random() < 0.8;
  const discount = random() < 0.1 ? 0.2 : 0;
  const link = `https://example.com/${id}`;
  return {
    id,
    category,
    brand: `brand-${brand}`,
    price,
    discount,
    ...observed(0, random),
    link,
    title: `${category} ${Math.floor(1e6 * random())}`,
    views: Math.round(20 * Math.exp(1.5 * gaussian(random))),
    shop: 1 + Math.floor(SHOPS * random()),
    grade: 1 + Math.floor(GRADES * random()),
    created: FIRST_NIGHT / DAY - 1_000 * random(),
    inStock,
    tags,
    vector,
  };
}

/** What is measured anew every night. */
function observed(night: number, random: Random): Pick<Item, 'trend' | 'seen'> {
  return { trend: gaussian(random), seen: FIRST_NIGHT + Math.round(DAY * (night + random())) };
}

const FIRST_NIGHT = 1_795_000_000;
const DAY = 86_400;

/** The first categories are the largest: 22 % to 2 %. */
function pickCategory(random: Random): string {
  return CATEGORIES[Math.floor(CATEGORIES.length * random() ** 1.6)]!;
}

export function makeNightlyCatalog(rows: number, random: Random): Catalog {
  return Array.from({ length: rows }, (_, row) => makeItem(1_000_000 + 7 * row, random));
}

/** What happens every night: some items leave, some enter, prices move, texts are edited. */
export function ordinaryNight(catalog: Catalog, random: Random, churn = 0.01 + 0.04 * random()): Catalog {
  let next = Math.max(...catalog.map(({ id }) => id)) + 1;
  const kept = catalog.filter(() => random() >= churn * random() * 2);
  const growth = 1.01 + 0.09 * random();
  const changed = kept.map((item): Item => {
    const price = item.price === null || random() > 0.1 ? item.price : Math.round(item.price * (0.9 + 0.2 * random()) * 100) / 100; // prettier-ignore
    const vector = random() > 0.02 ? item.vector : item.vector.map((value) => value + 0.4 * gaussian(random));
    const inStock = random() < 0.03 ? !item.inStock : item.inStock;
    const title = random() < 0.02 ? `${item.title}, new` : item.title;
    const views = Math.ceil(item.views * growth);
    return { ...item, price, vector, inStock, title, views };
  });
  const entering = Math.round(catalog.length * churn * (0.5 + random()));
  const entered = Array.from({ length: entering }, () => makeItem(next++, random));
  const night = 1 + Math.floor((Math.max(...catalog.map(({ seen }) => seen)) - FIRST_NIGHT) / DAY);
  return [...changed, ...entered].map((item) => ({ ...item, ...observed(night, random) }));
}

/** A season: one category grows or shrinks by up to half, and all prices do. */
export function seasonalNight(before: Catalog, random: Random): Catalog {
  const factor = random() < 0.5 ? 1.5 : 1 / 1.5;
  const catalog = before.map((item) => ({ ...item, price: item.price === null ? null : factor * item.price }));
  const category = CATEGORIES[Math.floor(random() * CATEGORIES.length)]!;
  const size = catalog.filter((item) => item.category === category).length;
  let next = Math.max(...catalog.map(({ id }) => id)) + 1;
  if (random() < 0.5) return catalog.filter((item) => item.category !== category || random() < 1 / 1.5);
  return [...catalog, ...Array.from({ length: Math.round(size / 2) }, () => makeItem(next++, random, category))];
}

/** All prices of one category are halved. */
export function saleNight(catalog: Catalog, random: Random): Catalog {
  const sold = CATEGORIES[Math.floor(random() * CATEGORIES.length)]!;
  return catalog.map(inCategory(sold, (item) => ({ ...item, price: item.price === null ? null : item.price / 2 })));
}

/** A category that was not there: a tenth of the catalog, beside one that was. */
export function launchNight(catalog: Catalog, random: Random, name: string): Catalog {
  let next = Math.max(...catalog.map(({ id }) => id)) + 1;
  const items = Array.from({ length: Math.round(catalog.length / 9) }, () => makeItem(next++, random));
  return [...catalog, ...items.map((item) => ({ ...item, category: name }))];
}

/** A model trained again: the space is turned, and each item moves a little in it. */
export function retrained(catalog: Catalog, random: Random): Catalog {
  const turn = randomRotation(random);
  return mapVectors(catalog, (vector) => turn(vector).map((value) => value + 0.2 * gaussian(random)));
}

export function mapVectors(catalog: Catalog, map: (vector: Float32Array, item: Item) => Float32Array): Catalog {
  return catalog.map((item) => ({ ...item, vector: map(item.vector, item) }));
}

export function inCategory(name: string, map: (item: Item) => Item): (item: Item) => Item {
  return (item) => (item.category === name ? map(item) : item);
}

/** A rotation as a product of reflections. */
function randomRotation(random: Random): (vector: Float32Array) => Float32Array {
  const mirrors = Array.from({ length: DIM }, () => gaussianVector(random));
  return (vector) => mirrors.reduce(reflect, vector);
}

function reflect(vector: Float32Array, mirror: Float32Array): Float32Array {
  const [along, length] = [inner(vector, mirror), inner(mirror, mirror)];
  return vector.map((value, i) => value - (2 * along * mirror[i]!) / length);
}

function inner(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

export function noise(random: Random, dim = DIM): Float32Array {
  return gaussianVector(random, dim);
}

export interface Shape {
  /** Ids as text instead of integers. */
  readonly textIds?: boolean;
  /** Prices as text instead of numbers. */
  readonly textPrices?: boolean;
  /** Columns that are not written. */
  readonly without?: readonly string[];
  /** Components as float16: beyond 65,504 they are infinite. */
  readonly float16?: boolean;
}

/** Writes the catalog as an Arrow file. */
export function writeNight(path: string, catalog: Catalog, shape: Shape = {}): void {
  const dim = catalog[0]!.vector.length;
  const components = new Float32Array(catalog.length * dim);
  catalog.forEach(({ vector }, row) => components.set(vector, row * dim));
  const half = shape.float16 === true;
  const list = new FixedSizeList(dim, new Field('item', half ? new Float16() : new Float32(), false));
  const child = half
    ? makeData({ type: new Float16(), length: components.length, nullCount: 0, data: toHalf(components) })
    : makeData({ type: new Float32(), length: components.length, nullCount: 0, data: components });
  const texts = (values: (string | null)[]): Vector => vectorFromArray(values, new Utf8());
  const prices = catalog.map(({ price }) => price);
  const columns: Record<string, Vector> = {
    id: shape.textIds === true ? texts(catalog.map(({ id }) => String(id))) : vectorFromArray(catalog.map(({ id }) => BigInt(id)), new Int64()),
    category: texts(catalog.map(({ category }) => category)),
    brand: texts(catalog.map(({ brand }) => brand)),
    price: shape.textPrices === true ? texts(prices.map((price) => (price === null ? null : String(price)))) : vectorFromArray(prices, new Float64()),
    discount: vectorFromArray(catalog.map(({ discount }) => discount), new Float64()),
    trend: vectorFromArray(catalog.map(({ trend }) => trend), new Float64()),
    seen: vectorFromArray(catalog.map(({ seen }) => BigInt(seen)), new Int64()),
    views: vectorFromArray(catalog.map(({ views }) => views), new Int32()),
    shop: vectorFromArray(catalog.map(({ shop }) => BigInt(shop)), new Int64()),
    grade: vectorFromArray(catalog.map(({ grade }) => grade), new Int32()),
    created: new Vector([makeData({ type: new TimestampMicrosecond(), length: catalog.length, nullCount: 0, data: microseconds(catalog) })]),
    title: texts(catalog.map(({ title }) => title)),
    link: texts(catalog.map(({ link }) => link)),
    in_stock: vectorFromArray(catalog.map(({ inStock }) => inStock), new Bool()),
    tags: vectorFromArray(catalog.map(({ tags }) => [...tags]), new List(new Field('item', new Utf8(), true))),
    embedding: new Vector([makeData({ type: list, length: catalog.length, nullCount: 0, child })]),
  }; // prettier-ignore
  const kept = Object.entries(columns).filter(([name]) => shape.without?.includes(name) !== true);
  writeFileSync(path, tableToIPC(new Table(Object.fromEntries(kept)), 'file'));
}

function microseconds(catalog: Catalog): BigInt64Array {
  return BigInt64Array.from(catalog, ({ created }) => BigInt(Math.round(created * DAY * 1e3)) * 1_000n);
}

/** float32 as the bits of float16, rounded down; good enough for a test of what overflows. */
function toHalf(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, (word) => {
    const sign = (word >>> 16) & 0x8000;
    const exponent = ((word >>> 23) & 0xff) - 127 + 15;
    if (exponent >= 31) return sign | 0x7c00;
    return exponent <= 0 ? sign : sign | (exponent << 10) | ((word >>> 13) & 0x3ff);
  });
}
