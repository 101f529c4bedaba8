import { readFileSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Metric } from '../../../src/base/metric.js';
import { buildIndex } from '../../../src/builder/build-index.js';
import { openExactSearch } from '../../../src/engine/exact-search.js';
import { calibrate, storeCalibration } from '../../../src/evaluate/calibrate/calibrate.js';
import { GroupShards } from '../../../src/evaluate/calibrate/group-shards.js';
import { drawQueries, hideRows, type CalibrationQueries } from '../../../src/evaluate/calibrate/calibration-queries.js';
import { Trial } from '../../../src/evaluate/calibrate/trial.js';
import { TruthOnDemand } from '../../../src/evaluate/calibrate/hidden-truth.js';
import { meanOf } from '../../../src/evaluate/calibrate/recall-bound.js';
import {
  readCalibration,
  resolveDefaultEf,
  resolveEf,
  type Calibration,
} from '../../../src/retrieve/load/calibration.js';
import { loadVersion, type LoadedVersion } from '../../../src/retrieve/load/loaded-version.js';
import { openIndex } from '../../../src/retrieve/library/open-index.js';
import { search } from '../../../src/retrieve/search/run-search.js';
import { notesDirectory, resolveVersion, writeNote } from '../../../src/version/state/catalog.js';
import { buildOptions, buildVectors, makeVectors, temporaryFolder, writeCatalog } from '../../indexes.js';

const DIM = 24;
const ROWS = 8_000;
const root = temporaryFolder();
const pool = openExactSearch(2);
// Uniform vectors have no structure that a graph could use: they need an ef of many times k.
const vectors = makeVectors(ROWS, DIM, 5);
const newVectors = makeVectors(400, DIM, 6);
let version: LoadedVersion;
let name: string;
let calibration: Calibration;

beforeAll(async () => {
  name = (await buildVectors(root, 'hard', { vectors, dim: DIM, shards: 2 })).version;
  version = await loadVersion(root, 'hard', name);
  calibration = await calibrate(version, { pool });
}, 60_000);

afterAll(async () => {
  version.close();
  await pool.close();
});

/** Of every query at one k and ef, among a random share of the rows. */
async function recallsAt(queries: CalibrationQueries, selectivity: number, k: number, ef: number): Promise<number[]> {
  const folds = new GroupShards(version, queries);
  const trial = new Trial(folds, selectivity, 99);
  const truth = await new TruthOnDemand(trial, pool).find(queries.count, k);
  const recalls: number[] = [];
  for (const [position, neighbors] of truth.entries())
    recalls.push(trial.tryQuery(await trial.searchSpaceOf(position), neighbors, position, { k, ef }).recall);
  await folds.close();
  return recalls;
}

const fresh = (): CalibrationQueries => drawQueries(version, newVectors, 400, 1);

/** What the mean may lie below the truth of all queries: three standard errors of this sample. */
function tolerance(recalls: readonly number[]): number {
  const mean = meanOf(recalls);
  return 3 * Math.sqrt(meanOf(recalls.map((recall) => (recall - mean) ** 2)) / recalls.length);
}

describe('a calibration', () => {
  it('has a band for each k and each share of passing rows, and recall that rises with ef', () => {
    const shares = [1, 0.5, 0.2, 0.1, 0.05];
    expect(calibration.bands.map(({ selectivity }) => selectivity)).toEqual(shares.flatMap((share) => [share, share, share])); // prettier-ignore
    expect(calibration.bands.slice(0, 6).map(({ k }) => k)).toEqual([10, 100, 1000, 10, 100, 1000]);
    for (const { points } of calibration.bands) {
      const efs = points.map(({ ef }) => ef);
      expect(efs).toEqual([...new Set(efs)].sort((a, b) => a - b));
      for (const point of points) expect(point.recall_low).toBeLessThan(point.recall);
    }
    const [first, ...rest] = calibration.bands[0]!.points;
    expect(first!.recall).toBeLessThan(0.9);
    expect(rest.at(-1)!.recall_low).toBeGreaterThan(0.995);
  });

  it('is the same each time it is measured', async () => {
    expect(await calibrate(version, { pool })).toEqual(calibration);
  }, 120_000);

  it('is the same with a second thread', async () => {
    expect(await calibrate(version, { pool, root })).toEqual(calibration);
  }, 120_000);

  it('fails as the second thread does', async () => {
    await expect(calibrate(version, { pool, root: join(root, 'nowhere') })).rejects.toMatchObject({
      code: 'version_not_found',
    });
  });

  it.each([10, 30, 100])('promises a recall at k %d that new queries have', async (k) => {
    const efs: number[] = [];
    for (const targetRecall of [0.9, 0.95, 0.98, 0.99]) {
      const { ef } = resolveEf(calibration, { k, targetRecall });
      const recalls = await recallsAt(fresh(), 1, k, ef);
      expect(meanOf(recalls) + tolerance(recalls), `target ${targetRecall}, ef ${ef}`).toBeGreaterThan(targetRecall);
      efs.push(ef);
    }
    expect(efs.at(-1)).toBeGreaterThan(efs[0]!);
  });

  it('promises a recall under a filter that new queries have under another filter', async () => {
    for (const selectivity of [0.4, 0.15]) {
      const { ef } = resolveEf(calibration, { k: 10, targetRecall: 0.98, selectivity });
      const recalls = await recallsAt(fresh(), selectivity, 10, ef);
      expect(meanOf(recalls) + tolerance(recalls), `selectivity ${selectivity}`).toBeGreaterThan(0.98);
    }
  });

  it('takes the queries of a file where there is one', async () => {
    const own = await calibrate(version, { pool, queries: newVectors });
    expect(own).toMatchObject({ source: 'file', queries: 400 });
    const [made, given] = [calibration, own].map((one) => resolveEf(one, { k: 10, targetRecall: 0.95 }).ef);
    expect(given! / made!).toBeGreaterThan(0.5);
    expect(given! / made!).toBeLessThan(2);
  }, 30_000);

  it('ends when it is aborted', async () => {
    const controller = new AbortController();
    const onProgress = (): void => controller.abort(new Error('enough'));
    const { signal } = controller;
    await expect(calibrate(version, { pool, root, signal, onProgress })).rejects.toThrow('enough');
  });
});

