/**
 * The overload bench: a server that is offered more than it can handle. Measures answers per second of processor time,
 * the time of answers and refusals, and whether probes are answered. With `taskset`, the workers have a core of their
 * own.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { generated } from '../engine/data-sets.js';
import { readEnvironment } from '../lib/environment.js';
import { PROJECT } from '../lib/library.js';
import { percentile, significant } from '../lib/numbers.js';
import { say } from '../lib/say.js';
import { ServerProcess } from '../lib/server-process.js';
import { writeJson } from '../lib/write-json.js';
import { prepareAttributed } from '../filters/attributed.js';
import { makeRequest } from '../serve/forms.js';
import { cpuSeconds } from '../lib/server-cpu.js';
import { measureKills } from './kills.js';
import { pin } from '../lib/pin.js';
import { runOpenLoad, type Outcome } from './open-load.js';
import { startProbes } from './probes.js';

const K = 100;
const VECTORS = 512;
const FACTORS = [0.5, 1, 2, 5, 10];
const CONNECTIONS = [200, 1_000];

/** A load that one worker can bear while others start on the same two cores. */
const KILLS_PER_SECOND = 300;
const KILLS_CONNECTIONS = 64;

const USAGE = `npm run bench:overload -- [options]
  --quick      short loads: does everything work?
  --reuse      serves the index that an earlier run has built
  --seconds N  length of each load (20)
  --workers N  (1)
  --connections N,N   (${CONNECTIONS.join(',')})
  --factors N,N       offered, over what the server can do (${FACTORS.join(',')})
  --kills      instead: workers are killed, one each second, under ${KILLS_PER_SECOND} requests a second
  --work DIR   keeps vectors and indexes (${join(tmpdir(), 'shortlist-bench')})
  --out FILE   result (bench/results/overload.json; with --quick quick-overload.json in the work folder)
`;

interface Row {
  readonly connections: number;
  readonly opened: 'before' | 'during';
  /** Offered, over what the server can do. */
  readonly factor: number;
  readonly offered_per_second: number;
  readonly good_per_second: number;
  readonly good_per_cpu_second: number;
  readonly good_p99_ms: number;
  readonly refused: number;
  readonly refused_p95_ms: number;
  readonly broken: number;
  readonly unsent: number;
  readonly probe_p99_ms: number;
  readonly probe_max_ms: number;
  /** Of requests at half the server's capacity, from 2 s after the load on. */
  readonly refused_afterwards: number;
}

async function run(): Promise<void> {
  const flag = { type: 'string' } as const;
  const { values } = parseArgs({
    options: { help: { type: 'boolean' }, quick: { type: 'boolean' }, reuse: { type: 'boolean' }, kills: { type: 'boolean' }, seconds: flag, workers: flag, connections: flag, factors: flag, work: flag, out: flag }, // prettier-ignore
  });
  if (values.help === true) {
    process.stdout.write(USAGE);
    return;
  }
  const quick = values.quick ?? false;
  const work = values.work ?? join(tmpdir(), 'shortlist-bench');
  const durationMs = 1000 * Number(values.seconds ?? (quick ? 1 : 20));
  const out = values.out ?? (quick ? join(work, 'quick-overload.json') : 'bench/results/overload.json');
  const workers = Number(values.workers ?? 1);
  const set = await prepareAttributed(generated(50_000, 768), work, values.reuse ?? false);
  const { dim } = set.data;
  const vectors = Array.from({ length: VECTORS }, (_, i) => set.queries.slice(i * dim, (i + 1) * dim));
  const server = await ServerProcess.start(set.root, workers);
  const { port, pathname } = new URL(server.searchUrl);
  const requests = vectors.map((vector) => makeRequest('octet-stream', pathname, [vector], { k: K }));
  const target = { port: Number(port), requests, pids: server.workerPids };
  try {
    if (values.kills === true) {
      const row = await measureKills({ ...target, pid: server.pid, workers }, KILLS_PER_SECOND, KILLS_CONNECTIONS);
      const failed = significant((100 * (row.refused + row.broken)) / row.offered);
      say(`killed each second: ${failed} % of ${row.offered} refused (${row.refused}) or broken off (${row.broken}), ${row.unsent} not sent`); // prettier-ignore
      say(`stopped: all listen again after ${row.stopped_back_ms} ms`);
      writeJson(resolve(PROJECT, values.out ?? 'bench/results/kills.json'), { workers, ...row, environment: readEnvironment() }); // prettier-ignore
      return;
    }
    const isPinned = pin(server.workerPids, workers);
    const fresh = await offer(target, { perSecond: 500 * workers, durationMs, connections: 16, opened: 'before' });
    say(`first load after ready, ${500 * workers}/s: p99 ${fresh.good_p99_ms} ms`);
    const capacity = await findCapacity(target, Math.min(4_000, durationMs));
    say(`capacity ${capacity} good answers a second`);
    const rows: Row[] = [];
    for (const connections of numbers(values.connections, CONNECTIONS)) {
      for (const opened of ['before', 'during'] as const) {
        for (const factor of numbers(values.factors, FACTORS)) {
          const measured = await offer(target, { perSecond: factor * capacity, durationMs, connections, opened });
          const after = await recover(target, capacity / 2);
          const row = { connections, opened, factor, ...measured, refused_afterwards: after };
          rows.push(row);
          say(`${connections} ${opened}, ${factor} times: ${row.good_per_cpu_second} good a CPU second (${row.good_per_second}/s), p99 ${row.good_p99_ms} ms; ${row.refused} refused, p95 ${row.refused_p95_ms} ms; broken ${row.broken}, unsent ${row.unsent}; probes p99 ${row.probe_p99_ms} ms; refused afterwards ${after}`); // prettier-ignore
        }
      }
    }
    writeJson(resolve(PROJECT, out), {
      workers,
      pinned: isPinned,
      capacity,
      fresh,
      rows,
      environment: readEnvironment(),
    });
    say(`written to ${out}`);
  } finally {
    await server.stop();
  }
}

