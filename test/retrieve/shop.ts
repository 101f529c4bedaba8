/** A small shop whose items have what searches compose with: equal vectors, equal scores, nulls, few values of many items. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int64,
  Table,
  Utf8,
  Vector,
  makeData,
  tableToIPC,
  vectorFromArray,
} from 'apache-arrow';
import { rawKernel, toScore, type Metric } from '../../src/base/metric.js';
import { seededRandom } from '../../src/base/random.js';
import { buildIndex } from '../../src/builder/build-index.js';
import type { EngineName } from '../../src/engine/engine.js';
import { loadVersion, type LoadedVersion } from '../../src/retrieve/load/loaded-version.js';
import type { SearchOptions, SeedQuery } from '../../src/retrieve/search/search-options.js';
import { buildOptions } from '../indexes.js';

export interface ShopSpec {
  readonly rows: number;
  readonly dim: number;
  readonly metric: Metric;
  readonly shards: number;
  readonly engine: EngineName;
  /** Components are whole numbers up to this one: the smaller, the more ties. Absent: uniform in [-1, 1). */
  readonly grid?: number;
  readonly seed: number;
}

export interface Item {
  readonly shop: string | null;
  readonly price: number | null;
}

export interface Shop {
  readonly version: LoadedVersion;
  readonly items: readonly Item[];
}

/** Ids are the ordinals. A third of the items comes from one shop, a tenth from none. */
export async function openShop(root: string, index: string, spec: ShopSpec): Promise<Shop> {
  const random = seededRandom(spec.seed);
  const items = Array.from({ length: spec.rows }, () => makeItem(random));
  const { rows, dim, grid } = spec;
  const vectors = Float32Array.from({ length: rows * dim }, (_, i) => {
    if (grid === undefined) return random() * 2 - 1;
    // The first component of each row is not 0: a vector of zeros has no direction.
    return i % dim === 0 ? 1 + Math.floor(random() * grid) : Math.floor(random() * (2 * grid + 1)) - grid;
  });
  const input = join(root, `.${index}.arrow`);
  writeShop(input, items, vectors, dim);
  const { metric, shards, engine } = spec;
  const built = await buildIndex(buildOptions(root, index, [input], { metric, shards, engine }));
  rmSync(input);
  return { version: await loadVersion(root, index, built.manifest.version), items };
}

function makeItem(random: () => number): Item {
  const draw = random();
  const shop = draw < 0.1 ? null : draw < 0.4 ? 'large' : `shop ${Math.floor(random() * 12)}`;
  return { shop, price: random() < 0.2 ? null : Math.floor(random() * 100) };
}

function writeShop(path: string, items: readonly Item[], vectors: Float32Array, dim: number): void {
  const list = new FixedSizeList(dim, new Field('item', new Float32(), false));
  const child = makeData({ type: new Float32(), length: vectors.length, nullCount: 0, data: vectors });
  const table = new Table({
    id: vectorFromArray(items.map((_, row) => BigInt(row)), new Int64()),
    shop: vectorFromArray(items.map(({ shop }) => shop), new Utf8()),
    price: vectorFromArray(items.map(({ price }) => price), new Float64()),
    embedding: new Vector([makeData({ type: list, length: items.length, nullCount: 0, child })]),
  }); // prettier-ignore
  writeFileSync(path, tableToIPC(table, 'file'));
}

export interface Filter {
  readonly json: unknown;
  readonly passes: (item: Item) => boolean;
}

const priceBelow = (item: Item, limit: number) => item.price !== null && item.price < limit;

/** From what passes most to what passes nothing, and what each means. */
export const FILTERS: readonly Filter[] = [
  { json: {}, passes: () => true },
  { json: { shop: { $exists: true } }, passes: ({ shop }) => shop !== null },
  { json: { price: { $lt: 50 } }, passes: (item) => priceBelow(item, 50) },
  { json: { shop: 'large' }, passes: ({ shop }) => shop === 'large' },
  { json: { $or: [{ shop: null }, { price: null }] }, passes: ({ shop, price }) => shop === null || price === null },
  { json: { shop: { $in: ['shop 1', 'shop 2'] }, price: { $lt: 50 } }, passes: (item) => (item.shop === 'shop 1' || item.shop === 'shop 2') && priceBelow(item, 50) },
  { json: { $not: { price: { $gte: 3 } } }, passes: ({ price }) => price === null || price < 3 },
  { json: { price: 1000 }, passes: () => false },
]; // prettier-ignore

