/** Filters on real products: recall against the exact answers that came with them, on every way that a search may take. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildIndex } from '../../src/builder/build-index.js';
import type { ShardPlan } from '../../src/wire/shard-plans.js';
import { recallOf, summarizeRecall } from '../../src/evaluate/recall.js';
import { readQueries } from '../../src/ingest/read-queries.js';
import { loadVersion, type LoadedVersion } from '../../src/retrieve/load/loaded-version.js';
import { search } from '../../src/retrieve/search/run-search.js';
import { buildOptions, temporaryFolder } from '../indexes.js';

const data = join(process.env['SHORTLIST_TEST_DATA'] ?? '', 'pcparts');
const hasData = process.env['SHORTLIST_TEST_DATA'] !== undefined && existsSync(data);
const PRODUCTION = { m: 16, efConstruction: 200, seed: 42 };
const SCANS: readonly ShardPlan[] = ['auto', 'code_scan', 'exact_scan'];

/**
 * The ways that the planner may choose: below 8 % it does not walk among what passes, and it does not where less passes near
 * the query than elsewhere, which 10 % of cheap parts often do.
 */
const CASES: readonly { truth: string; filter: unknown; plans: readonly ShardPlan[] }[] = [
  { truth: 'truth_all', filter: undefined, plans: ['auto'] },
  { truth: 'truth_price_null', filter: { price: null }, plans: [...SCANS, 'widened', 'two_hop'] },
  { truth: 'truth_price_lt_100', filter: { price: { $lt: 100 } }, plans: [...SCANS, 'widened'] },
  { truth: 'truth_memory_price_lt_150', filter: { category: 'memory', price: { $lt: 150 } }, plans: SCANS },
  { truth: 'truth_price_gte_2000', filter: { price: { $gte: 2000 } }, plans: SCANS },
];

const QUERIES = 200;

describe.skipIf(!hasData).each([1, 4, 16])('pcparts in %d shards (needs SHORTLIST_TEST_DATA)', (shards) => {
  let version: LoadedVersion;
  let queries: Float32Array;
  beforeAll(async () => {
    const root = temporaryFolder();
    const options = { parameters: PRODUCTION, threads: 2, shards };
    const { manifest } = await buildIndex(buildOptions(root, 'pcparts', [join(data, 'base.zstd.arrow')], options));
    version = await loadVersion(root, 'pcparts', manifest.version);
    queries = (await readQueries([join(data, 'queries.arrow')], manifest)).vectors;
  }, 60_000);
  afterAll(() => version.close());

  it.each(CASES.flatMap(({ plans, ...rest }) => plans.map((plan) => ({ ...rest, plan }))))(
    '$truth by $plan has a recall@100 of 0.99',
    ({ truth, filter, plan }) => {
      const { dim } = version.manifest;
      const recalls = readTruth(truth).map((neighbors, position) => {
        const query = queries.subarray(position * dim, (position + 1) * dim);
        const { ordinals } = search(version, query, { k: 100, plan, ...(filter !== undefined && { filter }) });
        return recallOf(version, query, ordinals, neighbors, 100);
      });
      expect(recalls).toHaveLength(QUERIES);
      expect(summarizeRecall(recalls).byDistance).toBeGreaterThanOrEqual(0.99);
    },
  );
});

/** Rows of the truth name positions in the base file, which are the ordinals: no row was left out. */
function readTruth(name: string): Uint32Array[] {
  const column = tableFromIPC(readFileSync(join(data, `${name}.arrow`))).getChild('neighbors')!;
  const rows = [...(column as Iterable<Iterable<number>>)].slice(0, QUERIES);
  return rows.map((row) => Uint32Array.from(row));
}
