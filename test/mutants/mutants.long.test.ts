/** A short run of what `npm run test:mutants` does for as long as one likes, over the bases that differ most. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { temporaryFolder } from '../indexes.js';
import { BASES, buildBases } from './bases.js';
import { runMutants } from './run.js';

const NAMES = ['native-cosine', 'native-shards', 'hnswlib-cosine'];
const folder = temporaryFolder();
let versions: Record<string, string>;
beforeAll(async () => {
  versions = await buildBases(
    folder,
    BASES.filter(({ index }) => NAMES.includes(index)),
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const COUNT = 250;

it('versions whose digests are right and whose contents are not are refused, or answer finite, distinct and inside', async () => {
  const seed = Date.now() % 1_000_000;
  const { counts, failures } = await runMutants(folder, versions, { seed, count: COUNT });
  expect(failures, `seed ${seed}`).toEqual([]);
  const judged = Object.values(counts).reduce((sum, count) => sum + count, 0);
  expect(judged, `seed ${seed}`).toBe(COUNT);
  // Some of each, or the mutants are no longer what they were.
  expect(counts['refused'], `seed ${seed}`).toBeGreaterThan(0);
  expect(counts['answered, refused by verify'], `seed ${seed}`).toBeGreaterThan(0);
  expect(counts['answered'], `seed ${seed}`).toBeGreaterThan(0);
});
