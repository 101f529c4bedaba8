/** Exports of whole versions: what is in the folder answers as the version does, and the folder is whole or absent. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { afterEach, describe, expect, it } from 'vitest';
import { METRICS, rawKernel, toScore, type Metric } from '../../src/base/metric.js';
import { buildIndex } from '../../src/builder/build-index.js';
import { ENGINE_NAMES } from '../../src/engine/engines.js';
import type { EngineName } from '../../src/engine/engine.js';
import { DESCRIPTION_FILE, exportVersion, type ExportDescription } from '../../src/export/export-version.js';
import { openIndex, type OpenIndex } from '../../src/retrieve/library/open-index.js';
import { openHnswlibFile } from '../engine/hnswlib/hnswlib-files.js';
import { FaultFileSystem } from '../fault-file-system.js';
import { buildOptions, makeVectors, temporaryFolder, writeCatalog } from '../indexes.js';

const root = temporaryFolder();
const outside = temporaryFolder();
let exports = 0;
const newOut = (): string => join(outside, `export-${exports++}`);
const EF = 200;

interface Spec {
  readonly vectors: Float32Array;
  readonly dim: number;
  readonly metric?: Metric;
  readonly shards?: number;
  readonly engine?: EngineName;
  readonly textIds?: boolean;
}

async function build(index: string, { vectors, dim, metric = 'cosine', shards = 1, engine = 'native', textIds }: Spec) {
  const input = join(root, `.${index}.arrow`);
  writeCatalog(input, { vectors, dim, ...(textIds === true && { textIds }) });
  const parameters = { m: 16, efConstruction: 200, seed: 42 };
  const { manifest } = await buildIndex(buildOptions(root, index, [input], { metric, shards, engine, parameters }));
  return manifest.version;
}

/** The items nearest to a query by the files of an export alone, as a program that knows nothing of us would find them. */
function openExport(folder: string) {
  const description = JSON.parse(readFileSync(join(folder, DESCRIPTION_FILE), 'utf8')) as ExportDescription;
  const { space, dim } = description;
  const shards = description.shards.map(({ graph, ids, count, factor }) => {
    const table = tableFromIPC(readFileSync(join(folder, ids)));
    const idOf = table.getChild('id')!;
    expect(Array.from(table.getChild('label')!, Number)).toEqual(Array.from({ length: count }, (_, row) => row));
    return { graph: openHnswlibFile(join(folder, graph), space, dim, EF), idOf, count, factor };
  });
  const search = (query: Float32Array, k: number): string[] => {
    const found = shards.flatMap(({ graph, idOf, count, factor }) => {
      const point = Array.from(query, (value) => value * factor);
      const { neighbors, distances } = graph.searchKnn(point, Math.min(k, count));
      return neighbors.map((label, i) => ({ id: String(idOf.get(label)), distance: distances[i]! }));
    });
    found.sort((a, b) => a.distance - b.distance);
    return found.slice(0, k).map(({ id }) => id);
  };
  const allIds = () => shards.flatMap(({ idOf }) => Array.from(idOf, String));
  return { description, search, allIds };
}

/** Share of the export's k best that are as near as the k-th of the version's own search. */
function overlapOf(index: OpenIndex, search: (query: Float32Array, k: number) => string[], queries: Float32Array) {
  const { metric, dim } = index.manifest;
  let shared = 0;
  for (let from = 0; from < queries.length; from += dim) {
    const query = queries.slice(from, from + dim);
    const answer = index.search(query, { k: 100, ef: EF });
    const least = answer.scores.at(-1)!;
    const scoreOf = (id: string): number =>
      toScore(metric, rawKernel(metric)(index.vector(id), 0, unit(metric, query), 0, dim));
    const found = search(query, 100);
    expect(new Set(found).size).toBe(100);
    shared += found.filter((id) => scoreOf(id) >= least).length;
  }
  return shared / (100 * (queries.length / dim));
}

function unit(metric: Metric, query: Float32Array): Float32Array {
  if (metric !== 'cosine') return query;
  const length = Math.hypot(...query);
  return query.map((value) => value / length);
}

describe('an exported version', () => {
  for (const engine of ENGINE_NAMES) {
    it.each(METRICS)(
      `answers with the items that the version answers with, ${engine}, %s, 3 shards`,
      async (metric) => {
        const vectors = makeVectors(3000, 21, 1);
        for (let row = 2600; row < 3000; row++) vectors.copyWithin(row * 21, (row - 2600) * 21, (row - 2599) * 21);
        const name = `answers-${engine}-${metric}`;
        const version = await build(name, { vectors, dim: 21, metric, shards: 3, engine });
        const out = newOut();
        const { files } = await exportVersion(root, name, version, out);
        const { description, search, allIds } = openExport(out);
        expect(description).toMatchObject({
          format: 'hnswlib',
          index: name,
          version,
          metric,
          dim: 21,
          count: 3000,
          m: 16,
        });
        expect(description.shards).toHaveLength(3);
        expect(allIds().sort()).toEqual(Array.from({ length: 3000 }, (_, id) => String(id)).sort());
        expect(files.map(({ path }) => basename(path)).sort()).toEqual(readdirSync(out).sort());
        for (const { path, bytes } of files) expect(statSync(path).size).toBe(bytes);
        const index = await openIndex(root, name, { version });
        expect(overlapOf(index, search, makeVectors(50, 21, 2))).toBeGreaterThanOrEqual(0.99);
        await index.close();
      },
    );
  }

  it('leaves out shards without rows, and keeps ids that are text', async () => {
    const version = await build('sparse', { vectors: makeVectors(5, 7, 3), dim: 7, shards: 16, textIds: true });
    const out = newOut();
    await exportVersion(root, 'sparse', version, out);
    const { description, search, allIds } = openExport(out);
    expect(description.shards.length).toBeLessThan(6);
    expect(description.shards.map(({ count }) => count).every((count) => count > 0)).toBe(true);
    expect(readdirSync(out)).toHaveLength(2 * description.shards.length + 1);
    expect(allIds().sort()).toEqual(['item-0', 'item-1', 'item-2', 'item-3', 'item-4']);
    const index = await openIndex(root, 'sparse', { version });
    for (const id of allIds()) expect(search(index.vector(id), 1)).toEqual([id]);
    await index.close();
  });

  it('of one row is sound', async () => {
    const version = await build('single', { vectors: makeVectors(1, 3, 4), dim: 3, metric: 'l2' });
    const out = newOut();
    await exportVersion(root, 'single', version, out);
    expect(openExport(out).search(Float32Array.of(1, 2, 3), 1)).toEqual(['0']);
  });

  it('has the same bytes each time', async () => {
    const version = await build('again', { vectors: makeVectors(500, 9, 5), dim: 9, shards: 2 });
    const [one, other] = [newOut(), newOut()];
    await exportVersion(root, 'again', version, one);
    await exportVersion(root, 'again', version, other);
    for (const name of readdirSync(one))
      expect(readFileSync(join(one, name)).equals(readFileSync(join(other, name))), name).toBe(true);
  });
});

