/**
 * Section `swap`: a server under load while versions are published and rolled back five times by the command line.
 * Measures tail latencies before each command, while it runs (a publish measures recall on the same cores before it
 * moves CURRENT), and in the two seconds after CURRENT moved, when the server loads the version and switches.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { generated, prepareData } from '../data-sets.js';
import { buildFlat, buildVersion } from '../flat-index.js';
import { readRowArrays } from '../../lib/float-file.js';
import { median, percentile, significant } from '../../lib/numbers.js';
import type { BenchOptions } from '../options.js';
import { PacedLoad, type Sample } from '../paced-load.js';
import type { DataSet } from '../peer.js';
import { INDEX, runCli } from '../peers/shortlist.js';
import { say } from '../../lib/say.js';
import { searchBody, ServerProcess } from '../../lib/server-process.js';

const SWAPS = 5;
const WORKERS = 2;
const K = 100;
/** A tenth of what two cores can answer: waiting for other requests is not what is measured. */
const PER_SECOND = 300;
const STEADY_MS = 4_000;
/** A server notices CURRENT within a second; loading and switching come after. */
const SWAP_MS = 2_000;
/** Warms the server up: its code is compiled while it runs. */
const WARM_MS = 5_000;
/** `--quick` waits so many times shorter. */
const QUICK_SHARE = 4;

export interface SwapResult extends Pick<DataSet, 'rows' | 'dim'> {
  readonly k: number;
  readonly requests_per_second: number;
  readonly workers: number;
  readonly requests: number;
  readonly failed: number;
  /** Median over the swaps of the p99 after CURRENT moved, divided by the p99 before. */
  readonly ratio: number;
  readonly swaps: readonly {
    readonly command: 'publish' | 'rollback';
    readonly steady_p99_ms: number;
    readonly command_p99_ms: number;
    readonly swap_p99_ms: number;
    readonly ratio: number;
    /** From the move of CURRENT to the first answer by the new version. */
    readonly switched_ms: number;
  }[];
}

export async function measureSwap(options: BenchOptions): Promise<SwapResult> {
  const data = await prepareData(options.quick ? generated(20_000, 32, 200) : generated(200_000, 128), options.work);
  const { root, version: first } = await buildFlat(data, options);
  const second = await buildVersion(data, root, 2);
  await runCli(['publish', `${INDEX}@${first}`, '--root', root, '--force', '--reason', 'a benchmark']);
  const server = await ServerProcess.start(root, WORKERS);
  const load = new PacedLoad(server.searchUrl, bodiesOf(data), PER_SECOND);
  const share = options.quick ? QUICK_SHARE : 1;
  try {
    await delay(WARM_MS / share);
    const swaps = [];
    for (let i = 0; i < SWAPS; i++) swaps.push(await swapOnce(load, root, i % 2 === 0 ? second : null, share));
    await load.stop();
    const failed = load.samples.filter((sample) => sample.version === null).length;
    const ratio = significant(median(swaps.map((swap) => swap.ratio)));
    say(`swap: p99 ${ratio} times the steady one, ${failed} of ${load.samples.length} requests failed`);
    const { rows, dim } = data;
    const result = { rows, dim, k: K, requests_per_second: PER_SECOND, workers: WORKERS };
    return { ...result, requests: load.samples.length, failed, ratio, swaps };
  } finally {
    await load.stop();
    await server.stop();
  }
}

function bodiesOf(data: DataSet): string[] {
  return readRowArrays(join(data.folder, 'queries.f32'), data.dim).map((vector) => searchBody(vector, { k: K }));
}

/** @param version that is published; null rolls back */
async function swapOnce(load: PacedLoad, root: string, version: string | null, share: number): Promise<SwapResult['swaps'][number]> {
  const steadyFrom = performance.now();
  await delay(STEADY_MS / share);
  const commandFrom = performance.now();
  const target = version === null ? ['rollback', INDEX] : ['publish', `${INDEX}@${version}`, '--force', '--reason', 'a benchmark'];
  const moved = await runCli<{ readonly version: string }>([...target, '--root', root]);
  const movedAt = statSync(join(root, INDEX, 'CURRENT')).mtimeMs - performance.timeOrigin;
  await delay(Math.max(0, movedAt + SWAP_MS - performance.now()));
  const p99 = (from: number, to: number): number =>
    significant(percentile(load.samples.filter(({ atMs }) => atMs >= from && atMs < to).map(({ ms }) => ms), 0.99)); // prettier-ignore
  const steady_p99_ms = p99(steadyFrom, commandFrom);
  const swap_p99_ms = p99(movedAt, movedAt + SWAP_MS);
  return {
    command: version === null ? 'rollback' : 'publish',
    steady_p99_ms,
    command_p99_ms: p99(commandFrom, movedAt),
    swap_p99_ms,
    ratio: significant(swap_p99_ms / steady_p99_ms),
    switched_ms: Math.round(firstAnswerBy(load.samples, moved.version, movedAt) - movedAt),
  };
} // prettier-ignore

/** @throws Error when the server has not switched */
function firstAnswerBy(samples: readonly Sample[], version: string, afterMs: number): number {
  const found = samples.find((sample) => sample.version === version && sample.atMs + sample.ms >= afterMs);
  if (found === undefined) throw new Error(`no answer came from ${version} within ${SWAP_MS} ms`);
  return found.atMs + found.ms;
}
