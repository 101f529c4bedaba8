/** What the routes of a worker use. */
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Names } from '../../retrieve/load/live.js';
import type { Manifest } from '../../version/sealed/manifest.js';
import type { ARROW_TYPE } from '../answer/answer-arrow.js';
import type { Include, SearchRequest } from '../request/search-request.js';
import type { IndexExamples } from './routes/examples.js';
import type { Admission } from './admission.js';
import type { ByteAccount, RefCounted } from '../request/byte-account.js';
import type { Guard } from './guard.js';
import type { Logger } from '../channel/logger.js';
import type { BodyBytes } from '../request/body-bytes.js';
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

/** Options of the HTTP interface. */
type HttpOptions = Pick<
  ServeOptions,
  'basePath' | 'bodyLimit' | 'cors' | 'index' | 'keepAliveTimeoutMs' | 'requestTimeoutMs'
>;

export interface AppContext {
  readonly options: HttpOptions;
  readonly backend: Backend;
  /** Shares the thread while large bodies and answers are read and written. */
  readonly slicer: TimeSlicer;
  /** Refuses requests that the worker cannot answer soon. */
  readonly guard: Pick<Guard, 'admits' | 'refuse'>;
  /** To be called when a request of this connection has ended. */
  readonly requestEnded: (socket: Socket) => void;
  /** The observer of a connection's requests. */
  readonly observerOf: (socket: Socket) => Observer;
  /** The metrics of all processes. */
  readonly joinedMetrics: () => Promise<string>;
  /** True as soon as the server is told to stop. */
  readonly isDraining: () => boolean;
  /** Indexes without which the server is not ready. */
  readonly expected: () => readonly string[];
  /** Adds routes that only some servers have. */
  readonly addRoutes?: (app: FastifyInstance) => void;
}

export const JSON_TYPE = 'application/json';
type AnswerType = typeof JSON_TYPE | typeof ARROW_TYPE;

/** What answers behind the routes: versions in this process, or servers that hold parts of them. */
export interface Backend {
  names(): readonly string[];
  /** @throws unknown_index */
  namesOf(index: string): Names;
  /** The versions that can be named, with the memory that they take in this process. */
  loaded(): readonly { readonly index: string; readonly version: string; readonly residentBytes: number }[];
  /** Of the current version. @throws not_ready, index_damaged */
  manifestOf(index: string): Manifest;
  /** Calibration of a version; null if there is none. */
  calibrationOf(index: string, version: string): Promise<unknown>;
  /** Examples for the documentation; null if there are none. */
  examplesOf(index: string): IndexExamples | null;
  /** @throws codes of searches */
  search(asked: AskedSearch): Promise<AnsweredSearch>;
  /** The JSON text of an item. @throws unknown_id, unknown_attribute, version_not_loaded, not_ready */
  item(asked: AskedItem): Promise<Buffer>;
}

export interface AskedSearch {
  readonly index: string;
  readonly request: SearchRequest;
  readonly type: AnswerType;
  readonly state: RequestState;
  readonly limit: TimeLimit;
  /** `performance.now()` when its body had arrived. */
  readonly started: number;
}

export interface AnsweredSearch {
  readonly pieces: readonly Buffer[];
  /** For the log line. */
  readonly facts: Record<string, unknown>;
}

export interface AskedItem {
  readonly index: string;
  readonly id: string;
  readonly version: string | undefined;
  readonly include: Include;
  readonly state: RequestState;
}

/** State of a request beyond that of fastify. */
export interface RequestState {
  /** `performance.now()` when the headers had arrived. */
  readonly arrived: number;
  readonly observer: Observer;
  /** Headers that are passed on to the servers that take part in the answer. */
  readonly id: string;
  readonly traceparent: string | undefined;
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