describe('rows that are hidden from their own searches', () => {
  it('find what new rows do, and rows asked as they are find more', async () => {
    const measure = async (queries: CalibrationQueries) => meanOf(await recallsAt(queries, 1, 10, 24));
    const hidden = hideRows(version, 1_000, 3);
    const bare = { ...hidden, groups: [{ from: 0, to: hidden.count, hidden: version.shards.map(() => new Uint32Array(0)) }] };
    const expected = await measure(fresh());
    expect(Math.abs((await measure(hidden)) - expected)).toBeLessThan(0.03);
    expect((await measure(bare)) - expected).toBeGreaterThan(0.035);
  }); // prettier-ignore

  it('are found by no search of their fold, at any ef, under a filter, or where everything is scanned', async () => {
    const queries = hideRows(version, 200, 3);
    const folds = new GroupShards(version, queries);
    for (const fold of queries.groups) {
      for (const [position, { graph }] of (await folds.shards(fold)).entries()) {
        const hidden = new Set(fold.hidden[position]);
        const { count } = graph.vectors;
        for (const row of hidden) {
          const query = graph.vectors.values.subarray(row * DIM, (row + 1) * DIM);
          for (const [k, ef] of [[5, 10], [100, 400], [count, count]] as const) {
            const { rows } = graph.search(query, { k, ef });
            expect(rows.some((found) => hidden.has(found))).toBe(false);
            expect(rows).toHaveLength(Math.min(k, count - hidden.size));
          }
        }
      }
    }
    await folds.close();
  }, 30_000); // prettier-ignore
});

describe('small and odd versions', () => {
  it.each<[string, Metric, Float32Array]>([
    ['one row', 'l2', makeVectors(1, 4, 1)],
    ['five rows', 'cosine', makeVectors(5, 4, 1)],
    ['five rows', 'ip', makeVectors(5, 4, 1)],
    ['equal rows', 'l2', new Float32Array(4 * 300).fill(0.5)],
    ['components at the limit', 'l2', Float32Array.from({ length: 400 }, (_, i) => (i % 3 === 0 ? 1e18 : -1e18))],
    ['three hundred rows', 'ip', makeVectors(300, 4, 1)],
  ])('%s under %s are calibrated and reach 0.99', async (_, metric, rows) => {
    const folder = temporaryFolder();
    const built = await buildVectors(folder, 'small', { vectors: rows, dim: 4, metric });
    const small = await loadVersion(folder, 'small', built.version);
    const own = await calibrate(small, { pool });
    await storeCalibration(folder, small.manifest, own);
    expect(await readCalibration(folder, 'small', built.version)).toEqual(own);
    await small.refreshCalibration();
    for (const k of [1, 10, 10_000]) {
      const { quality } = search(small, small.vectorOf(0), { k, targetRecall: 0.99 });
      expect(quality.ef).toBeGreaterThan(0);
    }
    small.close();
  });

  it('an engine that raises ef to k has no points below k', async () => {
    const folder = temporaryFolder();
    const input = join(folder, 'input.arrow');
    writeCatalog(input, { vectors: vectors.subarray(0, 1_000 * DIM), dim: DIM });
    const { manifest } = await buildIndex(buildOptions(folder, 'portable', [input], { engine: 'hnswlib' }));
    const portable = await loadVersion(folder, 'portable', manifest.version);
    const { bands } = await calibrate(portable, { pool });
    for (const { k, points } of bands) expect(points[0]!.ef).toBeGreaterThanOrEqual(k);
    portable.close();
  });
});