export interface Composition extends Omit<SearchOptions, 'filter'> {
  readonly filter?: Filter | undefined;
}

export interface Expected {
  readonly ordinals: number[];
  readonly scores: number[];
  readonly seeds: number[];
  readonly seedScores: number[];
  readonly short: string | null;
}

interface Merged {
  readonly ordinal: number;
  readonly score: number;
  readonly seed: number;
  readonly own: number;
}

/** What must come back, the slow way, from the words of the contract. */
export function expectedOf({ version, items }: Shop, seeds: readonly SeedQuery[], asked: Composition): Expected {
  const selves = new Set(seeds.map(({ self }) => self));
  const excluded = new Set(asked.excludeIds);
  const allowed = [...items.keys()].filter(
    (ordinal) =>
      !selves.has(ordinal) && !excluded.has(String(ordinal)) && (asked.filter?.passes(items[ordinal]!) ?? true),
  );
  const minScore = Math.fround(asked.minScore ?? -Infinity);
  const merged = allowed
    .flatMap((ordinal) => bestOf(version, seeds, ordinal, minScore) ?? [])
    .sort((a, b) => b.score - a.score || a.ordinal - b.ordinal);
  const { taken, crowded } = take(items, seeds, asked, merged);
  const available = items.length - [...selves].filter((self) => self !== undefined).length;
  return {
    ordinals: taken.map(({ ordinal }) => ordinal),
    scores: taken.map(({ score }) => score),
    seeds: taken.map(({ seed }) => seed),
    seedScores: taken.map(({ own }) => own),
    short: shortOf(asked.k, { taken: taken.length, crowded, allowed: allowed.length, available }),
  };
}

const FLOAT32_MAX = 3.4028234663852886e38;

function bestOf(version: LoadedVersion, seeds: readonly SeedQuery[], ordinal: number, minScore: number): Merged | null {
  const { metric, dim } = version.manifest;
  const vector = version.vectorOf(ordinal);
  let best: Merged | null = null;
  for (const [seed, { query, weight }] of seeds.entries()) {
    const own = toScore(metric, rawKernel(metric)(query, 0, vector, 0, dim));
    if (own < minScore) continue;
    const weighted = Math.fround(own >= 0 ? own * weight : own / weight) + 0;
    const score = Math.min(FLOAT32_MAX, Math.max(-FLOAT32_MAX, weighted));
    if (best === null || score > best.score) best = { ordinal, score, seed, own };
  }
  return best;
}

function take(items: readonly Item[], seeds: readonly SeedQuery[], asked: Composition, merged: readonly Merged[]) {
  const { k, crowding } = asked;
  const quotas = seeds.map(({ quota }) => quota ?? k);
  const perSeed = seeds.map(() => 0);
  const perValue = new Map<unknown, number>();
  const taken: Merged[] = [];
  let crowded = false;
  for (const candidate of merged) {
    if (taken.length === k) break;
    const value = crowding && items[candidate.ordinal]![crowding.attribute as keyof Item];
    if (perSeed[candidate.seed]! >= quotas[candidate.seed]!) continue;
    if (crowding && value !== null && (perValue.get(value) ?? 0) >= crowding.limit) {
      crowded = true;
      continue;
    }
    perSeed[candidate.seed]!++;
    perValue.set(value, (perValue.get(value) ?? 0) + 1);
    taken.push(candidate);
  }
  return { taken, crowded: crowded || perSeed.some((count, seed) => count === quotas[seed]) };
}

function shortOf(
  k: number,
  { taken, crowded, allowed, available }: { taken: number; crowded: boolean; allowed: number; available: number },
): string | null {
  if (taken === k) return null;
  if (crowded) return 'crowding';
  if (taken < Math.min(k, allowed)) return 'min_score';
  return available < k ? 'corpus' : 'filter';
}
