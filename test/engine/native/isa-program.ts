/**
 * A program for `node --input-type=module -e`: builds and searches with whatever SHORTLIST_ISA says, and prints a digest of
 * the files and of the answers. Arguments: the URL of dist/, and a path to write at.
 */
export const ISA_PROGRAM = `
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const [, dist, path] = process.argv;
const { nativeEngine } = await import(dist + 'engine/native/native.js');
const { seededRandom } = await import(dist + 'base/random.js');
const { normalizeRow } = await import(dist + 'base/metric.js');

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
`;
