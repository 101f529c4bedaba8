/**
 * Connections that cross from one process to another, as file descriptors: the one place that loads the addon of this
 * folder.
 *
 * The primary makes a pair for each worker, keeps one end and gives the worker the other as an open file; then
 * `sendSockets` hands over any number of connections at once, and never waits for the worker's event loop. Who sends
 * a socket closes its own copy; a connection ends when the last copy is closed, so one on its way to a worker that
 * dies ends with the channel.
 */
import { createRequire } from 'node:module';
import { ShortlistError } from '../../../base/errors.js';

interface SocketsAddon {
  pair(): [number, number];
  connection(): [number, number];
  close(fd: number): void;
  send(channel: number, sockets: Int32Array): number;
  readonly Receiver: new (channel: number, receive: (sockets: Int32Array | null) => void) => SocketReceiver;
  /** On Linux. */
  readonly LoadShedder?: new (
    refusal: Buffer,
    idPlaces: Int32Array,
    giveBack: (sockets: Int32Array) => void,
  ) => LoadShedder;
}

/** Calls back whenever sockets have come. */
interface SocketReceiver {
  /** Ends the calls; the channel's descriptor stays open. */
  close(): void;
}

/** Watches connections that wait for their next request, and refuses it while there are no places. */
export interface LoadShedder {
  /** The connection is not to be read by others until it is given back. @returns false where it cannot be watched */
  watch(socket: number): boolean;
  unwatch(socket: number): void;
  /** Requests that are let in from now on; each takes one. */
  setCapacity(count: number): void;
  /** Requests that were ever refused. */
  refused(): number;
  /** Connections whose requests were refused since the last call. */
  takeRefused(): Int32Array;
  close(): void;
}

/** Digits that the door writes for the id of a refused request. */
export const REFUSAL_ID_DIGITS = 16;

/** Beside this file where it was put for shipping, else where node-gyp leaves it. */
const ADDON_PATHS = [
  './shortlist_sockets.node',
  '../../../../src/serve/channel/sockets/build/Release/shortlist_sockets.node',
];

const COMMAND = 'npm run build:native';

let loaded: SocketsAddon | undefined;

/** @throws addon_missing where it was never compiled, or for another Node or system */
function loadAddon(): SocketsAddon {
  loaded ??= requireAddon();
  return loaded;
}

function requireAddon(): SocketsAddon {
  const require = createRequire(import.meta.url);
  let why = 'it is not compiled';
  for (const path of ADDON_PATHS) {
    try {
      return require(path) as SocketsAddon;
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      if (code !== 'MODULE_NOT_FOUND') why = message.split('\n')[0]!;
    }
  }
  const message = `the server's addon cannot be loaded (${why}); install a C++ compiler, make and python3, then run: ${COMMAND}`;
  throw new ShortlistError('addon_missing', message, { command: COMMAND });
}

/** @returns both ends of a new channel, as descriptors that are the caller's to close. @throws addon_missing, EMFILE */
export function openSocketPair(): [number, number] {
  return loadAddon().pair();
}

/**
 * @returns both ends of a connection of this process to itself, over TCP where that can be, the caller's to close.
 * @throws EMFILE
 */
export function connectToSelf(): [number, number] {
  return loadAddon().connection();
}

export function closeDescriptor(fd: number): void {
  loadAddon().close(fd);
}

/**
 * Hands connections to the process at the other end; the caller closes its copies of them.
 * @param sockets descriptors
 * @returns how many went, from the first on: fewer than given where the channel is full for now
 * @throws EPIPE where the other process is gone
 */
export function sendSockets(channel: number, sockets: readonly number[]): number {
  return loadAddon().send(channel, Int32Array.from(sockets));
}

/** @param receive gets the descriptors, which are its to close; null once, when the other end is closed */
export function receiveSockets(channel: number, receive: (sockets: Int32Array | null) => void): SocketReceiver {
  return new (loadAddon().Receiver)(channel, receive);
}

/**
 * @param refusal an HTTP answer
 * @param idOffsets where in it DOOR_ID_DIGITS digits of an id go
 * @param onReturned gets connections to read: one with a request that is let in as the complement of its descriptor,
 * one that is for others to judge as it is
 * @returns null on systems where there is none
 */
export function openLoadShedder(
  refusal: Buffer,
  idOffsets: readonly number[],
  onReturned: (sockets: Int32Array) => void,
): LoadShedder | null {
  const { LoadShedder: Door } = loadAddon();
  return Door === undefined ? null : new Door(refusal, Int32Array.from(idOffsets), onReturned);
}
