/** What `diff` says of the cause, for versions whose difference is known. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventLoopYielder } from '../../src/base/event-loop-yielder.js';
import type { BuildOptions } from '../../src/builder/build-options.js';
import { sampledQueries } from '../../src/evaluate/diff/diff-queries.js';
import { diffVersions } from '../../src/evaluate/diff/diff-versions.js';
import { measureDrift, type Drift } from '../../src/gate/drift.js';
import { explainDiff, type DiffVerdict } from '../../src/gate/explain-diff.js';
import { loadVersion, type LoadedVersion } from '../../src/retrieve/load/loaded-version.js';
import { blur, buildItems, makeItems, rotate, type Item } from '../evaluate/diff/shops.js';
import { temporaryFolder } from '../indexes.js';

const root = temporaryFolder();
const DIM = 16;
const ITEMS = makeItems(1500, DIM, 1);
const CHURNED = [...ITEMS.slice(100), ...makeItems(150, DIM, 2, 5000)];
const opened: LoadedVersion[] = [];
let base: LoadedVersion;

async function open(items: readonly Item[], more: Partial<BuildOptions> = {}): Promise<LoadedVersion> {
  const version = await loadVersion(root, 'shops', await buildItems(root, 'shops', items, more));
  opened.push(version);
  return version;
}

beforeAll(async () => {
  base = await open(ITEMS);
});
afterAll(() => opened.forEach((version) => version.close()));

interface Explained {
  readonly drift: Drift;
  readonly verdict: DiffVerdict;
}

async function explain(before: LoadedVersion, after: LoadedVersion, ownVectors = false): Promise<Explained> {
  const queries = await sampledQueries(before, after, { size: 60, seed: 42, ownVectors });
  const drift = await measureDrift(before, after, new EventLoopYielder());
  return { drift, verdict: explainDiff(await diffVersions(before, after, queries, { ks: [10, 50] }), drift, false) };
}

describe('the cause of a difference is', () => {
  it('none, for a version and itself', async () => {
    const { drift, verdict } = await explain(base, base);
    expect(verdict).toMatchObject({ cause: 'identical', notes: [] });
    expect(verdict.sentence).toBe(
      'Identical answers: both versions return the same candidates in the same order for all 60 queries; their files are equal too.',
    );
    expect(drift).toMatchObject({
      rows: { from: 1500, to: 1500, kept: 1500, entered: 0, left: 0 },
      settings: [],
      same_content: true,
      vectors: { ids: 1500, identical: 1, moved: 0, cosine: { p1: 1, p50: 1 } },
      categories: ['shop', 'handmade'],
    });
  });

  it('the catalogue, where items were removed and added', async () => {
    const { drift, verdict } = await explain(base, await open(CHURNED));
    expect(verdict.cause).toBe('catalogue');
    expect(verdict.sentence).toMatch(
      /^Changed catalogue: .* are explained by new and removed ids \(150 new, 100 removed\)\./,
    );
    expect(drift.rows).toEqual({ from: 1500, to: 1550, kept: 1400, entered: 150, left: 100 });
  });

  it('a new model, where the embedding was rotated', async () => {
    const rotated = await open(rotate(ITEMS));
    const { drift, verdict } = await explain(base, rotated);
    expect(verdict.cause).toBe('model');
    expect(verdict.sentence).toMatch(/^New model: (9\d|100|over 99)\S* % of the vectors/);
    expect(verdict.notes.join()).toContain('--own-vectors');
    expect(drift.vectors.moved).toBeGreaterThan(0.9);
    expect((await explain(base, rotated, true)).verdict.cause).toBe('model');
  });

  it('a new model, where vectors have another dimension', async () => {
    const { drift, verdict } = await explain(base, await open(makeItems(1500, DIM + 4, 3)), true);
    expect(verdict.sentence).toContain('vectors have 20 components, before 16');
    expect(drift.vectors).toMatchObject({ identical: null, moved: null, cosine: null });
  });

  it('vectors, where all were changed a little', async () => {
    const { verdict } = await explain(base, await open(blur(ITEMS, 0.3)));
    expect(verdict.cause).toBe('vectors');
    expect(verdict.sentence).toMatch(/^Changed vectors: 100 % of the ids that both versions have got another vector/);
  });

  it('the graph, where only its settings differ, which are named', async () => {
    const poor = { parameters: { m: 4, efConstruction: 4, seed: 43 } };
    const { drift, verdict } = await explain(base, await open(ITEMS, poor));
    expect(verdict.cause).toBe('graph');
    expect(verdict.sentence).toContain('m 8 → 4');
    expect(drift.settings).toContainEqual({ name: 'seed', from: 42, to: 43 });
  });

  it('two things, where the catalogue changed and vectors too', async () => {
    const { verdict } = await explain(base, await open(blur(CHURNED, 0.6)));
    expect(verdict.cause).toBe('mixed');
    expect(verdict.sentence).toContain('the rest from changed vectors');
  });

  it('the metric, where it differs; scores and moves are then not compared', async () => {
    const { drift, verdict } = await explain(base, await open(ITEMS, { metric: 'l2' }));
    expect(verdict.cause).toBe('metric');
    expect(verdict.sentence).toMatch(/^Another metric: cosine became l2/);
    expect(verdict.notes.join()).toMatch(/not compared, since the metrics differ.*without cosine/s);
    expect(drift.vectors).toMatchObject({ moved: null, identical: null });
    expect(drift.vectors.cosine!.p1).toBeGreaterThan(0.999);
  });
});

describe('the attributes', () => {
  it('are compared by nulls, numbers and shares of values, the greatest change first', async () => {
    const raised = ITEMS.map((item, i) => ({ ...item, price: item.price * 2, shop: i < 300 ? 'oak' : item.shop }));
    const { drift } = await explain(base, await open(raised));
    expect(drift.attributes[0]!.name).toBe('price');
    const { numbers } = drift.attributes[0]!;
    expect(numbers!.to!.mean / numbers!.from!.mean).toBeCloseTo(2, 3);
    expect(numbers!.to!.p50 / numbers!.from!.p50).toBeCloseTo(2, 3);
    const shop = drift.attributes.find(({ name }) => name === 'shop')!;
    expect(shop).toMatchObject({ filled: { from: 1, to: 1 }, distinct: { from: 4, to: 4 } });
    expect(shop.values![0]).toEqual({ value: 'oak', from: 0.25, to: 0.4, change: 0.15 });
  });

  it('that one version lacks are named, and not compared', async () => {
    const { drift, verdict } = await explain(base, await open(ITEMS, { attributes: ['title', 'shop'] }));
    expect(drift.attributes.slice(0, 2).map(({ name, type }) => [name, type.to])).toEqual([['price', null], ['handmade', null]]); // prettier-ignore
    expect(verdict.notes.join()).toContain('lacks them or has another type: price, handmade');
  });
});
