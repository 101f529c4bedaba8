import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Column } from '../../src/arrow/column.js';
import { openArrow } from '../../src/arrow/read/reader.js';
import type { ShardVectors } from '../../src/engine/engine.js';
import { engineOf } from '../../src/engine/engines.js';
import { scan } from '../../src/engine/exact/scan.js';
import { makeFolder, sourceOf } from './graphs.js';

const data = process.env['SHORTLIST_TEST_DATA'];
const folder = makeFolder();
afterAll(() => folder.remove());

/** All values of the list column at this position, in one array. */
async function readLists(file: string, name: string): Promise<Float32Array> {
  const reader = await openArrow(join(data!, 'siftsmall', file));
  const parts: number[] = [];
  for await (const { columns } of reader.read([reader.fields.findIndex((field) => field.name === name)])) {
    const [lists] = columns as [Extract<Column, { shape: 'lists' }>];
    if (lists.items.shape !== 'numbers') throw new Error(`${name} has no numbers`);
    for (const value of lists.items.values) parts.push(Number(value));
  }
  await reader.close();
  return Float32Array.from(parts);
}

describe.skipIf(data === undefined)('siftsmall (skipped without SHORTLIST_TEST_DATA)', () => {
  const parameters = { m: 16, efConstruction: 200, seed: 42 };

  it.each([
    ['hnswlib', 0.99],
    ['native', 0.995],
  ] as const)(
    'is answered by %s at ef 200 with a recall@10 and @100 of %d, and exactly by a scan',
    async (name, least) => {
      const values = await readLists('base.arrow', 'embedding');
      const queries = await readLists('queries.arrow', 'embedding');
      const truth = await readLists('truth_l2.arrow', 'neighbors');
      const vectors: ShardVectors = { metric: 'l2', dim: 128, count: 10_000, values };
      expect([values.length, queries.length, truth.length]).toEqual([1_280_000, 12_800, 10_000]);
      const engine = engineOf(name);
      const path = join(folder.path, `siftsmall.${engine.fileSuffix}`);
      await engine.build(sourceOf(vectors), parameters, path, { threads: 2 });
      const index = await engine.open(path, vectors, parameters);
      const exact = scan(vectors, queries, 100, { k: 100 });
      for (const k of [10, 100]) {
        let byGraph = 0;
        let byScan = 0;
        for (let q = 0; q < 100; q++) {
          const neighbors = new Set(truth.subarray(q * 100, q * 100 + k));
          const answer = index.search(queries.slice(q * 128, (q + 1) * 128), { k, ef: 200 });
          expect(answer.path).toBe('graph');
          byGraph += answer.rows.filter((row) => neighbors.has(row)).length;
          byScan += exact[q]!.rows.subarray(0, k).filter((row) => neighbors.has(row)).length;
        }
        expect(byGraph / (100 * k), `recall@${k}`).toBeGreaterThanOrEqual(least);
        expect(byScan / (100 * k), `scan, recall@${k}`).toBeGreaterThanOrEqual(0.999); // ties may be named in another order
      }
      index.close();
    },
  );
});
