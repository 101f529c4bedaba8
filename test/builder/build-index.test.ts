import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildIndex } from '../../src/builder/build-index.js';
import { verifyVersion } from '../../src/retrieve/load/verify.js';
import { listVersions } from '../../src/version/state/catalog.js';
import { type Manifest } from '../../src/version/sealed/manifest.js';
import { readManifest } from '../../src/version/sealed/manifest-file.js';
import { buildOptions, makeVectors, temporaryFolder, writeCatalog } from '../indexes.js';

const DIM = 8;

const root = temporaryFolder();
const input = join(root, '.items.arrow');
const dirty = join(root, '.dirty.arrow');

beforeAll(() => {
  writeCatalog(input, { vectors: makeVectors(300, DIM, 1), dim: DIM });
  const vectors = makeVectors(300, DIM, 1);
  vectors.fill(0, 5 * DIM, 6 * DIM);
  vectors[7 * DIM] = NaN;
  writeCatalog(dirty, { vectors, dim: DIM });
});

/** What must be equal between builds of the same input: all but the manifest's times. */
function withoutTimes({ version, created_at, stages, ...rest }: Manifest): object {
  expect(created_at).toMatch(/Z$/);
  return { ...rest, hash: version.slice(-8), stages: Object.keys(stages) };
}

function filesOf(index: string, version: string): Map<string, Buffer> {
  const folder = join(root, index, version);
  return new Map(readdirSync(folder).filter((name) => name !== 'MANIFEST.json').map((name) => [name, readFileSync(join(folder, name))])); // prettier-ignore
}

describe('a build', () => {
  it.each([1, 3])(
    'of equal input, options and seed gives equal bytes in every file, over %i shards and any threads',
    async (shards) => {
      const first = await buildIndex(buildOptions(root, `same-${shards}`, [input], { shards, threads: 1 }));
      const second = await buildIndex(buildOptions(root, `same-${shards}`, [input], { shards, threads: 4 }));
      expect(second.manifest.version > first.manifest.version).toBe(true);
      expect(withoutTimes(second.manifest)).toEqual(withoutTimes(first.manifest));
      expect(filesOf(`same-${shards}`, second.manifest.version)).toEqual(
        filesOf(`same-${shards}`, first.manifest.version),
      );
    },
  );

  it('has what the engine found out about each graph in its manifest, the same in every build', async () => {
    const [first, second] = [
      await buildIndex(buildOptions(root, 'figures', [input], { shards: 3, threads: 1 })),
      await buildIndex(buildOptions(root, 'figures', [input], { shards: 3, threads: 4 })),
    ];
    const figures = first.manifest.shards.map((shard) => shard.figures);
    expect(figures).toEqual(second.manifest.shards.map((shard) => shard.figures));
    expect(figures).toHaveLength(3);
    for (const each of figures) {
      expect(each).toMatchObject({ code_bits: 7, equal_rows: 0 });
      expect(each['code_recall']).toBeGreaterThan(0.9);
    }
    expect(await readManifest(root, 'figures', first.manifest.version)).toEqual(first.manifest);
  });

  it('has no figures of an engine that finds nothing out, nor of a shard without rows', async () => {
    const { manifest } = await buildIndex(buildOptions(root, 'plain', [input], { engine: 'hnswlib' }));
    expect(manifest.shards.map(({ figures }) => figures)).toEqual([{}]);
    const few = join(root, '.few.arrow');
    writeCatalog(few, { vectors: makeVectors(3, DIM, 1), dim: DIM });
    const { shards } = (await buildIndex(buildOptions(root, 'few', [few], { shards: 8 }))).manifest;
    expect(shards.some(({ count }) => count === 0)).toBe(true);
    for (const { count, figures } of shards) expect(Object.keys(figures).length > 0).toBe(count > 0);
  });

  it('with another seed gives another graph', async () => {
    const first = await buildIndex(buildOptions(root, 'seeds', [input]));
    const other = { m: 8, efConstruction: 60, seed: 43 };
    const second = await buildIndex(buildOptions(root, 'seeds', [input], { parameters: other }));
    expect(second.manifest.content).not.toBe(first.manifest.content);
  });

  it('says what it built, from what, and leaves no staging', async () => {
    const { manifest, bytes, seconds, rejectsPath } = await buildIndex(
      buildOptions(root, 'items', [input], { shards: 2 }),
    );
    expect(manifest).toMatchObject({
      index: 'items', metric: 'cosine', dim: DIM, count: 300, seed: 42, duplicates: 0,
      engine: { name: 'native', parameters: { m: 8, ef_construction: 60 } },
      id: { column: 'id', type: 'int64' }, vector: { column: 'embedding' },
      rejects: { total: 0, kinds: {} },
    }); // prettier-ignore
    expect(manifest.attributes.map(({ name }) => name)).toEqual(['title', 'price', 'generation']);
    expect(manifest.sources).toEqual([
      expect.objectContaining({ rows: 300, path: input, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string }),
    ]);
    expect(Object.keys(manifest.stages)).toEqual(['plan', 'ingest', 'graph', 'probe', 'seal']);
    expect(bytes).toBe([...filesOf('items', manifest.version).values()].reduce((sum, file) => sum + file.length, 0));
    expect(seconds).toBeGreaterThan(0);
    expect(rejectsPath).toBeNull();
    expect(existsSync(join(root, 'items', '.staging'))).toBe(false);
    expect(await verifyVersion(root, 'items', manifest.version)).toEqual([]);
  });

  it('with more shards than rows leaves some shards empty, and still answers', async () => {
    const path = join(root, '.three.arrow');
    writeCatalog(path, { vectors: makeVectors(3, DIM, 2), dim: DIM });
    const { manifest } = await buildIndex(buildOptions(root, 'sparse', [path], { shards: 8 }));
    expect(manifest.shards.map(({ count }) => count).reduce((a, b) => a + b)).toBe(3);
    expect(await verifyVersion(root, 'sparse', manifest.version)).toEqual([]);
  });

  it('reports progress of every stage up to its end', async () => {
    const last = new Map<string, number>();
    await buildIndex(
      buildOptions(root, 'told', [input], { onProgress: (stage, done, total) => last.set(stage, done / total) }),
    );
    expect(Object.fromEntries(last)).toEqual({ ingest: 1, graph: 1, probe: 1, seal: 1 });
  });
});