function numbers(text: string | undefined, fallback: readonly number[]): readonly number[] {
  return text === undefined ? fallback : text.split(',').map(Number);
}

interface Target {
  readonly port: number;
  readonly requests: readonly Buffer[];
  readonly pids: readonly number[];
}

interface Offer {
  readonly perSecond: number;
  readonly durationMs: number;
  readonly connections: number;
  readonly opened: 'before' | 'during';
}

async function offer(
  target: Target,
  asked: Offer,
): Promise<Omit<Row, 'connections' | 'opened' | 'factor' | 'refused_afterwards'>> {
  const probes = await startProbes(target.port);
  const before = cpuSeconds(target.pids);
  const startedMs = performance.now();
  const outcome = await runOpenLoad({ ...target, ...asked, seed: 7 });
  const seconds = (performance.now() - startedMs) / 1000;
  const cpu = cpuSeconds(target.pids) - before;
  const probed = await probes.stop();
  return {
    offered_per_second: Math.round(asked.perSecond),
    ...figuresOf(outcome, seconds, cpu),
    ...probeFigures(probed),
  };
}

function figuresOf({ goodMs, refusedMs, broken, unsent }: Outcome, seconds: number, cpu: number) {
  return {
    good_per_second: Math.round(goodMs.length / seconds),
    good_per_cpu_second: Math.round(goodMs.length / cpu),
    good_p99_ms: significant(percentile(goodMs, 0.99)),
    refused: refusedMs.length,
    refused_p95_ms: refusedMs.length === 0 ? 0 : significant(percentile(refusedMs, 0.95)),
    broken,
    unsent,
  };
}

function probeFigures(probed: readonly number[]) {
  return { probe_p99_ms: significant(percentile(probed, 0.99)), probe_max_ms: significant(Math.max(...probed)) };
}

/** What is answered when a little more is asked for than can be. */
async function findCapacity(target: Target, durationMs: number): Promise<number> {
  const load = { ...target, durationMs, connections: 16, opened: 'before' as const, seed: 3 };
  const { goodMs } = await runOpenLoad({ ...load, perSecond: 20_000 });
  return Math.round(goodMs.length / (durationMs / 1000));
}

async function recover(target: Target, perSecond: number): Promise<number> {
  await sleep(1_700); // the driver itself has waited 300 ms
  const load = { ...target, durationMs: 1_000, connections: 16, opened: 'before' as const, seed: 4 };
  return (await runOpenLoad({ ...load, perSecond })).refusedMs.length;
}

await run();
