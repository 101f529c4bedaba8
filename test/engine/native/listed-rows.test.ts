import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { METRICS } from '../../../src/base/metric.js';
import { Bitset } from '../../../src/base/bitset.js';
import { seededRandom } from '../../../src/base/random.js';
import { SHARD_PLANS } from '../../../src/wire/shard-plans.js';
import { nativeEngine as native } from '../../../src/engine/native/native.js';
import { openNative } from '../../../src/engine/native/open.js';
import { makeFolder, PARAMETERS, sourceOf } from '../graphs.js';
import { bruteForce, expectSame, randomSet, randomVectors, rowOf } from '../reference.js';

const folder = makeFolder();
afterAll(() => folder.remove());

const listOf = (set: Bitset): Uint32Array =>
  Uint32Array.from({ length: set.size }, (_, row) => row).filter((row) => set.has(row));

describe('a filter whose rows are listed', () => {
  it.each(METRICS)(
    'gives the answers of its bits on every plan, rows taken out of the bits included, %s',
    async (metric) => {
      const seed = Date.now() % 1e6;
      const random = seededRandom(seed);
      for (const count of [63, 64, 65, 1000, 5003]) {
        const vectors = randomVectors({ metric, dim: 24 }, count, seed);
        const path = join(folder.path, `${metric}-${count}.graph`);
        await native.build(sourceOf(vectors), PARAMETERS, path, { threads: 2 });
        const index = await openNative(path, vectors, PARAMETERS);
        for (const share of [0, 0.001, 0.02, 0.1, 0.6, 1]) {
          const allow = randomSet(count, share, seed + 1);
          const list = listOf(allow);
          for (const row of list.filter(() => random() < 0.1)) allow.delete(row);
          const query = rowOf(vectors, Math.floor(random() * count));
          for (const plan of SHARD_PLANS.filter((name) => name !== 'graph')) {
            const options = { k: 20, ef: 50, allow, plan };
            const byBits = index.search(query, options);
            expectSame({ seed, ...index.search(query, { ...options, allowList: list }) }, { seed, ...byBits });
            if (plan === 'exact_scan') expectSame(byBits.rows, bruteForce(vectors, query, { k: 20, allow }).rows);
          }
        }
        index.close();
      }
    },
  );

  it('must list rows of the shard in ascending order', async () => {
    const vectors = randomVectors({ metric: 'l2', dim: 8 }, 100, 1);
    const path = join(folder.path, 'order.graph');
    await native.build(sourceOf(vectors), PARAMETERS, path, { threads: 1 });
    const index = await openNative(path, vectors, PARAMETERS);
    const allow = Bitset.full(100);
    for (const rows of [
      [2, 1],
      [1, 1],
      [99, 100],
    ]) {
      const options = { k: 1, ef: 10, allow, allowList: Uint32Array.from(rows) };
      expect(() => index.search(rowOf(vectors, 0), options), String(rows)).toThrow('allowList');
    }
    index.close();
  });
});
