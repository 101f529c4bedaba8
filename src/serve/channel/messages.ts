/**
 * What the primary and its workers say to each other. JSON-safe. A worker works off everything that changes what it
 * serves (`start` to `apply`) strictly in order; the rest is answered at once.
 */
import type { SerializedError } from '../../base/errors.js';
import type { Names } from '../../retrieve/load/live.js';
import type { MetricsSnapshot } from './joined-metrics.js';
import type { ServeOptions } from './options.js';

/** What each index's names point at, for all indexes that are served. */
export type LiveState = Readonly<Record<string, Names>>;

export type ToWorker =
  /** The first message: load all this, as far as it can be loaded, then answer `started`. */
  | {
      readonly type: 'start';
      readonly options: ServeOptions;
      readonly toolVersion: string;
      readonly state: LiveState;
      readonly expected: readonly string[];
      /** It replaces a worker of a server that is ready. */
      readonly othersAnswer: boolean;
    }
  /** Clients wait and nobody else takes connections: listen as soon as all is loaded, warm or not. */
  | { readonly type: 'hurry' }
  /** Whether workers are missing that are being replaced. */
  | { readonly type: 'shorthanded'; readonly isShorthanded: boolean }
  /** Without these indexes the server is not ready. */
  | { readonly type: 'expect'; readonly indexes: readonly string[] }
  /** Are you there? Answered by `pong` after this turn of the event loop. */
  | { readonly type: 'ping' }
  /** Load a version; answered by `prepared`. */
  | { readonly type: 'prepare'; readonly id: number; readonly index: string; readonly version: string }
  /** Let go of a version that was prepared and will not be applied. */
  | { readonly type: 'discard'; readonly index: string; readonly version: string }
  /** Let go of a version whose files are damaged, whatever names it. */
  | { readonly type: 'condemn'; readonly index: string; readonly version: string }
  /** Answer from these. What they name and is not loaded is loaded first; `unloaded` says what cannot be. */
  | { readonly type: 'apply'; readonly index: string; readonly names: Names }
  /** Say on /readyz that the server is going, and go on. */
  | { readonly type: 'unready' }
  /** Finish what is in flight, take what is still in the channel, exit. */
  | { readonly type: 'drain' }
  /** Answered by `measured`. */
  | { readonly type: 'measure'; readonly id: number }
  /** The answer to `metrics`. */
  | { readonly type: 'page'; readonly id: number; readonly text: string };

export type FromWorker =
  /** The first message: what was sent before it would have been lost, since nobody listened yet. */
  | { readonly type: 'hello' }
  /** All that `start` told it to load is loaded, but for what `unloaded` said. */
  | { readonly type: 'started' }
  /** A version that `start` or `apply` named cannot be loaded: the worker serves the rest without it. */
  | { readonly type: 'unloaded'; readonly index: string; readonly version: string; readonly error: SerializedError }
  /**
   * The answer to `ping`.
   * `taken`: connections that have ever come through the channel; `open`: those that are there now.
   */
  | { readonly type: 'pong'; readonly taken: number; readonly open: number }
  /** `start` failed; the worker exits. */
  | { readonly type: 'failed'; readonly error: SerializedError }
  | { readonly type: 'prepared'; readonly id: number; readonly error: SerializedError | null }
  | { readonly type: 'measured'; readonly id: number; readonly snapshot: MetricsSnapshot }
  /** Asks for the metrics of all processes; answered by `page`. */
  | { readonly type: 'metrics'; readonly id: number };
