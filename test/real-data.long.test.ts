/** The real data sets, from file to answer, against their published truth. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { buildIndex } from '../src/builder/build-index.js';
import type { BuildOptions } from '../src/builder/build-options.js';
import { recallOf, summarizeRecall } from '../src/evaluate/recall.js';
import { readQueries } from '../src/ingest/read-queries.js';
import { loadVersion, type LoadedVersion } from '../src/retrieve/load/loaded-version.js';
import { search } from '../src/retrieve/search/run-search.js';
import { buildOptions, temporaryFolder } from './indexes.js';

const data = process.env['SHORTLIST_TEST_DATA'];
const root = temporaryFolder();
const PRODUCTION = { m: 16, efConstruction: 200, seed: 42 };

async function open(index: string, file: string, more: Partial<BuildOptions> = {}): Promise<LoadedVersion> {
  const { manifest } = await buildIndex(
    buildOptions(root, index, [join(data!, file)], { parameters: PRODUCTION, threads: 2, ...more }),
  );
  return loadVersion(root, index, manifest.version);
}

/** Rows of the truth files name positions in the base file, which are the ordinals where no row was left out. */
function readTruth(file: string): Uint32Array[] {
  const column = tableFromIPC(readFileSync(join(data!, file))).getChild('neighbors')!;
  return Array.from(column as Iterable<Iterable<number | bigint>>, (row) => Uint32Array.from(Array.from(row, Number)));
}

async function recallAgainst(version: LoadedVersion, queriesFile: string, truthFile: string, k: number, ef: number) {
  const truth = readTruth(truthFile);
  const { dim } = version.manifest;
  const { vectors } = await readQueries([join(data!, queriesFile)], version.manifest);
  const recalls = truth.map((neighbors, position) => {
    const query = vectors.subarray(position * dim, (position + 1) * dim);
    return recallOf(version, query, search(version, query, { k, ef }).ordinals, neighbors, k);
  });
  return summarizeRecall(recalls);
}

describe.skipIf(!data || !existsSync(data))('real data (needs SHORTLIST_TEST_DATA)', () => {
  it('siftsmall under l2 reaches 0.99 at k 10 and 100 with ef 200, against the published truth', async () => {
    const version = await open('sift', 'siftsmall/base.arrow', { metric: 'l2' });
    for (const k of [10, 100]) {
      const recall = await recallAgainst(version, 'siftsmall/queries.arrow', 'siftsmall/truth_l2.arrow', k, 200);
      expect(recall.byId).toBeGreaterThanOrEqual(0.99);
      expect(recall.byDistance).toBeGreaterThanOrEqual(0.99);
    }
    version.close();
  });

  it('mnist10k, LZ4 with ZSTD queries, reaches 0.99 at k 100', async () => {
    const version = await open('mnist', 'mnist10k/base.lz4.arrow', { metric: 'l2' });
    const recall = await recallAgainst(version, 'mnist10k/queries.arrow', 'mnist10k/truth_l2.arrow', 100, 200);
    expect(recall.byDistance).toBeGreaterThanOrEqual(0.99);
    expect(version.attributes?.names).toEqual(['label']);
    version.close();
  });

  it('pcparts, with duplicates and nulls, reaches 0.99 by distance, and two builds are equal in every byte', async () => {
    const version = await open('pcparts', 'pcparts/base.zstd.arrow', { shards: 2 });
    const again = await open('pcparts', 'pcparts/base.zstd.arrow', { shards: 2, threads: 1 });
    expect(again.manifest.content).toBe(version.manifest.content);
    const folders = [version, again].map(({ manifest }) => join(root, 'pcparts', manifest.version));
    for (const name of readdirSync(folders[0]!).filter((file) => file !== 'MANIFEST.json')) {
      expect(readFileSync(join(folders[1]!, name)).equals(readFileSync(join(folders[0]!, name)))).toBe(true);
    }
    const recall = await recallAgainst(version, 'pcparts/queries.arrow', 'pcparts/truth_all.arrow', 100, 200);
    expect(recall.byDistance).toBeGreaterThanOrEqual(0.99);
    expect(version.attributes!.value('price', 0)).toSatisfy(
      (price: unknown) => price === null || typeof price === 'number',
    );
    version.close();
    again.close();
  });

  it('products has string ids and attributes, and answers by id', async () => {
    const version = await open('products', 'products/base.lz4.arrow');
    const id = version.ids.text(0);
    expect(version.manifest.id.type).toBe('utf8');
    const answer = search(version, version.vectorOf(0), { k: 5 }, 0);
    expect(Array.from(answer.ordinals, (ordinal) => version.ids.text(ordinal))).not.toContain(id);
    expect(version.attributes!.names).toContain('category');
    version.close();
  });

  it('edge: zero rows are reported with their numbers under cosine and left out on demand; float64 and float16 lists answer', async () => {
    const zeros = buildIndex(buildOptions(root, 'zeros', [join(data!, 'edge/zero_rows_float64.arrow')]));
    await expect(zeros).rejects.toMatchObject({
      code: 'bad_rows',
      details: { bad_rows: { total: 773, kinds: [{ kind: 'zero_vector', count: 773, shown: expect.arrayContaining([expect.objectContaining({ row: 4, id: 'r4' })]) as unknown }] } },
    }); // prettier-ignore
    const skipped = await open('zeros', 'edge/zero_rows_float64.arrow', { onBadRow: 'skip', maxRejected: 0.2 });
    expect(skipped.manifest).toMatchObject({
      count: 3627,
      dim: 50,
      rejects: { total: 773, kinds: { zero_vector: 773 } },
    });
    const emoji = await open('emoji', 'edge/emoji_float16_list.arrow');
    expect(emoji.manifest).toMatchObject({ count: 1661, dim: 300 });
    for (const version of [skipped, emoji]) {
      expect(search(version, version.vectorOf(7), { k: 10 }).ordinals).toHaveLength(10);
      version.close();
    }
  });
});
