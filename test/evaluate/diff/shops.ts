/** Small versions of one catalogue, each with a change that a night can bring. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Bool, Field, FixedSizeList, Float32, Float64, Int64, Table, Utf8, Vector, makeData, tableToIPC, vectorFromArray } from 'apache-arrow'; // prettier-ignore
import { seededRandom } from '../../../src/base/random.js';
import { buildIndex } from '../../../src/builder/build-index.js';
import type { BuildOptions } from '../../../src/builder/build-options.js';
import { buildOptions, makeVectors } from '../../indexes.js';

export interface Item {
  /** Texts become an Arrow column of strings. */
  readonly id: number | string;
  readonly vector: Float32Array;
  readonly title: string;
  readonly shop: string;
  readonly price: number;
  readonly handmade: boolean;
}

export const SHOPS = ['oak', 'birch', 'elm', 'pine'];

/** Items with random vectors; item i is of shop i mod 4. */
export function makeItems(count: number, dim: number, seed: number, firstId = 0): Item[] {
  const vectors = makeVectors(count, dim, seed);
  const random = seededRandom(seed + 1);
  return Array.from({ length: count }, (_, i) => ({
    id: firstId + i,
    vector: vectors.subarray(i * dim, (i + 1) * dim),
    title: `item ${firstId + i}`,
    shop: SHOPS[(firstId + i) % SHOPS.length]!,
    price: Math.round(random() * 1000) / 10,
    handmade: random() < 0.5,
  }));
}

/** Rotates all vectors alike: each plane of two components by its own angle, then the components by one place. */
export function rotate(items: readonly Item[]): Item[] {
  return items.map((item) => {
    const turned = item.vector.slice();
    for (let i = 0; i + 1 < turned.length; i += 2) {
      const [x, y, angle] = [item.vector[i]!, item.vector[i + 1]!, 1 + i];
      turned[i] = x * Math.cos(angle) - y * Math.sin(angle);
      turned[i + 1] = x * Math.sin(angle) + y * Math.cos(angle);
    }
    return { ...item, vector: Float32Array.from(turned, (_, i) => turned[(i + 1) % turned.length]!) };
  });
}

/** Adds noise to all vectors. */
export function blur(items: readonly Item[], amount: number): Item[] {
  const random = seededRandom(7);
  return items.map((item) => ({ ...item, vector: item.vector.map((value) => value + amount * (random() - 0.5)) }));
}

export function writeItems(path: string, items: readonly Item[]): void {
  const dim = items[0]!.vector.length;
  const data = new Float32Array(items.length * dim);
  for (const [i, { vector }] of items.entries()) data.set(vector, i * dim);
  const list = new FixedSizeList(dim, new Field('item', new Float32(), false));
  const child = makeData({ type: new Float32(), length: data.length, nullCount: 0, data });
  const table = new Table({
    id: typeof items[0]!.id === 'string' ? vectorFromArray(items.map(({ id }) => id), new Utf8()) : vectorFromArray(items.map(({ id }) => BigInt(id)), new Int64()),
    title: vectorFromArray(items.map(({ title }) => title), new Utf8()),
    shop: vectorFromArray(items.map(({ shop }) => shop), new Utf8()),
    price: vectorFromArray(items.map(({ price }) => price), new Float64()),
    handmade: vectorFromArray(items.map(({ handmade }) => handmade), new Bool()),
    embedding: new Vector([makeData({ type: list, length: items.length, nullCount: 0, child })]),
  }); // prettier-ignore
  writeFileSync(path, tableToIPC(table, 'file'));
}

/** @returns the name of the version */
export async function buildItems(
  root: string,
  index: string,
  items: readonly Item[],
  more: Partial<BuildOptions> = {},
): Promise<string> {
  const input = join(root, `.items-${index}.arrow`);
  writeItems(input, items);
  const { manifest } = await buildIndex(buildOptions(root, index, [input], more));
  rmSync(input);
  return manifest.version;
}
