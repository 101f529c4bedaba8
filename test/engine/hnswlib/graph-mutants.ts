/**
 * A program, run by graph-file.test.ts: opens damaged copies of a graph file and searches those that open. In a process of
 * its own, so that a crash of the native code is a failed test and not a dead test runner.
 *
 * node --import tsx graph-mutants.ts <folder> <seed> <copies>; what was done to the copy in hand is in <folder>/mutation.txt.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Bitset } from '../../../src/base/bitset.js';
import { ShortlistError } from '../../../src/base/errors.js';
import { seededRandom } from '../../../src/base/random.js';
import { elementBytes, HEADER_BYTES, level0Bytes } from '../../../src/engine/hnswlib/layout.js';
import { openHnswlib } from '../../../src/engine/hnswlib/open.js';
import { PARAMETERS } from '../graphs.js';
import { expectSound, randomValues, randomVectors } from '../reference.js';

const [folder, seed, copies] = process.argv.slice(2) as [string, string, string];
const random = seededRandom(Number(seed));
const below = (limit: number): number => Math.floor(random() * limit);

/** As graph-file.test.ts wrote them. */
const vectors = randomVectors({ metric: 'l2', dim: 6 }, 400, 1);
const queries = randomValues(vectors, 20, 2);
const original = readFileSync(join(folder, 'original.hnsw'));
const upperStart = HEADER_BYTES + vectors.count * elementBytes(vectors.dim, PARAMETERS.m);

interface Mutation {
  readonly name: string;
  readonly mutate: (bytes: Buffer) => Buffer;
}

const INTERESTING = [0, 1, 2, 399, 400, 401, 0x7fffffff, 0x80000000, 0xffffffff, 0x10000, 0x10008];

const MUTATIONS: readonly Mutation[] = [
  {
    name: 'a bit anywhere',
    mutate: (bytes) => {
      bytes[below(bytes.length)]! ^= 1 << below(8);
      return bytes;
    },
  },
  {
    name: 'a word of the header',
    mutate: (bytes) => {
      bytes.writeUInt32LE(INTERESTING[below(INTERESTING.length)]!, 4 * below(HEADER_BYTES / 4));
      return bytes;
    },
  },
  {
    name: 'a word of the links of level 0',
    mutate: (bytes) => {
      const at = HEADER_BYTES + below(vectors.count) * elementBytes(vectors.dim, PARAMETERS.m);
      bytes.writeUInt32LE(
        below(2) === 0 ? below(400) : INTERESTING[below(INTERESTING.length)]!,
        at + 4 * below(level0Bytes(PARAMETERS.m) / 4),
      );
      return bytes;
    },
  },
  {
    name: 'a word of the upper levels',
    mutate: (bytes) => {
      const at = upperStart + 4 * below((bytes.length - upperStart) / 4);
      bytes.writeUInt32LE(below(2) === 0 ? below(400) : INTERESTING[below(INTERESTING.length)]!, at);
      return bytes;
    },
  },
  { name: 'the end cut off', mutate: (bytes) => bytes.subarray(0, below(bytes.length)) },
  {
    name: 'four bytes less or more',
    mutate: (bytes) => (below(2) === 0 ? bytes.subarray(0, -4) : Buffer.concat([bytes, Buffer.alloc(4)])),
  },
  {
    name: 'a run of noise',
    mutate: (bytes) => {
      const from = below(bytes.length);
      for (let i = from; i < Math.min(bytes.length, from + 1 + below(64)); i++) bytes[i] = below(256);
      return bytes;
    },
  },
  {
    name: 'two parts swapped',
    mutate: (bytes) => {
      const length = 4 * (1 + below(200));
      const [a, b] = [4 * below((bytes.length - length) / 4), 4 * below((bytes.length - length) / 4)];
      const kept = Buffer.from(bytes.subarray(a, a + length));
      bytes.copyWithin(a, b, b + length);
      kept.copy(bytes, b);
      return bytes;
    },
  },
];

/** @returns 'refused' or 'searched' */
async function tryCopy(path: string): Promise<'refused' | 'searched'> {
  try {
    const index = await openHnswlib(path, vectors, PARAMETERS);
    const allow = Bitset.full(vectors.count);
    for (let row = 0; row < 40; row++) allow.delete(row);
    for (let i = 0; i < 20; i++) {
      const query = queries.slice(i * 6, (i + 1) * 6);
      expectSound(index.search(query, { k: 10, ef: 50 }), vectors, query, { k: 10 });
      if (i === 0) expectSound(index.search(query, { k: 400, ef: 400 }), vectors, query, { k: 400 });
      expectSound(index.search(query, { k: 10, ef: 50, allow }), vectors, query, { k: 10, allow });
    }
    index.close();
    return 'searched';
  } catch (error) {
    if (error instanceof ShortlistError && error.code === 'file_corrupt' && error.details['file'] === path)
      return 'refused';
    throw error;
  }
}

const counts = { refused: 0, searched: 0 };
for (let copy = 0; copy < Number(copies); copy++) {
  const { name, mutate } = MUTATIONS[copy % MUTATIONS.length]!;
  const path = join(folder, 'mutant.hnsw');
  writeFileSync(path, mutate(Buffer.from(original)));
  writeFileSync(join(folder, 'mutation.txt'), `copy ${copy} of seed ${seed}: ${name}`);
  counts[await tryCopy(path)]++;
}
console.log(JSON.stringify(counts));