describe('a search', () => {
  const query = newVectors.subarray(0, DIM);

  it('before calibration takes max(200, 2k), and refuses a target by saying what to run', () => {
    expect(search(version, query, { k: 10 }).quality.ef).toBe(200);
    expect(search(version, query, { k: 300 }).quality.ef).toBe(600);
    expect(() => search(version, query, { k: 10, targetRecall: 0.9 })).toThrow(
      expect.objectContaining({
        code: 'not_calibrated',
        message: expect.stringContaining(`shortlist evaluate hard@${name} --calibrate`) as unknown,
      }) as Error,
    );
  });

  it('after calibration takes the calibrated default, says which, and reaches a target', async () => {
    await storeCalibration(root, version.manifest, calibration);
    const index = await openIndex(root, 'hard', { version: name, threads: 1 });
    expect(index.search(query, { k: 10 }).quality.ef).toBe(resolveDefaultEf(calibration, { k: 10 }));
    const { ef } = resolveEf(calibration, { k: 10, targetRecall: 0.95 });
    expect(index.search(query, { k: 10, targetRecall: 0.95 }).quality.ef).toBe(ef);
    const [answer] = await index.searchBatch(query, { k: 10, targetRecall: 0.95 });
    expect(answer!.quality.ef).toBe(ef);
    expect(index.search(query, { k: 10, ef: 3 }).quality.ef).toBe(10);
    await index.close();
  });

  it('of a version that is open takes a calibration that is measured meanwhile', async () => {
    expect(version.calibration().calibration).toBeNull();
    await version.refreshCalibration();
    expect(version.calibration().calibration).toEqual(calibration);
    expect(search(version, query, { k: 10 }).quality.ef).toBe(resolveDefaultEf(calibration, { k: 10 }));
  });

  it.each([
    [{ targetRecall: 0 }, 'target_recall_out_of_range'],
    [{ targetRecall: 1.01 }, 'target_recall_out_of_range'],
    [{ targetRecall: NaN }, 'target_recall_out_of_range'],
    [{ targetRecall: 0.9, ef: 100 }, 'bad_request'],
    [{ targetRecall: 0.9, exact: true }, 'bad_request'],
    [{ targetRecall: 0.999999 }, 'recall_unreachable'],
  ])('with %j is refused: %s', (options, code) =>
    expect(() => search(version, query, { k: 10, ...options })).toThrow(expect.objectContaining({ code }) as Error),
  );

  it('with a damaged or foreign calibration answers as before calibration, and says why it cannot take a target', async () => {
    const path = join(notesDirectory(root, 'hard', name), 'calibration.json');
    const sound = readFileSync(path);
    const damaged = Uint8Array.from(sound);
    damaged[damaged.length >> 1]! ^= 1;
    const put = (note: object) => writeNote(root, 'hard', name, 'calibration', note);
    const [band] = calibration.bands;
    const changes = [
      () => writeFile(path, damaged),
      () => put({ ...calibration, format: 1 }),
      () => put({ ...calibration, format: 4 }),
      () => put({ ...calibration, bands: [] }),
      () => put({ ...calibration, bands: [{ ...band!, points: [] }] }),
      () => put({ ...calibration, bands: [{ ...band!, points: band!.points.toReversed() }] }),
      () => put({ ...calibration, bands: [{ ...band!, points: [{ ...band!.points[0]!, ef: 0 }] }] }),
    ];
    for (const change of changes) {
      await change();
      await expect(readCalibration(root, 'hard', name)).rejects.toMatchObject({ code: 'state_corrupt' });
      await version.refreshCalibration();
      expect(search(version, query, { k: 10 }).quality.ef).toBe(200);
      expect(() => search(version, query, { k: 10, targetRecall: 0.9 })).toThrow(path);
    }
    writeFileSync(path, sound);
  });
});

describe('a build', () => {
  const folder = temporaryFolder();
  const input = join(folder, 'input.arrow');
  beforeAll(() => writeCatalog(input, { vectors: vectors.subarray(0, 1_000 * DIM), dim: DIM }));

  it('calibrates its version where that is wanted, as a stage of its own', async () => {
    const stages = new Set<string>();
    const onProgress = (stage: string): void => void stages.add(stage);
    const options = buildOptions(folder, 'items', [input], { calibrate: true, onProgress });
    const { manifest, stages: seconds, calibration: measured } = await buildIndex(options);
    expect(stages).toContain('calibrate');
    expect(Object.keys(seconds).at(-1)).toBe('calibrate');
    expect(await readCalibration(folder, 'items', manifest.version)).toEqual(measured);
    const plain = await buildIndex(buildOptions(folder, 'items', [input]));
    expect(plain.calibration).toBeNull();
    expect(await readCalibration(folder, 'items', plain.manifest.version)).toBeNull();
  });

  it('that is interrupted while it calibrates leaves the version, and says so', async () => {
    const controller = new AbortController();
    const onProgress = (stage: string): void => {
      if (stage === 'calibrate') controller.abort(new Error('stop'));
    };
    const options = buildOptions(folder, 'cut', [input], { calibrate: true, onProgress, signal: controller.signal });
    const failure = await buildIndex(options).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'interrupted', message: expect.stringContaining('the version is complete') as unknown }); // prettier-ignore
    const { version: left } = (failure as { details: { version: string } }).details;
    expect(await resolveVersion(folder, 'cut', left)).toBe(left);
    expect(await readCalibration(folder, 'cut', left)).toBeNull();
  });
});
