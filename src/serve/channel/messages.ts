/**
 * Messages between the primary and its workers, as JSON. A worker processes messages that change what it serves
 * (`start` to `apply`) strictly in order, and all others at once.
 */
import type { SerializedError } from '../../base/errors.js';
import type { Names } from '../../retrieve/load/live.js';
import type { MetricsSnapshot } from './joined-metrics.js';
import type { ServeOptions } from './options.js';

/** The names of each served index and the versions they point to. */
export type LiveState = Readonly<Record<string, Names>>;

export type ToWorker =
  /** The first message: load what can be loaded of this, then answer `started`. */
  | {
      readonly type: 'start';
      readonly options: ServeOptions;
      readonly toolVersion: string;
      readonly state: LiveState;
      readonly expected: readonly string[];
      /** Other workers of this server are answering. */
      readonly othersAnswer: boolean;
    }
  /** Clients wait and no other worker accepts connections: listen as soon as all is loaded, without a warm-up. */
  | { readonly type: 'hurry' }
  /** Whether some workers are missing and being replaced. */
  | { readonly type: 'shorthanded'; readonly isShorthanded: boolean }
  /** Without these indexes the server is not ready. */
  | { readonly type: 'expect'; readonly indexes: readonly string[] }
  /** Answered by `pong` after this turn of the event loop. */
  | { readonly type: 'ping' }
  /** Load a version; answered by `prepared`. */
  | { readonly type: 'prepare'; readonly id: number; readonly index: string; readonly version: string }
  /** Unload a version that was prepared and will not be applied. */
  | { readonly type: 'discard'; readonly index: string; readonly version: string }
  /** Unload a version whose files are damaged, even if names point to it. */
  | { readonly type: 'condemn'; readonly index: string; readonly version: string }
  /** Answer from these versions. Missing ones are loaded first; `unloaded` reports those that cannot be loaded. */
  | { readonly type: 'apply'; readonly index: string; readonly names: Names }
  /** Report on /readyz that the server is stopping, and continue to answer. */
  | { readonly type: 'unready' }
  /** Accept what is still in the channel, finish requests in flight, then exit. */
  | { readonly type: 'drain' }
  /** Answered by `measured`. */
  | { readonly type: 'measure'; readonly id: number }
  /** The answer to `metrics`. */
  | { readonly type: 'page'; readonly id: number; readonly text: string };

export type FromWorker =
  /** The first message. Messages sent to the worker before it would be lost. */
  | { readonly type: 'hello' }
  /** All versions of `start` are loaded, except those reported by `unloaded`. */
  | { readonly type: 'started' }
  /** A version of `start` or `apply` cannot be loaded: the worker serves the others. */
  | { readonly type: 'unloaded'; readonly index: string; readonly version: string; readonly error: SerializedError }
  /** The answer to `ping`. `taken`: connections ever received through the channel; `open`: those open now. */
  | { readonly type: 'pong'; readonly taken: number; readonly open: number }
  /** `start` failed; the worker exits. */
  | { readonly type: 'failed'; readonly error: SerializedError }
  | { readonly type: 'prepared'; readonly id: number; readonly error: SerializedError | null }
  | { readonly type: 'measured'; readonly id: number; readonly snapshot: MetricsSnapshot }
  /** Requests the metrics of all processes; answered by `page`. */
  | { readonly type: 'metrics'; readonly id: number };

/** One handler per type of message. */
export type Handlers<Message extends { readonly type: string }> = {
  readonly [Type in Message['type']]: (message: Extract<Message, { readonly type: Type }>) => void;
};

export function dispatch<Message extends { readonly type: string }>(handlers: Handlers<Message>, message: Message) {
  (handlers[message.type as Message['type']] as (message: Message) => void)(message);
}
