// Builds and searches with whatever SHORTLIST_ISA says; prints digests of the files and of the answers.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const { nativeEngine } = await import(new URL('../../dist/engine/native/native.js', import.meta.url).href);
const { seededRandom } = await import(new URL('../../dist/base/random.js', import.meta.url).href);
const { normalizeRow } = await import(new URL('../../dist/base/metric.js', import.meta.url).href);

const path = process.argv[2];
const parameters = { m: 8, efConstruction: 60, seed: 42 };
const hash = createHash('sha256');
for (const metric of ['cosine', 'ip', 'l2']) {
  for (const dim of [1, 7, 64, 100]) {
    const random = seededRandom(dim);
    const values = Float32Array.from({ length: 1200 * dim }, () => random() + random() + random() - 1.5);
    if (metric === 'cosine') for (let row = 0; row < 1200; row++) normalizeRow(values, row * dim, dim);
    const vectors = { metric, dim, count: 1200, values };
    const read = (from, to) => values.subarray(from * dim, to * dim);
    await nativeEngine.build({ ...vectors, read }, parameters, path, { threads: 2 });
    hash.update(readFileSync(path));
    const index = await nativeEngine.open(path, vectors, parameters);
    for (let row = 0; row < 1200; row += 40) {
      for (const ef of [10, 400]) {
        const { rows, scores } = index.search(values.slice(row * dim, (row + 1) * dim), { k: 10, ef });
        hash.update(rows).update(scores);
      }
    }
    index.close();
  }
}
console.log(hash.digest('hex'));
