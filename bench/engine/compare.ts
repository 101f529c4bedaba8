/**
 * The native engine against hnswlib-node in one run, on generated embeddings.
 *
 *   npx tsx bench/engine/compare.ts --rows 50000 --dim 768 [--threads 2] [--rounds 5] [--out FILE.json]
 *
 * Recall is checked before anything is timed; the peers take turns, round by round; one thread searches. hnswlib-node is
 * at its best fed from one plain array that is filled again and again. Pin it to a core: `taskset -c 0 npx tsx ...` for
 * searches (builds then have one core as well, so leave that out to time builds).
 */
import { createRequire } from 'node:module';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { HierarchicalNSW } from 'hnswlib-node';
import { loadAddon } from '../../src/engine/native/addon.js';
import { NativePool } from '../../src/engine/native/native-pool.js';
import { nativeEngine } from '../../src/engine/native/native.js';
import { generateEmbeddings, type Embeddings } from './generate.js';

const { values: flags } = parseArgs({
  options: {
    rows: { type: 'string', default: '50000' },
    dim: { type: 'string', default: '768' },
    queries: { type: 'string', default: '1000' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    recall: { type: 'string', default: '0.99' },
    out: { type: 'string' },
  },
});

const PARAMETERS = { m: 16, efConstruction: 200, seed: 42 };
const EFS = [10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 100, 104, 112, 120, 128, 144, 160, 200, 256, 320, 400, 512, 800]; // prettier-ignore
const KS = [10, 100];

const rows = Number(flags.rows);
const dim = Number(flags.dim);
const queryCount = Number(flags.queries);

/** One engine as the bench sees it: scores are compared with the truth by row. */
interface Peer {
  readonly name: string;
  search(query: number, k: number, ef: number): ArrayLike<number>;
}

const all = generateEmbeddings(rows + queryCount, dim, 7);
const corpus: Embeddings = { dim, count: rows, values: all.values.subarray(0, rows * dim) };
const queries = Array.from({ length: queryCount }, (_, i) => all.values.slice((rows + i) * dim, (rows + i + 1) * dim));
const folder = mkdtempSync(join(tmpdir(), 'shortlist-bench-'));
const builds: Record<string, number> = {};

async function openNative(): Promise<Peer> {
  const vectors = { metric: 'cosine' as const, ...corpus };
  const path = join(folder, 'bench.graph');
  const read = (from: number, to: number) => corpus.values.subarray(from * dim, to * dim);
  const startedMs = performance.now();
  await nativeEngine.build({ ...vectors, read }, PARAMETERS, path, { threads: Number(flags.threads) });
  builds['native'] = (performance.now() - startedMs) / 1000;
  const index = await nativeEngine.open(path, vectors, PARAMETERS);
  return { name: 'native', search: (query, k, ef) => index.search(queries[query]!, { k, ef }).rows };
}

function openHnswlib(): Peer {
  const require = createRequire(import.meta.url);
  const { HierarchicalNSW: Graph } = require('hnswlib-node') as {
    HierarchicalNSW: new (space: 'ip', dim: number) => HierarchicalNSW;
  };
  const graph = new Graph('ip', dim);
  graph.initIndex({ maxElements: rows, ...PARAMETERS, randomSeed: PARAMETERS.seed });
  const point = new Array<number>(dim).fill(0);
  const startedMs = performance.now();
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < dim; i++) point[i] = corpus.values[row * dim + i]!;
    graph.addPoint(point, row);
  }
  builds['hnswlib-node'] = (performance.now() - startedMs) / 1000;
  const search = (query: number, k: number, ef: number): number[] => {
    const values = queries[query]!;
    for (let i = 0; i < dim; i++) point[i] = values[i]!;
    graph.setEf(ef);
    return graph.searchKnn(point, k).neighbors;
  };
  return { name: 'hnswlib-node', search };
}

async function findTruth(k: number): Promise<Set<number>[]> {
  const flat = new Float32Array(queryCount * dim);
  queries.forEach((query, i) => flat.set(query, i * dim));
  const pool = new NativePool();
  const found = await pool.search([{ metric: 'cosine', ...corpus }], flat, queryCount, { k });
  await pool.close();
  return found.map(([answer]) => new Set(answer!.rows));
}

function recallOf(peer: Peer, truth: readonly Set<number>[], k: number, ef: number): number {
  let found = 0;
  for (let query = 0; query < queryCount; query++) {
    for (const row of Array.from(peer.search(query, k, ef))) if (truth[query]!.has(row)) found++;
  }
  return found / (k * queryCount);
}

/** Queries a second over all queries, once. */
function timeRound(peer: Peer, k: number, ef: number): number {
  const startedMs = performance.now();
  for (let query = 0; query < queryCount; query++) peer.search(query, k, ef);
  return queryCount / ((performance.now() - startedMs) / 1000);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

/** Every ef from the first that reaches the recall on, three at most: a larger one is never faster, so the first counts. */
async function compare(peers: readonly Peer[], k: number): Promise<Record<string, unknown>> {
  const truth = await findTruth(k);
  const points = peers.map((peer) => {
    for (const ef of EFS.filter((size) => size >= k)) {
      const recall = recallOf(peer, truth, k, ef);
      if (recall >= Number(flags.recall)) return { peer, ef, recall, qps: [] as number[] };
    }
    throw new Error(`${peer.name} does not reach recall ${flags.recall} at k ${k}`);
  });
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const point of points) point.qps.push(timeRound(point.peer, k, point.ef));
  }
  const rates = points.map(({ peer, ef, recall, qps }) => ({
    engine: peer.name,
    ef,
    recall,
    qps_best: Math.round(Math.max(...qps)),
    qps_median: Math.round(median(qps)),
  }));
  const [native, other] = points;
  return { k, rates, ratio_median: median(native!.qps.map((qps, round) => qps / other!.qps[round]!)) };
}

try {
  const peers = [await openNative(), openHnswlib()];
  const results: unknown[] = [];
  for (const k of KS) results.push(await compare(peers, k));
  const report = {
    rows,
    dim,
    queries: queryCount,
    environment: { node: process.version, cpu: cpus()[0]?.model, isa: loadAddon().isa() },
    build_threads: Number(flags.threads),
    build_seconds: builds,
    build_ratio: builds['hnswlib-node']! / builds['native']!,
    results,
  };
  const text = JSON.stringify(report, null, 2);
  console.log(text);
  if (flags.out !== undefined) writeFileSync(flags.out, `${text}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