describe('bad rows', () => {
  it('refuse the build before any graph, all counted', async () => {
    const stages: string[] = [];
    const building = buildIndex(buildOptions(root, 'refused', [dirty], { onProgress: (stage) => stages.push(stage) }));
    await expect(building).rejects.toMatchObject({ code: 'bad_rows', details: { bad_rows: { total: 2 } } });
    expect(new Set(stages)).toEqual(new Set(['ingest']));
    expect(existsSync(join(root, 'refused', '.staging'))).toBe(false);
  });

  it('under skip are left out, counted in the manifest and listed among the notes', async () => {
    const { manifest, rejectsPath } = await buildIndex(buildOptions(root, 'skipped', [dirty], { onBadRow: 'skip' }));
    expect(manifest.count).toBe(298);
    expect(manifest.rejects).toEqual({ total: 2, kinds: { not_finite: 1, zero_vector: 1 } });
    expect(rejectsPath).toBe(join(root, 'skipped', 'notes', manifest.version, 'rejects.jsonl'));
    const lines = readFileSync(rejectsPath!, 'utf8').trim().split('\n').map((line) => JSON.parse(line) as object); // prettier-ignore
    expect(lines).toEqual([
      expect.objectContaining({ row: 5, id: '5', kind: 'zero_vector' }),
      expect.objectContaining({ row: 7, id: '7', kind: 'not_finite' }),
    ]);
  });

  it('are listed where the caller wants them', async () => {
    const rejectsPath = join(root, 'mine.jsonl');
    await buildIndex(buildOptions(root, 'skipped', [dirty], { onBadRow: 'skip', rejectsPath }));
    expect(readFileSync(rejectsPath, 'utf8').trim().split('\n')).toHaveLength(2);
  });
});

describe('a build that cannot fit', () => {
  it('is refused with the numbers before a row is read', async () => {
    const stages: string[] = [];
    const options = buildOptions(root, 'large', [input], {
      memoryLimitBytes: 2 ** 20,
      onProgress: (stage) => stages.push(stage),
    });
    await expect(buildIndex(options)).rejects.toMatchObject({
      code: 'insufficient_memory',
      details: { available_bytes: 2 ** 20, needed_bytes: expect.any(Number) as number },
    });
    expect(stages).toEqual([]);
  });
});

describe('two builds of one index at once', () => {
  it('the second is refused and told who is at work; the first ends well', async () => {
    const refused: Promise<void>[] = [];
    const tryAgain = (): void => {
      if (refused.length > 0) return;
      const second = buildIndex(buildOptions(root, 'busy', [input]));
      refused.push(expect(second).rejects.toMatchObject({ code: 'index_busy' }));
    };
    const { manifest } = await buildIndex(buildOptions(root, 'busy', [input], { onProgress: tryAgain }));
    expect(refused).toHaveLength(1);
    await refused[0];
    expect((await listVersions(root, 'busy')).map(({ version }) => version)).toEqual([manifest.version]);
  });
});

describe('a build that is aborted', () => {
  it.each(['ingest', 'graph', 'probe', 'seal'])('in %s leaves nothing', async (stage) => {
    const abort = new AbortController();
    const onProgress = (at: string): void => {
      if (at === stage) abort.abort();
    };
    await expect(
      buildIndex(buildOptions(root, 'aborted', [input], { signal: abort.signal, onProgress })),
    ).rejects.toThrow();
    expect(existsSync(join(root, 'aborted'))).toBe(false);
  });
});

describe('what is not a version', () => {
  it('a file in staging when the build is sealed refuses the build', async () => {
    const onProgress = (stage: string) => {
      if (stage !== 'probe') return;
      const staging = join(root, 'intruded', '.staging');
      for (const entry of readdirSync(staging, { withFileTypes: true }))
        if (entry.isDirectory()) writeFileSync(join(staging, entry.name, 'intruder'), '');
    };
    await expect(buildIndex(buildOptions(root, 'intruded', [input], { onProgress }))).rejects.toMatchObject({
      code: 'file_unexpected',
    });
  });
});
