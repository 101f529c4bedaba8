/**
 * Kills workers with SIGKILL, one each second in turn, including the standby, under a load that they can bear. Measures
 * how many requests are refused or broken. Then stops one (SIGSTOP) and measures how long until all workers listen
 * again.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { runOpenLoad } from './open-load.js';

const KILLS = 15;
const EVERY_MS = 1_000;

/** Between kills: all workers are there again before one is stopped. */
const CALM_MS = 8_000;

const MOST_BACK_MS = 60_000;

export interface KillRow {
  readonly offered: number;
  readonly refused: number;
  readonly broken: number;
  /** No connection was free, since workers were gone: the client would have waited. */
  readonly unsent: number;
  /** Until a worker that was stopped is replaced and all listen. */
  readonly stopped_back_ms: number;
}

export interface Victim {
  readonly port: number;
  /** Of the primary. */
  readonly pid: number;
  readonly requests: readonly Buffer[];
  readonly workers: number;
}

export async function measureKills(victim: Victim, perSecond: number, connections: number): Promise<KillRow> {
  const { port, pid, requests } = victim;
  let kills = 0;
  const timer = setInterval(() => {
    const children = childrenOf(pid);
    const next = children[kills++ % children.length];
    if (next !== undefined) process.kill(next, 'SIGKILL');
  }, EVERY_MS);
  const load = {
    port,
    requests,
    perSecond,
    durationMs: KILLS * EVERY_MS,
    connections,
    opened: 'before',
    seed: 1,
  } as const;
  const { goodMs, refusedMs, broken, unsent } = await runOpenLoad(load);
  clearInterval(timer);
  await sleep(CALM_MS);
  return {
    offered: goodMs.length + refusedMs.length + broken + unsent,
    refused: refusedMs.length,
    broken,
    unsent,
    stopped_back_ms: await measureStop(victim),
  };
}

async function measureStop({ port, pid, workers }: Victim): Promise<number> {
  const [stopped] = childrenOf(pid);
  process.kill(stopped!, 'SIGSTOP');
  const begun = performance.now();
  while (performance.now() - begun < MOST_BACK_MS) {
    await sleep(100);
    if (childrenOf(pid).includes(stopped!)) continue;
    const metrics = await fetch(`http://127.0.0.1:${port}/metrics`).then((answer) => answer.text());
    if (metrics.includes(`shortlist_workers{state="listening"} ${workers}\n`))
      return Math.round(performance.now() - begun);
  }
  throw new Error('the worker that was stopped was not replaced');
}

/** Linux says it. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
}
