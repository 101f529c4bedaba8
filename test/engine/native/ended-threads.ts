/**
 * A program, run by ended-threads.test.ts and under the sanitizers: threads of JavaScript that end, at any moment, while the
 * addon works for them.
 *
 *     node --import tsx ended-threads.ts <addon> <folder> <work> <rounds>
 *
 * <work> is what they are at, or `all` of it in turn. Prints for each work `ended` for each thread, once it has, and what is left.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Addon } from '../../../src/engine/native/addon.js';

const [addonPath, folder, work, rounds] = process.argv.slice(2) as [string, string, string, string];
const addon = createRequire(import.meta.url)(addonPath) as Addon;

const SHAPE = { metric: 2, dim: 64, count: 20_000, m: 8, efConstruction: 20 };
const path = join(folder, 'valid.graph');
const vectorsPath = join(folder, 'vectors');

/** What every thread begins with. */
const BEGIN = `
  const { parentPort } = require('node:worker_threads');
  const addon = require(${JSON.stringify(addonPath)});
  const shape = ${JSON.stringify(SHAPE)}, path = ${JSON.stringify(path)}, vectorsPath = ${JSON.stringify(vectorsPath)};
  const values = new Float32Array(shape.count * shape.dim);
  const begun = () => parentPort.postMessage('begun');
  const cancel = new Int32Array(new SharedArrayBuffer(4));
  const scan = (pool, queries) =>
    pool.scan({ ...shape, k: 10, values, queries: new Float32Array(queries * shape.dim), allow: undefined, cancel });`;

/** By name: what a thread is at when it ends. */
const WORKS: Readonly<Record<string, string>> = {
  'a long scan': `scan(new addon.ScanPool(2), 4096); begun();`,
  'many short scans': `
    const pool = new addon.ScanPool(2);
    const go = () => scan(pool, 1).then(go);
    for (let i = 0; i < 8; i++) go();
    begun();`,
  'scans of many pools': `
    const go = () => scan(new addon.ScanPool(1), 4).then(go);
    for (let i = 0; i < 8; i++) go();
    begun();`,
  'checks of a file': `
    const go = () => addon.check(path, shape).then(go);
    for (let i = 0; i < 8; i++) go();
    begun();`,
  'a build': `
    const progress = () => (begun(), true);
    addon.build({ ...shape, efConstruction: 4000, vectorsPath, vectorsOffset: 0, seed: 1, threads: 2, path: path + 2, progress });`,
  'searches of a mapped file': `
    const rows = new Float32Array(addon.map(vectorsPath, 0, values.byteLength));
    const buffers = { query: rows.slice(0, shape.dim), foundRows: new Uint32Array(50), foundScores: new Float32Array(50), counters: new Float64Array(8) };
    const shard = new addon.Shard({ ...shape, path, values: rows, ...buffers });
    begun();
    for (;;) shard.search(10, 10, undefined, shape.count, 0, 1e6);`,
  'long searches of a mapped file': `
    const rows = new Float32Array(addon.map(vectorsPath, 0, values.byteLength));
    const buffers = { query: rows.slice(0, shape.dim), foundRows: new Uint32Array(9000), foundScores: new Float32Array(9000), counters: new Float64Array(8) };
    const shard = new addon.Shard({ ...shape, path, values: rows, ...buffers });
    const query = rows.slice(0, shape.dim);
    const go = () => shard.searchLater(9000, 15000, undefined, shape.count, 0, 1e6, undefined, query).then(go);
    for (let i = 0; i < 8; i++) go();
    begun();`,
  'scans of a mapped file': `
    const mapped = new Float32Array(addon.map(vectorsPath, 0, values.byteLength));
    const pool = new addon.ScanPool(2);
    const queries = new Float32Array(4096 * shape.dim);
    pool.scan({ ...shape, k: 10, values: mapped, queries, allow: undefined, cancel });
    begun();`,
  'an export': `
    begun();
    for (;;) {
      const file = new addon.HnswlibExport({ ...shape, vectorsPath, vectorsOffset: 0, path, factor: 1 });
      while (file.read(new Uint8Array(65536)) > 0);
    }`,
  'a scan, by its own will': `scan(new addon.ScanPool(2), 4096); setTimeout(() => process.exit(), 20);`,
  'a long search, by its own will': `
    const rows = new Float32Array(addon.map(vectorsPath, 0, values.byteLength));
    const buffers = { query: rows.slice(0, shape.dim), foundRows: new Uint32Array(9000), foundScores: new Float32Array(9000), counters: new Float64Array(8) };
    const shard = new addon.Shard({ ...shape, path, values: rows, ...buffers });
    for (let i = 0; i < 8; i++) shard.searchLater(9000, 15000, undefined, shape.count, 0, 1e6, undefined, buffers.query);
    shard.close();
    setTimeout(() => process.exit(), 20);`,
  'a check, by its own will': `addon.check(path, shape); process.exit();`,
};

const values = Float32Array.from({ length: SHAPE.count * SHAPE.dim }, (_, i) => Math.sin(i * 1.7));
addon.build({ ...SHAPE, values, seed: 1, threads: 2, path, progress: () => true });
writeFileSync(vectorsPath, values);

for (const [name, code] of Object.entries(WORKS)) {
  if (work !== 'all' && work !== name) continue;
  for (let round = 0; round < Number(rounds); round++) {
    const thread = new Worker(`${BEGIN} ${code}`, { eval: true });
    thread.once('message', () => setTimeout(() => void thread.terminate(), 3 * round));
    await new Promise((resolve, reject) => void thread.once('exit', resolve).once('error', reject));
    console.log(`${name}: ended`);
  }
  console.log(`${name}: ${countMapped()} parts of files are mapped`);
}

/** Of either file: whatever a thread had mapped is free again. */
function countMapped(): number {
  return readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => line.includes(folder)).length;
}
