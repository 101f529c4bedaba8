/**
 * Two kinds of load. *Closed*: each connection sends its next request when the last is answered. It shows how much the
 * server can do, but hides how long requests wait. *Open*: requests come at random times at a steady mean rate, whether
 * or not earlier ones are answered, each on a free or a new connection. Latency counts from the planned time, so that a
 * server or driver that stalls cannot hide it.
 *
 * On a machine that others use too, a server may refuse a request with 503 because it could not answer it soon. Such
 * requests are counted apart, and their latencies are left out.
 */
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { seededRandom } from '../../src/base/random.js';
import { Connection, type Reply } from './connection.js';

const REFUSED = 503;
/** Pause of a connection that was refused. */
const PAUSE_MS = 5;

export interface Load {
  readonly port: number;
  /** Asked in turn. */
  readonly requests: readonly Buffer[];
  readonly durationMs: number;
  /** Called with each answer. @throws Error where it is wrong, which ends the load */
  readonly check: (reply: Reply, request: number) => Promise<void> | void;
}

export interface Loaded {
  /** Requests that were answered. */
  readonly requests: number;
  /** Requests that were refused. */
  readonly refused: number;
  readonly seconds: number;
  readonly latenciesMs: readonly number[];
}

export async function loadClosed(load: Load, connections: number): Promise<Loaded> {
  const opened = await openAll(load.port, connections);
  const startedMs = performance.now();
  const latenciesMs: number[] = [];
  let sent = 0;
  let refused = 0;
  const ask = async (connection: Connection): Promise<void> => {
    while (performance.now() - startedMs < load.durationMs) {
      const request = sent++ % load.requests.length;
      const sentMs = performance.now();
      const reply = await connection.send(load.requests[request]!);
      if (reply.status === REFUSED) {
        refused++;
        await delay(PAUSE_MS);
        continue;
      }
      latenciesMs.push(performance.now() - sentMs);
      await load.check(reply, request);
    }
  };
  try {
    await Promise.all(opened.map(ask));
    return { requests: latenciesMs.length, refused, seconds: (performance.now() - startedMs) / 1000, latenciesMs };
  } finally {
    for (const connection of opened) connection.close();
  }
}

/** Beyond this the server has fallen so far behind that figures say nothing. */
const MAX_CONNECTIONS = 512;
/** Waits that are longer are slept; the rest is spun away, since timers are late by a millisecond. */
const SPIN_MS = 2;

export async function loadOpen(load: Load, perSecond: number, seed: number): Promise<Loaded> {
  const free = await openAll(load.port, 8);
  const all = [...free];
  const random = seededRandom(seed);
  const latenciesMs: number[] = [];
  const underway = new Set<Promise<void>>();
  let refused = 0;
  let failure: unknown = null;
  const startedMs = performance.now();
  const ask = async (request: number, dueMs: number): Promise<void> => {
    const connection = free.pop() ?? (await openOne(load.port, all));
    const reply = await connection.send(load.requests[request]!);
    free.push(connection);
    if (reply.status === REFUSED) {
      refused++;
      return;
    }
    latenciesMs.push(performance.now() - dueMs);
    await load.check(reply, request);
  };
  let sent = 0;
  let dueMs = startedMs;
  while (failure === null) {
    dueMs += (-Math.log(1 - random()) * 1000) / perSecond; // arrivals that know nothing of each other
    if (dueMs - startedMs > load.durationMs) break;
    await waitUntil(dueMs);
    const asked = ask(sent++ % load.requests.length, dueMs).catch((error: unknown) => void (failure ??= error));
    underway.add(asked);
    void asked.then(() => underway.delete(asked));
  }
  await Promise.all(underway);
  for (const connection of all) connection.close();
  if (failure !== null) throw failure as Error;
  return { requests: latenciesMs.length, refused, seconds: (performance.now() - startedMs) / 1000, latenciesMs };
}

async function waitUntil(dueMs: number): Promise<void> {
  for (let leftMs = dueMs - performance.now(); leftMs > 0; leftMs = dueMs - performance.now()) {
    await (leftMs > SPIN_MS ? delay(leftMs - SPIN_MS) : nextTurn());
  }
}

function openAll(port: number, count: number): Promise<Connection[]> {
  return Promise.all(Array.from({ length: count }, () => Connection.open(port)));
}

async function openOne(port: number, all: Connection[]): Promise<Connection> {
  if (all.length >= MAX_CONNECTIONS) throw new Error(`${MAX_CONNECTIONS} requests wait: the server cannot keep up with the rate`); // prettier-ignore
  const connection = await Connection.open(port);
  all.push(connection);
  return connection;
}
