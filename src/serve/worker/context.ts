/** What the routes of a worker use. */
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

/** Where a request is counted, logged and admitted. */
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
  /** Shares the thread while large bodies and answers are read and written. */
  readonly slicer: TimeSlicer;
  /** Refuses requests that the worker cannot answer soon. */
  readonly guard: Guard;
  /** To be called when a request of this connection has ended. */
  readonly requestEnded: (socket: Socket) => void;
  /** The observer of a connection's requests. */
  readonly observerOf: (socket: Socket) => Observer;
  /** Calibration of a version from its notes; null if there is none. */
  readonly calibrationOf: (index: string, version: string) => Promise<unknown>;
  /** The metrics of all processes. */
  readonly joinedMetrics: () => Promise<string>;
  /** True as soon as the server is told to stop. */
  readonly isDraining: () => boolean;
  /** Indexes without which the server is not ready. */
  readonly expected: () => readonly string[];
}

/** State of a request beyond that of fastify. */
interface RequestState {
  /** `performance.now()` when the headers had arrived. */
  readonly arrived: number;
  readonly observer: Observer;
  /** Null until it is admitted. */
  slot: RefCounted | null;
  /** Bytes of its body and answer. */
  readonly memory: ByteAccount;
  body: BodyBytes | null;
  /** True once its answer is sent or its connection closed. */
  isOver: boolean;
  /** Null until work on it begins. */
  limit: TimeLimit | null;
  /** Facts for the log line: index, version, k, ... */
  facts: Record<string, unknown>;
}

declare module 'fastify' {
  interface FastifyRequest {
    state: RequestState;
  }
}
