/** The forecast of builds, against builds that a formula describes and against real ones. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildIndex } from '../../../src/builder/build-index.js';
import { forecastBuild } from '../../../src/builder/forecast/forecast.js';
import { forecastMachine } from '../../../src/builder/forecast/machine-plan.js';
import { modelCost, byStage, type BuildShape } from '../../../src/builder/forecast/model.js';
import { readPastBuilds, shapeOf, type PastBuild } from '../../../src/builder/forecast/past-builds.js';
import { buildOptions, makeVectors, temporaryFolder, writeCatalog } from '../../indexes.js';

const SHAPE: BuildShape = {
  rows: 1_000_000,
  dim: 96,
  engine: 'native',
  m: 16,
  efConstruction: 200,
  shards: 1,
  threads: 2,
  calibrate: true,
  idType: { kind: 'utf8' },
  idBytes: 12,
  attributeBytes: 40,
};

/** A build that took so many times what the model says. */
function builtAt(factor: number, more: Partial<BuildShape> = {}, cpu = 'here'): PastBuild {
  const shape = { ...SHAPE, ...more };
  const { memoryBytes, diskBytes, seconds } = modelCost(shape);
  const cost = { memoryBytes, diskBytes, seconds: byStage((stage) => factor * seconds[stage]) };
  return { index: 'items', version: `v${factor}`, cpu, shape, cost, planned: null };
}

const timeOf = (past: readonly PastBuild[], shape = SHAPE) => forecastBuild(shape, past, 'here').seconds;
const modelled = timeOf([]).value;

describe('a forecast', () => {
  it('without past builds is the model, with a wide range', () => {
    const { value, low, high } = timeOf([]);
    expect([value / low, high / value].map((factor) => factor.toFixed(3))).toEqual(['3.000', '3.000']);
  });

  it('follows past builds, the nearest most', () => {
    expect(timeOf([builtAt(2)]).value / modelled).toBeCloseTo(2);
    const mixed = timeOf([builtAt(2), builtAt(8, { rows: 10_000 })]).value / modelled;
    expect(mixed).toBeGreaterThan(2);
    expect(mixed).toBeLessThan(2.1);
  });

  it('is narrower the more equal and the nearer the past builds are', () => {
    const widthOf = (past: readonly PastBuild[]): number => timeOf(past).high / timeOf(past).low;
    const near = widthOf([builtAt(1), builtAt(1.05)]);
    expect(near).toBeLessThan(widthOf([builtAt(1), builtAt(2.5)]));
    expect(near).toBeLessThan(widthOf([builtAt(1, { rows: 20_000 }), builtAt(1.05, { rows: 20_000 })]));
    expect(widthOf([builtAt(1, { rows: 10 })])).toBeLessThan(widthOf([]) + 1e-9);
  });

  it('does not take the time of another processor if there is one of this', () => {
    const past = [builtAt(2), builtAt(9, {}, 'elsewhere')];
    expect(timeOf(past).value / modelled).toBeCloseTo(2);
    expect(timeOf(past.slice(1)).value / modelled).toBeCloseTo(9);
    expect(forecastBuild(SHAPE, past, 'here')).toMatchObject({ builds: 2, buildsHere: 1 });
  });

  it('grows with rows, dimension, links and effort, and falls with threads', () => {
    const more = [{ rows: 2e6 }, { dim: 192 }, { m: 32 }, { efConstruction: 400 }, { threads: 1 }];
    for (const change of more) expect(timeOf([], { ...SHAPE, ...change }).value, JSON.stringify(change)).toBeGreaterThan(modelled); // prettier-ignore
  });
});

describe('shards', () => {
  it('are the fewest with which the build fits into the memory', () => {
    const big = { ...SHAPE, rows: 100_000_000, dim: 128 };
    const plan = forecastMachine(big, null, [], 64 * 2 ** 30);
    expect(plan.fits).toBe(true);
    expect(plan.shape.shards).toBeGreaterThan(1);
    expect(forecastMachine(big, plan.shape.shards - 1, [], 64 * 2 ** 30).fits).toBe(false);
    expect(plan.requiredBytes).toBeLessThanOrEqual(64 * 2 ** 30);
  });

  it('cannot make a build fit whose ids alone are too large', () => {
    expect(forecastMachine({ ...SHAPE, rows: 1e9 }, null, [], 2 ** 30)).toMatchObject({ fits: false, shape: { shards: 1 } }); // prettier-ignore
  });
});

describe('past builds', () => {
  it('are read from manifests and notes, with what they had planned', async () => {
    const root = temporaryFolder();
    const input = join(root, '.items.arrow');
    writeCatalog(input, { vectors: makeVectors(2_000, 24, 1), dim: 24 });
    const options = buildOptions(root, 'items', [input], { shards: 2, calibrate: true });
    const first = await buildIndex(options);
    const second = await buildIndex(options);
    const past = await readPastBuilds(root);
    expect(past.map(({ version }) => version)).toEqual([first.manifest.version, second.manifest.version]);
    const [, { shape, cost, planned }] = past as [PastBuild, PastBuild];
    expect(shape).toMatchObject({ rows: 2_000, dim: 24, m: 8, efConstruction: 60, shards: 2, threads: 1, calibrate: true });
    expect(cost.diskBytes).toBe(second.bytes);
    expect(cost.seconds.graph).toBe(second.manifest.stages['graph']);
    expect(cost.seconds.calibrate).toBe(second.stages['calibrate']);
    expect(cost.memoryBytes).toBe(second.peakBytes);
    expect(planned).toEqual(second.planned);
    expect(Math.abs(Math.log(second.bytes / planned!.disk_bytes))).toBeLessThan(Math.log(1.05));
    // The ids and attributes of the manifest lead to the sizes of its files again.
    expect(modelCost(shapeOf(second.manifest, 1, true)!).diskBytes / second.bytes).toBeCloseTo(1, 0);
  }); // prettier-ignore
});
