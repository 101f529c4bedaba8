/**
 * A program, run by differential.long.test.ts under each SHORTLIST_ISA: random shards, searched by the native engine, by its scans
 * and by hnswlib, against scoring every row.
 *
 *     node --import tsx differential-program.ts <folder> <seed> <runs> [hnswlib]
 *
 * Prints a digest of all files and answers, which no instruction set may change, and the mean recalls. What fails is thrown
 * by fast-check, with its seed and the smallest shard that fails.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import type { Bitset } from '../../../src/base/bitset.js';
import { type ShardIndex, type ShardQuery, type ShardVectors } from '../../../src/engine/engine.js';
import { SHARD_PLANS } from '../../../src/wire/shard-plans.js';
import { engineOf } from '../../../src/engine/engines.js';
import { scan, type Candidates } from '../../../src/engine/exact/scan.js';
import { NativeIndex } from '../../../src/engine/native/open.js';
import { NativePool } from '../../../src/engine/native/native-pool.js';
import { sourceOf } from '../graphs.js';
import { bruteForce, expectSame, expectSound, recallOf } from '../reference.js';
import { makeFilter, makeQueries, makeShard, spec, type Spec } from './random-shards.js';

const [folder, seed, runs, rival] = process.argv.slice(2) as [string, string, string, string?];
const digest = createHash('sha256');
/** Bits of the codes that were met. */
const codeBits = new Set<number>();
const pool = new NativePool(2);
/** Recalls by pairs of engines on the same shard, query and ef, where the graph was walked. */
const recalls: { native: number; hnswlib: number }[] = [];

async function open(name: 'native' | 'hnswlib', shard: ShardVectors, given: Spec): Promise<ShardIndex> {
  const engine = engineOf(name);
  const path = join(folder, `differential.${engine.fileSuffix}`);
  const { threads } = given;
  await engine.build(sourceOf(shard), given, path, { threads });
  if (name === 'native') digest.update(readFileSync(path));
  return engine.open(path, shard, given);
}

/** The engine's promise for one query (engine.ts). @returns recall */
function checkSearch(index: ShardIndex, query: Float32Array, asked: ShardQuery): number {
  const { k, allow } = asked;
  const answer = index.search(query, asked);
  const truth = bruteForce(index.vectors, query, { k, allow });
  expectSound(answer, index.vectors, query, { k, allow });
  if (answer.path === 'exact') expectSame({ rows: answer.rows, scores: answer.scores }, truth);
  digest.update(answer.rows).update(answer.scores);
  return recallOf(answer, truth);
}

async function checkScans(shard: ShardVectors, queries: Float32Array[], { k }: Spec, allow?: Bitset): Promise<void> {
  const joined = new Float32Array(queries.length * shard.dim);
  queries.forEach((query, i) => joined.set(query, i * shard.dim));
  const expected: Candidates[] = queries.map((query) => bruteForce(shard, query, { k, allow }));
  expectSame(scan(shard, joined, queries.length, { k, ...(allow && { allow }) }), expected);
  const answers = await pool.search([shard], joined, queries.length, { k, ...(allow && { allow: [allow] }) });
  expectSame(answers.map(([only]) => only!), expected); // prettier-ignore
}

/** Filters by every way there is; the first finds its own. */
function checkFilter(index: ShardIndex, queries: Float32Array[], { k, ef }: Spec, allow: Bitset): void {
  for (const plan of SHARD_PLANS) for (const query of queries) checkSearch(index, query, { k, ef, allow, plan });
}

async function checkShard(given: Spec): Promise<void> {
  const shard = makeShard(given);
  const queries = makeQueries(given, shard);
  const allow = makeFilter(given);
  const { k, ef } = given;
  const index = await open('native', shard, given);
  if (index instanceof NativeIndex) codeBits.add(index.figures.codeBits);
  for (const query of queries) checkSearch(index, query, { k, ef });
  if (allow !== undefined) checkFilter(index, queries, given, allow);
  if (rival === undefined) await checkScans(shard, queries, given, allow);
  else if (shard.count >= 50) await compare(index, queries, given);
  index.close();
}

/** At an ef of k at least, since hnswlib raises it to that. */
async function compare(index: ShardIndex, queries: Float32Array[], given: Spec): Promise<void> {
  const other = await open('hnswlib', index.vectors, given);
  const asked = { k: given.k, ef: Math.max(given.k, given.ef) };
  for (const query of queries) {
    recalls.push({ native: checkSearch(index, query, asked), hnswlib: checkSearch(other, query, asked) });
  }
  other.close();
}

function meanOf(engine: 'native' | 'hnswlib'): number {
  return recalls.reduce((sum, recall) => sum + recall[engine], 0) / recalls.length;
}

await fc.assert(fc.asyncProperty(spec, checkShard), { seed: Number(seed), numRuns: Number(runs) });
await pool.close();
const means =
  rival === undefined ? {} : { native: meanOf('native'), hnswlib: meanOf('hnswlib'), pairs: recalls.length };
console.log(JSON.stringify({ digest: digest.digest('hex'), codeBits: [...codeBits].sort((a, b) => a - b), ...means }));
