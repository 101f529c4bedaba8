/** The benches measure what they say: runs over small data, the engine bench's of shortlist and of the peer that every installation has. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readResult, type BenchResult } from '../../bench/engine/result.js';
import { benchTables } from '../../bench/engine/tables.js';
import { filterTable, readFilterResult, RELATIONS } from '../../bench/filters/result.js';
import { FORMS } from '../../bench/serve/forms.js';
import { readServeResult, serveTable } from '../../bench/serve/result.js';

// Figures do not matter here, and warm servers take their time.
process.env['SHORTLIST_WARM_UP_MS'] = '50';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const PEERS = ['shortlist', 'hnswlib-node'] as const;
const DATA = 'embeddings-3000x64';
/** Folder of real data; a test that needs it is skipped where it is missing. */
const REAL = process.env['SHORTLIST_TEST_DATA'];

let folder: string;
let result: BenchResult;

function runBench(...args: string[]): Promise<{ stderr: string }> {
  return run('engine', ...args);
}

async function run(bench: string, ...args: string[]): Promise<{ stderr: string }> {
  const all = ['--import', 'tsx', `bench/${bench}/main.ts`, '--quick', '--work', folder, ...args];
  return promisify(execFile)(process.execPath, all, { cwd: PROJECT });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'shortlist-bench-test-'));
  const out = join(folder, 'result.json');
  await runBench('--only', 'compare', '--peers', PEERS.join(','), '-k', '10', '--out', out);
  result = readResult(out)!;
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('a quick run of the engine bench', () => {
  it('times points that reach the recall, every engine in every round', () => {
    const { search, rounds } = result.compare![DATA]!;
    expect(search.map(({ k, least_recall }) => [k, least_recall])).toEqual([[10, 0.95], [10, 0.99]]); // prettier-ignore
    for (const { least_recall, peers } of search) {
      expect(Object.keys(peers)).toEqual(PEERS);
      for (const found of Object.values(peers)) {
        expect(found!.recall).toBeGreaterThanOrEqual(least_recall);
        expect(found!.recall).toBeGreaterThanOrEqual(found!.recall_by_id);
        expect(found!.qps).toHaveLength(rounds);
        expect(Math.max(...found!.qps)).toBe(found!.qps_best);
        expect(found!.p99_us).toBeGreaterThanOrEqual(found!.p50_us);
      }
    }
  });

  it('measures builds, files, opening and memory', () => {
    const { peers, rows, dim } = result.compare![DATA]!;
    for (const name of PEERS) {
      const { builds, file_bytes, open_ms, rss_bytes } = peers[name]!;
      expect(file_bytes).toBeGreaterThan(4 * rows * dim);
      expect(open_ms).toBeGreaterThan(0);
      expect(rss_bytes).toBeGreaterThan(0);
      expect(builds.map(({ threads }) => threads)).toEqual([name === 'shortlist' ? 2 : 1]);
      for (const { seconds, graph_seconds } of builds) expect(graph_seconds[0]).toBeLessThanOrEqual(seconds[0]!);
    }
  });

  it('gives the tables of the README, with ratios of the same round', () => {
    const rows = benchTables(result).split('\n').filter((line) => line.startsWith(`| ${DATA}`)); // prettier-ignore
    expect(rows).toHaveLength(3);
    expect(rows[0]).toMatch(/^\| embeddings-3000x64 \| 10 \| [\d,]+ \| [\d,]+ \(\d+\.\d\) \|/);
  });

  it.skipIf(REAL === undefined)(
    'reads real data sets, whose files are compressed (needs SHORTLIST_TEST_DATA)',
    async () => {
      const out = join(folder, 'real.json');
      await runBench('--only', 'compare', '--peers', 'shortlist', '--data', 'mnist10k', '-k', '10', '--out', out);
      expect(readResult(out)!.compare!['mnist10k']!.rows).toBe(9_000);
    },
  );

  it('searches indexes that are there, and leaves the rest of the result as it is', async () => {
    const out = join(folder, 'result.json');
    await runBench('--only', 'compare', '--peers', 'hnswlib-node', '-k', '10', '--reuse', '--out', out);
    expect(readResult(out)!.compare![DATA]!.peers['hnswlib-node']!.builds).toEqual([]);
    expect(Object.keys(readResult(out)!.compare!)).toEqual([DATA]);
  });

  it('names what there is when it is asked for what there is not', async () => {
    await expect(runBench('--peers', 'faiss')).rejects.toThrow('there is no engine faiss; there are shortlist,');
  });
});

describe('a quick run of the request bench', () => {
  it("loads a server in every wire form, with answers that are the library's", async () => {
    const out = join(folder, 'serve.json');
    await run('serve', '--out', out, '--seconds', '0.1');
    const served = readServeResult(out)!;
    expect(served.cases.map(({ form }) => form)).toEqual([...FORMS, ...FORMS, ...FORMS, ...FORMS]);
    for (const { closed, open, recall, search_us } of served.cases) {
      expect(recall).toBeGreaterThan(0.95);
      expect(search_us).toBeGreaterThan(0);
      for (const { requests, p50_ms, p99_ms } of [closed, open]) {
        expect(requests).toBeGreaterThan(0);
        expect(p99_ms).toBeGreaterThanOrEqual(p50_ms);
      }
    }
    expect(served.batch.ratio).toBeGreaterThan(0);
    expect(served.deadline.requests).toBeGreaterThanOrEqual(served.deadline.out_of_time);
    expect(served.deadline.p99_ms).toBeGreaterThanOrEqual(served.deadline.p50_ms);
    expect(serveTable(served).split('\n').filter((line) => /^\| 10+(, filter)? \|/.test(line))).toHaveLength(4); // prettier-ignore
  });
});

describe('a quick run of the filter bench', () => {
  it('measures every share and relation at the recall that it promises', async () => {
    const out = join(folder, 'filters.json');
    await run('filters', '--out', out);
    const { cases, least_recall } = readFilterResult(out)!;
    expect(cases.map(({ relation }) => relation)).toEqual(RELATIONS.flatMap((relation) => Array<string>(9).fill(relation))); // prettier-ignore
    for (const { least, unfiltered, ratio, median_us, unfiltered_us } of cases) {
      expect(Math.min(least.recall, unfiltered.recall)).toBeGreaterThanOrEqual(least_recall);
      expect(ratio).toBeCloseTo(median_us / unfiltered_us, 2);
    }
    expect(filterTable(readFilterResult(out)).split('\n').filter((line) => / % \|/.test(line))).toHaveLength(9); // prettier-ignore
  });
});
