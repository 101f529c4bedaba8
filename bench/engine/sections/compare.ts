/** Section `compare`: every engine on one data set. Builds use all cores; searches use one, engines taking turns. */
import { join } from 'node:path';
import { buildAll, type PeerBuilds } from '../build-phase.js';
import { median, significant } from '../../lib/numbers.js';
import type { BenchOptions } from '../options.js';
import { ANSWERS_FILE, EF_CONSTRUCTION, M, type DataSet, type SearchJob } from '../peer.js';
import { startSearching, type PeerProcess } from '../peer-process.js';
import type { PeerName } from '../labels.js';
import { searchAll, type SearchResult } from '../search-phase.js';
import { Judge } from '../truth.js';

export interface BuildResult {
  readonly threads: number;
  readonly seconds: readonly number[];
  readonly graph_seconds: readonly number[];
}

export interface PeerResult {
  /** Empty where an index of an earlier run was searched. */
  readonly builds: readonly BuildResult[];
  readonly file_bytes: number;
  /** Median of three, the files being in the page cache. */
  readonly open_ms: number;
  /** What opening and 1,000 searches at k 10 added to the process. */
  readonly rss_bytes: number;
  /** Of it, what no file backs. */
  readonly anon_bytes: number;
}

export interface CompareResult extends Pick<DataSet, 'rows' | 'dim' | 'metric' | 'queries'> {
  readonly m: number;
  readonly ef_construction: number;
  readonly rounds: number;
  readonly pinned: boolean;
  readonly peers: Readonly<Partial<Record<PeerName, PeerResult>>>;
  readonly search: readonly SearchResult[];
}

interface Opened {
  readonly child: PeerProcess;
  readonly figures: Omit<PeerResult, 'builds' | 'file_bytes'>;
}

const OPENINGS = 3;
const MEMORY_SEARCHES = 1_000;
/** An effort that every engine is often asked for. */
const MEMORY_POINT = { ef: 100 };
const MEMORY_K = 10;

export async function compare(data: DataSet, options: BenchOptions): Promise<CompareResult> {
  const builds = await buildAll(data, options);
  const judge = await Judge.of(data);
  const processes: PeerProcess[] = [];
  try {
    const peers: [PeerName, PeerResult][] = [];
    for (const one of builds) {
      const job = { data, folder: one.folder, built: one.last };
      const { child, figures } = await openAndMeasure(job, one.name, options);
      processes.push(child);
      peers.push([one.name, { ...describeBuilds(one), ...figures }]);
    }
    const search = await searchAll(processes, data, judge, options);
    const { rows, dim, metric, queries } = data;
    return {
      ...{ rows, dim, metric, queries, m: M, ef_construction: EF_CONSTRUCTION },
      ...{ rounds: options.rounds, pinned: options.core !== null, peers: Object.fromEntries(peers), search },
    };
  } finally {
    await Promise.all(processes.map((child) => child.end()));
  }
}

function describeBuilds({ builds, last }: PeerBuilds): Pick<PeerResult, 'builds' | 'file_bytes'> {
  const threads = [...new Set(builds.map((built) => built.threads))];
  return {
    file_bytes: last.bytes,
    builds: threads.map((count) => {
      const timed = builds.filter((built) => built.threads === count);
      return {
        threads: count,
        seconds: timed.map(({ seconds }) => significant(seconds)),
        graph_seconds: timed.map(({ graphSeconds }) => significant(graphSeconds)),
      };
    }),
  };
}

/** Opens in fresh processes: what an engine keeps of an index that it has opened before is not measured. */
async function openAndMeasure(job: SearchJob, name: PeerName, options: BenchOptions): Promise<Opened> {
  const openings: number[] = [];
  for (let i = 1; i < (options.quick ? 1 : OPENINGS); i++) {
    const child = await startSearching(name, job, options.core);
    openings.push((await child.open()).openMs);
    await child.end();
  }
  const child = await startSearching(name, job, options.core);
  const before = await child.memory();
  openings.push((await child.open()).openMs);
  const { data } = job;
  for (let done = 0; done < MEMORY_SEARCHES; done += data.queries) {
    await child.answer(MEMORY_K, MEMORY_POINT, join(data.folder, ANSWERS_FILE));
  }
  const after = await child.memory();
  const rss_bytes = after.rssBytes - before.rssBytes;
  const anon_bytes = after.anonBytes - before.anonBytes;
  return { child, figures: { open_ms: significant(median(openings)), rss_bytes, anon_bytes } };
}