describe('the folder of an export', () => {
  const spec: Spec = { vectors: makeVectors(200, 6, 6), dim: 6, shards: 2 };
  const built = build('folder', spec);
  afterEach(() => {
    expect(readdirSync(outside).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('is made with the folders above it, or filled where it is empty', async () => {
    const version = await built;
    const deep = join(newOut(), 'a', 'b');
    await exportVersion(root, 'folder', version, deep);
    expect(existsSync(join(deep, DESCRIPTION_FILE))).toBe(true);
    const empty = newOut();
    mkdirSync(empty);
    await exportVersion(root, 'folder', version, empty);
    expect(existsSync(join(empty, DESCRIPTION_FILE))).toBe(true);
  });

  it('is refused where something is in it, where it is a file, and inside the folder of an index', async () => {
    const version = await built;
    const full = newOut();
    mkdirSync(full);
    writeFileSync(join(full, 'notes.txt'), 'mine');
    const file = newOut();
    writeFileSync(file, 'mine');
    const sealed = join(root, 'folder', version, 'export');
    for (const out of [full, file, sealed, join(root, 'folder', 'export')]) {
      await expect(exportVersion(root, 'folder', version, out)).rejects.toMatchObject({
        code: 'usage',
        details: { file: out },
      });
    }
    expect(readdirSync(full)).toEqual(['notes.txt']);
    expect(readFileSync(file, 'utf8')).toBe('mine');
    expect(readdirSync(join(root, 'folder', version))).not.toContain('export');
  });

  it('is absent when the export is cancelled, at its start, while it verifies and while it writes', async () => {
    const version = await built;
    for (const stage of ['start', 'verify', 'export']) {
      const controller = new AbortController();
      const out = newOut();
      if (stage === 'start') controller.abort(new Error('stop'));
      const onProgress = (now: string): void => {
        if (now === stage) controller.abort(new Error('stop'));
      };
      const exporting = exportVersion(root, 'folder', version, out, { signal: controller.signal, onProgress });
      await expect(exporting).rejects.toThrow('stop');
      expect(existsSync(out)).toBe(false);
    }
  });

  it('is absent when the version is damaged, which is said', async () => {
    const version = await build('damaged', spec);
    const path = join(root, 'damaged', version, 'shard-0001.vectors');
    const bytes = readFileSync(path);
    bytes[bytes.length - 1]! ^= 1;
    rmSync(path);
    writeFileSync(path, bytes);
    const out = newOut();
    await expect(exportVersion(root, 'damaged', version, out)).rejects.toMatchObject({
      code: 'file_corrupt',
      details: { file: path },
    });
    expect(existsSync(out)).toBe(false);
  });

  it.each(['ENOSPC', 'EIO', 'death', 'power loss, names lost', 'power loss, names kept'] as const)(
    'is whole or absent whatever operation fails, %s',
    async (fault) => {
      const version = await built;
      const faultless = new FaultFileSystem(null, 0, temporaryFolder());
      const whole = newOut();
      await exportVersion(root, 'folder', version, whole, { files: faultless });
      const writes = faultless.log.flatMap((step, i) => (/^(?:open read|read|fstat) /.test(step) ? [] : [i + 1]));
      expect(writes.length).toBeGreaterThan(20);
      for (const at of writes) {
        const place = temporaryFolder();
        const out = join(place, 'out');
        const files = new FaultFileSystem(fault, at, temporaryFolder());
        const outcome = await exportVersion(root, 'folder', version, out, { files }).catch((error: unknown) => error);
        expect(outcome).toBeInstanceOf(Error);
        if (fault === 'ENOSPC') expect(outcome).toMatchObject({ code: 'disk_full' });
        files.settle(place);
        const left = readdirSync(place).filter((name) => name !== 'out');
        if (fault === 'ENOSPC' || fault === 'EIO') expect(left).toEqual([]);
        expect(left.every((name) => name.startsWith('.tmp-'))).toBe(true);
        if (!existsSync(out)) continue;
        for (const name of readdirSync(whole))
          expect(readFileSync(join(out, name)).equals(readFileSync(join(whole, name))), files.log.at(-1)).toBe(true);
      }
    },
  );
});
