/** One process of the worker pool: how it is started, and what the pool knows of it. */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { MetricsSnapshot } from '../channel/joined-metrics.js';
import type { PendingRequests } from '../channel/pending-requests.js';
import { closeDescriptor, openSocketPair } from '../channel/sockets/sockets.js';
import type { Pulse } from './pulse.js';

/**
 * Node flags of workers. There is one worker per core, so the threads of a parallel garbage collector would take time
 * from other workers' searches; on one thread it needs less in total and marks a third as often. The heap may grow to
 * three times its live size, some 25 MB, before it is marked again. By default V8 marks after 8 MB, counting vectors
 * and answers that are already garbage: twice a second under large requests, for 10 to 20 ms.
 *
 * Not from Node 24 on, which frees memory outside the heap only by marking: a worker with a limit of 32 MiB held 580 MB
 * with marking on its thread, and 240 MB with marking threads.
 */
const WORKER_FLAGS =
  Number.parseInt(process.versions.node) < 24 ? ['--single-threaded-gc', '--heap-growing-percent=200'] : [];

const WORKER_SCRIPT = fileURLToPath(new URL('../worker/worker.js', import.meta.url));

/**
 * `booting`: the process does not receive messages yet. `standby`: it does, but is not one of the workers. `listening`:
 * everything is loaded and it accepts connections.
 */
export type WorkerState = 'booting' | 'standby' | 'starting' | 'listening';

export interface Member {
  readonly id: number;
  /** Its position among the workers; null for the standby process. */
  slot: number | null;
  readonly process: ChildProcess;
  state: WorkerState;
  /** `performance.now()` when it was sent `start`. */
  startSentAt: number;
  /** This process's end of the channel for connections; null once it is closed. */
  channel: number | null;
  /** Connections sent to it, received by it, and open now. */
  readonly connections: { sent: number; taken: number; open: number };
  readonly pulse: Pulse;
  readonly prepares: PendingRequests<void>;
  readonly measures: PendingRequests<MetricsSnapshot>;
}

/** A worker process, and this process's end of the channel for connections. @throws EMFILE and other system errors */
export function startWorkerProcess(): { channel: number; child: ChildProcess } {
  const [channel, workerEnd] = openSocketPair();
  try {
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc', workerEnd] as const;
    return { channel, child: fork(WORKER_SCRIPT, { execArgv: [...WORKER_FLAGS], stdio: [...stdio] }) };
  } catch (error) {
    closeDescriptor(channel);
    throw error;
  } finally {
    closeDescriptor(workerEnd);
  }
}

export function isInRotation({ state, channel, pulse }: Member): boolean {
  return state === 'listening' && channel !== null && !pulse.isQuiet;
}

export function closeChannel(member: Member): void {
  if (member.channel !== null) closeDescriptor(member.channel);
  member.channel = null;
}
