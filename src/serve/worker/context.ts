/** What the routes of a worker work with. */
import type { Socket } from 'node:net';
import type { ExactSearch } from '../../engine/exact-search.js';
import type { LiveIndexes } from '../../retrieve/load/live.js';
import type { Admission } from './admission.js';
import type { ByteAccount, RefCounted } from '../request/byte-account.js';
import type { Guard } from './guard.js';
import type { Logger } from '../channel/logger.js';
import type { BodyBytes } from '../request/body-bytes.js';
import type { Scheduler } from './scheduler.js';
import type { ServeOptions } from '../channel/options.js';
import type { TimeLimit } from '../request/time-limit.js';
import type { TimeSlicer } from '../request/time-slicer.js';
import type { WorkerMetrics } from './worker-metrics.js';

/** Where a request is counted and told of, and has its place. */
export interface Observer {
  readonly admission: Admission;
  readonly metrics: WorkerMetrics;
  readonly log: Logger;
}

export interface AppContext {
  readonly options: ServeOptions;
  readonly live: LiveIndexes;
  readonly pool: ExactSearch;
  readonly scheduler: Scheduler;
  /** For bodies and answers that take long to read and write. */
  readonly slicer: TimeSlicer;
  /** Refuses what the worker cannot answer soon. */
  readonly guard: Guard;
  /** A request of this connection has ended. */
  readonly requestEnded: (socket: Socket) => void;
  /** Who hears of a connection's requests. */
  readonly observerOf: (socket: Socket) => Observer;
  /** Calibration of a version as its notes have it; null where there is none. */
  readonly calibrationOf: (index: string, version: string) => Promise<unknown>;
  /** The metrics of all processes. */
  readonly joinedMetrics: () => Promise<string>;
  /** True from the moment the server is told to stop. */
  readonly isDraining: () => boolean;
  /** Indexes without which the server is not ready. */
  readonly expected: () => readonly string[];
}

/** What is known of a request beside what fastify knows. */
interface RequestState {
  /** `performance.now()` when the headers had arrived. */
  readonly arrived: number;
  readonly observer: Observer;
  /** Its place among the requests in flight; null before it has one. */
  slot: RefCounted | null;
  /** What its body and its answer take. */
  readonly memory: ByteAccount;
  body: BodyBytes | null;
  /** True once nobody waits for its answer: it is sent, or its connection has ended. */
  isOver: boolean;
  /** How long it is worked on; null before it is. */
  limit: TimeLimit | null;
  /** Facts for the log line: index, version, k, ... */
  facts: Record<string, unknown>;
}

declare module 'fastify' {
  interface FastifyRequest {
    state: RequestState;
  }
}
