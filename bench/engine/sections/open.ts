/**
 * Section `open`: how long a shard of 1 GB takes to open from the page cache, and how much memory eight workers of a
 * server take together. A proportional set size divides each page among its processes, so the sum is their total.
 */
import { join } from 'node:path';
import { generated, prepareData } from '../data-sets.js';
import { buildFlat, type FlatIndex } from '../flat-index.js';
import { readRowArrays } from '../../lib/float-file.js';
import { loadEngine, loadLibrary, loadVersionReader } from '../../lib/library.js';
import { sharedMemory } from '../memory.js';
import { median, significant } from '../../lib/numbers.js';
import type { BenchOptions } from '../options.js';
import type { DataSet } from '../peer.js';
import { INDEX, runCli } from '../peers/shortlist.js';
import { say } from '../../lib/say.js';
import { searchBody, ServerProcess } from '../../lib/server-process.js';

const OPENINGS = 7;
const WORKERS = 8;
/** Scans of all vectors, each on a connection of its own: more than enough for every worker to have touched every page. */
const SCANS = 6 * WORKERS;

export interface OpenResult extends Pick<DataSet, 'rows' | 'dim'> {
  /** Vectors and graph of the shard. */
  readonly shard_bytes: number;
  /** Medians of seven. The shard: vectors mapped, graph mapped and checked. */
  readonly open_shard_ms: number;
  /** The whole version, with its table of ids. */
  readonly open_index_ms: number;
  readonly workers: number;
  readonly workers_rss_bytes: number;
  readonly workers_pss_bytes: number;
  /** The part of the proportional set sizes that files back: the copy that is shared. */
  readonly workers_pss_file_bytes: number;
}

export async function measureOpen(options: BenchOptions): Promise<OpenResult> {
  const data = await prepareData(options.quick ? generated(20_000, 32, 200) : generated(1_000_000, 256, 100), options.work);
  const flat = await buildFlat(data, options);
  const shard = await openShard(data, flat);
  const open_index_ms = await openIndexMs(flat);
  await runCli(['publish', `${INDEX}@${flat.version}`, '--root', flat.root, '--force', '--reason', 'a benchmark']);
  const workers = await measureWorkers(data, flat);
  say(`open: shard ${shard.open_shard_ms} ms, index ${open_index_ms} ms; ${WORKERS} workers ${(workers.workers_pss_bytes / 2 ** 20).toFixed(0)} MiB`);
  return { rows: data.rows, dim: data.dim, ...shard, open_index_ms, workers: WORKERS, ...workers };
} // prettier-ignore

/** As a worker opens it (retrieve/load/loaded-version.ts), without the rest of the version. */
async function openShard({ metric }: DataSet, { root, version }: FlatIndex): Promise<Pick<OpenResult, 'shard_bytes' | 'open_shard_ms'>> {
  const { nativeEngine } = await loadEngine();
  const { openVersionFiles, readShard, graphPaths } = await loadVersionReader();
  const files = await openVersionFiles(root, INDEX, version, { hash: false });
  const [path = ''] = graphPaths(files, 0);
  const { dim, engine, seed, shards } = files.manifest;
  const parameters = { m: Number(engine.parameters['m']), efConstruction: Number(engine.parameters['ef_construction']), seed };
  const times = [];
  for (let i = 0; i < OPENINGS; i++) {
    const startedMs = performance.now();
    const { count, vectors, vectorsOffset } = await readShard(files, 0, undefined, nativeEngine.mapping!.vectors);
    const file = { path: join(files.directory, shards[0]!.files[0]!), offset: vectorsOffset };
    const index = await nativeEngine.open(path, { metric, dim, count, values: vectors, file }, parameters);
    times.push(performance.now() - startedMs);
    index.close();
  }
  const names = new Set(shards[0]!.files);
  const shard_bytes = files.manifest.files.reduce((sum, file) => sum + (names.has(file.name) ? file.bytes : 0), 0);
  return { shard_bytes, open_shard_ms: significant(median(times)) };
} // prettier-ignore

async function openIndexMs({ root, version }: FlatIndex): Promise<number> {
  const { openIndex } = await loadLibrary();
  const times = [];
  for (let i = 0; i < OPENINGS; i++) {
    const startedMs = performance.now();
    const index = await openIndex(root, INDEX, { version, threads: 1 });
    times.push(performance.now() - startedMs);
    await index.close();
  }
  return significant(median(times));
}

type WorkerMemory = Pick<OpenResult, 'workers_rss_bytes' | 'workers_pss_bytes' | 'workers_pss_file_bytes'>;

async function measureWorkers(data: DataSet, { root }: FlatIndex): Promise<WorkerMemory> {
  const server = await ServerProcess.start(root, WORKERS);
  try {
    const [query] = readRowArrays(join(data.folder, 'queries.f32'), data.dim);
    const body = searchBody(query!, { k: 10, exact: true });
    const headers = { 'content-type': 'application/json', connection: 'close' };
    for (let i = 0; i < SCANS; i++) {
      const response = await fetch(server.searchUrl, { method: 'POST', headers, body });
      if (response.status !== 200)
        throw new Error(`a search was answered ${response.status}: ${await response.text()}`);
      await response.arrayBuffer();
    }
    const each = server.workerPids.map(sharedMemory);
    return {
      workers_rss_bytes: each.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
      workers_pss_bytes: each.reduce((sum, { pssBytes }) => sum + pssBytes, 0),
      workers_pss_file_bytes: each.reduce((sum, { pssFileBytes }) => sum + pssFileBytes, 0),
    };
  } finally {
    await server.stop();
  }
}
