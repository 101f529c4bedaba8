/**
 * Passes connections between processes as file descriptors. The only file that loads the addon of this folder.
 *
 * The primary makes a socket pair for each worker and gives it one end. `sendSockets` then passes any number of
 * connections at once, without waiting for the worker's event loop. The sender closes its own copy of a socket. A
 * connection ends when its last copy is closed, so one in transit to a dying worker ends with the channel.
 */
import { createRequire } from 'node:module';
import { ShortlistError } from '../../../base/errors.js';

interface SocketsAddon {
  pair(): [number, number];
  connection(): [number, number];
  close(fd: number): void;
  send(channel: number, sockets: Int32Array): number;
  readonly Receiver: new (channel: number, receive: (sockets: Int32Array | null) => void) => SocketReceiver;
  /** Only on Linux. */
  readonly LoadShedder?: new (
    refusal: Buffer,
    idPlaces: Int32Array,
    giveBack: (sockets: Int32Array) => void,
  ) => LoadShedder;
}

/** Calls back when sockets arrive. */
interface SocketReceiver {
  /** Stops the callbacks; the descriptor of the channel stays open. */
  close(): void;
}

/** Watches idle connections for their next request, and refuses it if there is no capacity. */
export interface LoadShedder {
  /** Nobody else may read the connection until it is returned. @returns false if it cannot be watched */
  watch(socket: number): boolean;
  unwatch(socket: number): void;
  /** Number of requests to admit from now on. */
  setCapacity(count: number): void;
  /** Requests refused in total. */
  refused(): number;
  /** Connections with refused requests since the last call. */
  takeRefused(): Int32Array;
  close(): void;
}

/** Digits that the load shedder writes for the id of a refused request. */
export const REFUSAL_ID_DIGITS = 16;

/** Beside this file in a shipped package, else where node-gyp puts it. */
const ADDON_PATHS = [
  './shortlist_sockets.node',
  '../../../../src/serve/channel/sockets/build/Release/shortlist_sockets.node',
];

const COMMAND = 'npm run build:native';

let loaded: SocketsAddon | undefined;

/** @throws addon_missing if it was not compiled, or for another Node or system */
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
  const message = `cannot load the server's native addon (${why}); install a C++ compiler, make and python3, then run: ${COMMAND}`;
  throw new ShortlistError('addon_missing', message, { command: COMMAND });
}

/** @returns both ends of a new channel, which the caller closes. @throws addon_missing, EMFILE */
export function openSocketPair(): [number, number] {
  return loadAddon().pair();
}

/** @returns both ends of a connection to this process, over TCP if possible; the caller closes them. @throws EMFILE */
export function connectToSelf(): [number, number] {
  return loadAddon().connection();
}

export function closeDescriptor(fd: number): void {
  loadAddon().close(fd);
}

/**
 * Passes connections to the process at the other end; the caller closes its own copies.
 * @param sockets descriptors
 * @returns how many were sent, from the first; fewer than given if the channel is full
 * @throws EPIPE if the other process is gone
 */
export function sendSockets(channel: number, sockets: readonly number[]): number {
  return loadAddon().send(channel, Int32Array.from(sockets));
}

/** @param receive gets descriptors, which it must close; null once, when the other end is closed */
export function receiveSockets(channel: number, receive: (sockets: Int32Array | null) => void): SocketReceiver {
  return new (loadAddon().Receiver)(channel, receive);
}

/**
 * @param refusal a complete HTTP response
 * @param idOffsets where to write the REFUSAL_ID_DIGITS digits of the id
 * @param onReturned gets connections to read. If their request was admitted, the value is the complement of the
 * descriptor
 * @returns null on systems without a load shedder
 */
export function openLoadShedder(
  refusal: Buffer,
  idOffsets: readonly number[],
  onReturned: (sockets: Int32Array) => void,
): LoadShedder | null {
  const { LoadShedder: Door } = loadAddon();
  return Door === undefined ? null : new Door(refusal, Int32Array.from(idOffsets), onReturned);
}
