import { chmodSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { runGate } from '../../src/gate/gate.js';
import { describeRefusal, formatValue } from '../../src/gate/verdict.js';
import { seededRandom } from '../../src/base/random.js';
import { buildIndex } from '../../src/builder/build-index.js';
import { publishGated } from '../../src/builder/publish-gated.js';
import { ENGINE_NAMES, engineOf } from '../../src/engine/engines.js';
import { loadVersion } from '../../src/retrieve/load/loaded-version.js';
import { readCurrent, readNote } from '../../src/version/state/catalog.js';
import { buildOptions, buildVectors, buildVersion, makeVectors, temporaryFolder } from '../indexes.js';
import { SealedVersion, type Loose } from '../mutants/sealed-version.js';
import { makeNightlyCatalog, writeNight, type Catalog } from './nights.js';

const options = { dryRun: false };

describe.each(ENGINE_NAMES)('the gate, %s', (engine) => {
  const root = temporaryFolder();
  const versions: string[] = [];
  beforeAll(async () => {
    for (const seed of [1, 2, 3])
      versions.push((await buildVersion(root, 'items', { rows: 500, seed, engine })).version);
  });

  it('a dry run gives the verdict and changes nothing', async () => {
    const { gate, previous } = await publishGated(root, 'items', versions[0]!, { ...options, dryRun: true });
    expect(gate.pass).toBe(true);
    expect(previous).toBeNull();
    expect(await readCurrent(root, 'items')).toBeNull();
    expect(await readNote(root, 'items', versions[0]!, 'gate')).toBeNull();
  });

  it('a version that passes is published, with its verdict stored beside it', async () => {
    const { gate } = await publishGated(root, 'items', versions[0]!, options);
    expect(gate).toMatchObject({
      pass: true,
      live: null,
      checks: expect.arrayContaining([
        expect.objectContaining({ name: 'verify', verdict: 'pass', pass: true, value: 0, limit: 0, live: null }),
        expect.objectContaining({ name: 'recall@100', verdict: 'pass', pass: true, limit: 0.95 }),
      ]) as unknown[],
    });
    expect((await readCurrent(root, 'items'))?.version).toBe(versions[0]);
    expect(await readNote(root, 'items', versions[0]!, 'gate')).toMatchObject({ pass: true, checks: gate.checks });
  });

  it('a version below the limit is refused, its verdict stored, and what was published stays', async () => {
    const { gate, previous } = await publishGated(root, 'items', versions[1]!, { ...options, minRecall: 1.01 });
    expect(gate).toMatchObject({
      pass: false,
      checks: expect.arrayContaining([
        expect.objectContaining({ name: 'verify', pass: true }),
        expect.objectContaining({ name: 'recall@100', verdict: 'fail', pass: false, limit: 1.01 }),
      ]) as unknown[],
    });
    expect(previous).toBe(versions[0]);
    expect((await readCurrent(root, 'items'))?.version).toBe(versions[0]);
    expect(await readNote(root, 'items', versions[1]!, 'gate')).toMatchObject({ pass: false });
  });

  it('a damaged version is refused with the file, and its recall is not asked', async () => {
    const name = `shard-0000.${engineOf(engine).fileSuffix}`;
    const graph = join(root, 'items', versions[2]!, name);
    chmodSync(graph, 0o644);
    truncateSync(graph, 100);
    const { gate } = await publishGated(root, 'items', versions[2]!, options);
    expect(gate.checks).toEqual([
      {
        name: 'verify',
        verdict: 'fail',
        pass: false,
        value: 1,
        limit: 0,
        limit_is: 'max',
        live: null,
        detail: expect.stringContaining(name) as string,
      },
    ]);
    expect((await readCurrent(root, 'items'))?.version).toBe(versions[0]);
  });

  it.each([1, 2, 50])('passes a corpus of %i rows, less than k', async (rows) => {
    const { version } = await buildVersion(root, `rows-${rows}`, { rows, engine });
    expect((await runGate(root, `rows-${rows}`, version)).pass).toBe(true);
  });
});

describe('attributes in gate.json', () => {
  const root = temporaryFolder();
  const OF_ATTRIBUTES = /^(filled|missing|value_counts|values_changed|number_|vectors_moved_by_value|duplicates_by)/;

  async function buildNight(catalog: Catalog): Promise<string> {
    const path = join(root, '.night.arrow');
    writeNight(path, catalog);
    return (await buildIndex(buildOptions(root, 'items', [path]))).manifest.version;
  }

  it('are the only ones whose values are checked', async () => {
    const catalog = makeNightlyCatalog(600, seededRandom(1));
    await publishGated(root, 'items', await buildNight(catalog), options);
    const broken = catalog.map((item) => ({ ...item, brand: '', link: '', tags: [], price: 0, discount: 1, inStock: false })); // prettier-ignore
    const version = await buildNight(broken);
    const failed = async (): Promise<string[]> =>
      (await runGate(root, 'items', version)).checks.filter(({ pass }) => !pass).map(({ name }) => name);
    const ofNumbers = ['number_shift', 'number_repeats', 'numbers_changed', 'numbers_changed_by_value'];
    const expected = ['filled', 'missing', 'value_counts', 'texts_changed', ...ofNumbers];
    expect((await failed()).sort()).toEqual(expected.sort());
    writeFileSync(join(root, 'items', 'gate.json'), '{"format": 1, "attributes": ["category", "trend"]}');
    expect(await failed()).toEqual([]);
    const { checks } = await runGate(root, 'items', version);
    const details = checks.filter(({ name }) => OF_ATTRIBUTES.test(name)).map(({ detail }) => detail);
    expect(details.length).toBeGreaterThan(7);
    for (const detail of details) expect(detail).toMatch(/^(category|trend)/);
  });

  it('that are ignored are not checked, and the others are', async () => {
    const catalog = makeNightlyCatalog(600, seededRandom(1));
    const reset = catalog.map((item) => ({ ...item, views: 0, link: `${item.link}?token=${item.id}` }));
    const version = await buildNight(reset);
    const failed = async (): Promise<string[]> =>
      (await runGate(root, 'items', version)).checks.filter(({ pass }) => !pass).map(({ detail }) => detail ?? '');
    writeFileSync(join(root, 'items', 'gate.json'), '{"format": 1, "ignore": ["views"]}');
    expect(await failed()).toEqual(['link']);
    writeFileSync(join(root, 'items', 'gate.json'), '{"format": 1, "ignore": ["views", "link"]}');
    expect(await failed()).toEqual([]);
  });

  it('that no version has are refused, by the member that names them', async () => {
    const { version } = (await readCurrent(root, 'items'))!;
    for (const member of ['attributes', 'ignore']) {
      writeFileSync(join(root, 'items', 'gate.json'), `{"format": 1, "${member}": ["view"]}`);
      const message = expect.stringMatching(new RegExp(`"view" in "${member}".*views`)) as string;
      await expect(runGate(root, 'items', version)).rejects.toMatchObject({ code: 'bad_gate_file', message });
    }
  });
});

describe('a list attribute', () => {
  const root = temporaryFolder();

  it('is looked at by item, not by the whole list', async () => {
    const night = async (catalog: Catalog): Promise<string> => {
      const path = join(root, '.night.arrow');
      writeNight(path, catalog);
      return (await buildIndex(buildOptions(root, 'items', [path]))).manifest.version;
    };
    // Every item has tags of its own beside one of two: no two lists of many rows are equal.
    const catalog = makeNightlyCatalog(600, seededRandom(1)).map((item, row) => ({
      ...item,
      category: 'all',
      brand: 'one',
      inStock: true,
      grade: 1,
      tags: [row % 5 === 0 ? 'eco' : 'plain', `size-${row % 60}`],
    }));
    await publishGated(root, 'items', await night(catalog), options);
    const { vector } = catalog[0]!;
    const broken = catalog.map((item) => (item.tags[0] === 'eco' ? { ...item, vector, price: 1e4 } : item));
    const { checks } = await runGate(root, 'items', await night(broken));
    const detailOf = (name: string): string | undefined => checks.find((check) => check.name === name)?.detail;
    expect(detailOf('duplicates_by_value')).toBe('tags = "eco"');
    expect(detailOf('vectors_moved_by_value')).toBe('tags = "eco"');
    expect(detailOf('numbers_changed_by_value')).toBe('price where tags = "eco"');
    expect(detailOf('recall_by_value')).toMatch(/^tags = "(eco|plain)", /);
  });
});

describe('numbers of any size', () => {
  const root = temporaryFolder();

  it('are shown in a few characters', async () => {
    const night = async (price: (row: number) => number): Promise<string> => {
      const path = join(root, '.night.arrow');
      writeNight(
        path,
        makeNightlyCatalog(200, seededRandom(1)).map((item, row) => ({ ...item, price: price(row) })),
      );
      return (await buildIndex(buildOptions(root, 'items', [path]))).manifest.version;
    };
    await publishGated(root, 'items', await night((row) => (1 + row / 200) * 1e300), options);
    const verdict = await runGate(root, 'items', await night((row) => (1 + row / 200) * 1e-300));
    expect(describeRefusal(verdict)).toMatch(/price: median without zeros 1\.5e-300, in the live version 1\.5e\+300/);
    const names: [string, number | null][] = verdict.checks.map(({ name, value }) => [name, value]);
    for (const [name] of names) expect(formatValue(name, 1e300).length).toBeLessThan(20);
  });
});

describe('rows that are equal', () => {
  const DIM = 32;

  /** 5,000 equal rows, then 300 others. */
  function makeDuplicates(): Float32Array {
    const vectors = makeVectors(5300, DIM, 5);
    for (let row = 1; row < 5000; row++) vectors.copyWithin(row * DIM, 0, DIM);
    return vectors;
  }

  it('do not hide from the probe of a build, hnswlib, that others cannot be reached', async () => {
    const root = temporaryFolder();
    const build = buildVectors(root, 'items', { vectors: makeDuplicates(), dim: DIM, engine: 'hnswlib' });
    await expect(build).rejects.toMatchObject({ code: 'probe_failed' });
  });

  it('do not hide it from the gate either, where a version without that probe was sealed', async () => {
    const root = temporaryFolder();
    const { version } = await buildVectors(root, 'items', { vectors: makeDuplicates(), dim: DIM });
    const { version: other } = await buildVersion(root, 'other', { dim: DIM, engine: 'hnswlib' });
    const sealed = SealedVersion.read(root, 'items', version);
    const { engine, shards } = SealedVersion.read(root, 'other', other).manifest as { engine: Loose; shards: Loose[] };
    Object.assign(sealed.manifest, { engine, shards: [{ ...shards[0], count: 5300 }] });
    const loaded = await loadVersion(root, 'items', version);
    const { metric, count, values } = loaded.shards[0]!.graph.vectors;
    const graph = join(root, 'thin.graph');
    const read = (from: number, to: number): Float32Array => values.subarray(from * DIM, to * DIM);
    await engineOf('hnswlib').build({ metric, dim: DIM, count, read }, { m: 8, efConstruction: 60, seed: 42 }, graph);
    loaded.close();
    sealed.files.delete('shard-0000.graph');
    sealed.files.set(`shard-0000.${engineOf('hnswlib').fileSuffix}`, readFileSync(graph));
    expect(await runGate(root, 'items', sealed.write(root))).toMatchObject({
      pass: false,
      checks: [{ name: 'verify', pass: false, detail: expect.stringMatching(/does not find \d+ of 64/) as string }],
    });
  });

  it('are no trouble for the native engine, which keeps them aside', async () => {
    const root = temporaryFolder();
    const { version } = await buildVectors(root, 'items', { vectors: makeDuplicates(), dim: DIM });
    expect(await runGate(root, 'items', version)).toMatchObject({ pass: true });
  });
});
