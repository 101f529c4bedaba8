/**
 * Invented marketplace listings. Takes a number of rows and a seed; returns plain columns, equal for equal input. Hides
 * how titles are composed, and the noise that sellers put into them.
 */
import { CATEGORIES, COLOURS, MATERIALS, SHOUTS, STYLES } from './grammar.js';
import type { CategoryWords, MaterialName, ObjectWords } from './grammar.js';
import { seededChoices } from './random.js';
import type { Random } from './random.js';

export interface Listings {
  readonly rows: number;
  readonly ids: BigInt64Array;
  readonly titles: readonly string[];
  readonly categories: readonly string[];
  readonly shopIds: Int32Array;
  readonly prices: Float64Array;
  /** Milliseconds since 1970, UTC. */
  readonly createdAt: BigInt64Array;
  readonly tags: readonly (readonly string[])[];
  /** What is sold, in one or two words: `bowl`. Not in the file; used to judge neighbours. */
  readonly nouns: readonly string[];
}

export interface CatalogOptions {
  readonly rows: number;
  readonly seed: number;
}

/** Ids like those of a large marketplace: above 32 bits, ascending, with gaps. */
const FIRST_ID = 4_300_000_000n;
const LARGEST_ID_STEP = 19;

const FIRST_SHOP_ID = 1_001;
const SHOPS_PER_CATEGORY = 160;

const OLDEST_MS = Date.UTC(2024, 0, 1);
const NEWEST_MS = Date.UTC(2026, 10, 1);

/** Shares of titles with each kind of noise. */
const NOISE = { shout: 0.12, upperCase: 0.03, lowerCase: 0.08, typo: 0.03 };

/** What one listing is about. */
interface Thing {
  readonly noun: string;
  readonly kind: string;
  readonly material: string;
  readonly technique: string;
  readonly style: string;
  readonly colour: string;
  readonly detail: string;
}

export function makeListings({ rows, seed }: CatalogOptions): Listings {
  const random = seededChoices(seed);
  const titles: string[] = [];
  const categories: string[] = [];
  const tags: string[][] = [];
  const nouns: string[] = [];
  const ids = new BigInt64Array(rows);
  const shopIds = new Int32Array(rows);
  const prices = new Float64Array(rows);
  const createdAt = new BigInt64Array(rows);
  const names = weightedCategories();
  let id = FIRST_ID;
  for (let row = 0; row < rows; row++) {
    const category = random.pick(names);
    const words = CATEGORIES[category]!;
    const object = random.pick(words.objects);
    const thing = pickThing(random, words, object);
    id += BigInt(1 + random.below(LARGEST_ID_STEP));
    ids[row] = id;
    titles.push(addNoise(random, composeTitle(random, thing)));
    categories.push(category);
    tags.push(pickTags(random, thing, category));
    nouns.push(object.noun);
    shopIds[row] = pickShop(random, category);
    prices[row] = pickPrice(random, object);
    createdAt[row] = BigInt(OLDEST_MS + random.below((NEWEST_MS - OLDEST_MS) / 1_000) * 1_000);
  }
  return { rows, ids, titles, categories, shopIds, prices, createdAt, tags, nouns };
}

/** Each category as often as its weight. */
function weightedCategories(): string[] {
  return Object.entries(CATEGORIES).flatMap(([name, { weight }]) => Array.from({ length: weight }, () => name));
}

function pickThing(random: Random, words: CategoryWords, object: ObjectWords): Thing {
  const family: MaterialName = random.pick(object.materials);
  return {
    noun: object.noun,
    kind: random.pick(object.kinds),
    material: random.pick<string>(MATERIALS[family].members),
    technique: random.pick<string>(MATERIALS[family].techniques),
    style: random.pick(STYLES),
    colour: random.pick(COLOURS),
    detail: random.pick(words.details),
  };
}

const SHAPES: readonly ((thing: Thing) => string)[] = [
  (t) => `${t.technique} ${t.material} ${t.kind} ${t.noun}, ${t.style}, ${t.colour}`,
  (t) => `${t.style} ${t.kind} ${t.noun} in ${t.colour} ${t.material} - ${t.detail}`,
  (t) => `${t.colour} ${t.material} ${t.noun}, ${t.technique}, ${t.detail}`,
  (t) => `${t.kind} ${t.noun} | ${t.technique} ${t.material} | ${t.colour} | ${t.detail}`,
  (t) => `${t.material} ${t.kind} ${t.noun} (${t.colour}), ${t.style} style`,
  (t) => `${t.technique} ${t.kind} ${t.noun} of ${t.material}, ${t.colour}, ${t.detail}`,
  (t) => `${t.style} ${t.colour} ${t.noun}, ${t.technique} ${t.material}`,
  (t) => `${t.kind} ${t.noun}, ${t.style} ${t.material}, ${t.detail}`,
];

function composeTitle(random: Random, thing: Thing): string {
  const title = random.pick(SHAPES)(thing);
  return title.charAt(0).toUpperCase() + title.slice(1);
}

function addNoise(random: Random, title: string): string {
  let noisy = title;
  if (random.chance(NOISE.typo)) noisy = swapLetters(noisy, 1 + random.below(noisy.length - 2));
  if (random.chance(NOISE.upperCase)) noisy = noisy.toUpperCase();
  else if (random.chance(NOISE.lowerCase)) noisy = noisy.toLowerCase();
  if (!random.chance(NOISE.shout)) return noisy;
  const shout = random.pick(SHOUTS);
  return random.chance(0.5) ? `${shout} ${noisy}` : `${noisy} - ${shout}`;
}

function swapLetters(text: string, at: number): string {
  return text.slice(0, at) + text.charAt(at + 1) + text.charAt(at) + text.slice(at + 2);
}

/** Most listings have three to five tags, a few none. */
function pickTags(random: Random, thing: Thing, category: string): string[] {
  if (random.chance(0.02)) return [];
  const tags = [thing.noun, thing.material];
  if (random.chance(0.7)) tags.push(thing.style);
  if (random.chance(0.5)) tags.push(thing.colour);
  if (random.chance(0.5)) tags.push(`${category} gift`);
  return tags;
}

/** A shop sells in one category. The square makes few shops large and most small. */
function pickShop(random: Random, category: string): number {
  const first = FIRST_SHOP_ID + Object.keys(CATEGORIES).indexOf(category) * SHOPS_PER_CATEGORY;
  return first + Math.floor(SHOPS_PER_CATEGORY * random.next() ** 2);
}

const CENTS = [0, 0, 50, 90, 95, 99, 99];

/** Near the cheap end of the object's range, with cents as shops write them. */
function pickPrice(random: Random, object: ObjectWords): number {
  const whole = object.priceLow + Math.floor((object.priceHigh - object.priceLow) * random.next() ** 2);
  const cents = random.chance(0.2) ? random.below(100) : random.pick(CENTS);
  return (whole * 100 + cents) / 100;
}
