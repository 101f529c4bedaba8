/** Walks that take too long for the calling thread are made elsewhere, and answer the same. */
import { afterAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/base/random.js';
import type { ShardVectors } from '../../../src/engine/engine.js';
import { openExactSearch } from '../../../src/engine/exact-search.js';
import { loadVersion } from '../../../src/retrieve/load/loaded-version.js';
import { isLongWalk } from '../../../src/retrieve/search/local-shards.js';
import { searchNow } from '../../../src/retrieve/search/run-search.js';
import { askFor, beginLong } from './in-turns.js';
import { type SearchOptions } from '../../../src/retrieve/search/search-options.js';
import { buildVersion, temporaryFolder } from '../../indexes.js';

const ROWS = 20_000;
const DIM = 64;

it('a walk is long by its places, its rows and its components, under a filter sooner, and shards add up', () => {
  const rows = (dim: number, count = 1e6): ShardVectors => ({ metric: 'l2', dim, count, values: new Float32Array(0) });
  expect(isLongWalk({ k: 100, ef: 256, allowed: 1e6 }, rows(768), 1)).toBe(false);
  expect(isLongWalk({ k: 100, ef: 256, allowed: 1e5 }, rows(96), 1)).toBe(false);
  expect(isLongWalk({ k: 10_000, ef: 256, allowed: 1e6 }, rows(96), 1)).toBe(true);
  expect(isLongWalk({ k: 10_000, ef: 10_000, allowed: 500 }, rows(96, 500), 1)).toBe(false);
  expect(isLongWalk({ k: 100, ef: 5_000, allowed: 1e6 }, rows(768), 1)).toBe(true);
  expect(isLongWalk({ k: 600, ef: 1_000, allowed: 1e6 }, rows(768), 1)).toBe(false);
  expect(isLongWalk({ k: 600, ef: 1_000, allowed: 5e5 }, rows(768), 1)).toBe(true);
  expect(isLongWalk({ k: 600, ef: 1_000, allowed: 1e6 }, rows(768), 4)).toBe(true);
});

describe.each([1, 3])('long walks of a version of %d shards', (shards) => {
  const root = temporaryFolder();
  const pool = openExactSearch();
  const opened = buildVersion(root, 'long', { rows: ROWS, dim: DIM, shards, engine: 'native' }).then(({ version }) =>
    loadVersion(root, 'long', version),
  );
  afterAll(async () => {
    await pool.close();
    (await opened).close();
  });

  it('answer as on the calling thread, with the same account', async () => {
    const version = await opened;
    const seed = Date.now() % 1e6;
    const random = seededRandom(seed);
    const options: SearchOptions[] = [
      { k: 10_000 },
      { k: 100, ef: 10_000 },
      { k: 9_000, excludeIds: ['1', '2', '3'] },
      { k: 10_000, minScore: 0.05 },
      { k: 9_000, explain: true },
    ];
    const asked = options.map((own) => ({ own, self: Math.floor(random() * ROWS) }));
    const answers = await Promise.all(
      asked.map(async ({ own, self }) => {
        const begun = beginLong(version, askFor(version, version.vectorOf(self), own, self));
        expect(begun.partialAnswer().quality.short).toBe('timeout');
        return begun.finish(pool);
      }),
    );
    for (const [i, { own, self }] of asked.entries()) {
      const expected = searchNow(version, askFor(version, version.vectorOf(self), own, self));
      const { explain, ...answer } = answers[i]!;
      expect({ ...answer, explain: undefined }, `seed ${seed}`).toEqual({ ...expected, explain: undefined });
      const counts = (one: typeof explain) =>
        one?.shards.map(({ plan, k, ef, visited, computed }) => ({ plan, k, ef, visited, computed }));
      expect(counts(explain)).toEqual(counts(expected.explain));
    }
  });

  it('end with the reason of a signal, and those that wait do not begin', async () => {
    const version = await opened;
    const begun = () => beginLong(version, askFor(version, version.vectorOf(7), { k: 10_000 }));
    const controller = new AbortController();
    const all = Array.from({ length: 20 }, () => begun().finish(pool, { signal: controller.signal }));
    const ended = Promise.allSettled(all);
    controller.abort(new Error('gone'));
    for (const one of await ended) expect(one).toMatchObject({ status: 'rejected', reason: { message: 'gone' } });
    expect((await begun().finish(pool)).ordinals).toHaveLength(10_000);
  });
});
