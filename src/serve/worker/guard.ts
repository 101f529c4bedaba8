/**
 * Admits requests while the worker can answer them soon, and refuses the others before they are read.
 *
 * A request is admitted if the queue in front of it is short. The limit depends on the history of the queue. A burst
 * may fill a queue for a moment, and is served. A queue that has not been empty for a while is a standing queue, which
 * waiting does not shorten; then only what can be answered at once is admitted (the rule of "Fail at Scale", B. Maurer,
 * ACM Queue 2015, applied before a request is read).
 *
 * Refusing must cost far less than answering, or a worker at ten times its capacity answers nothing. While many
 * requests are refused, the native load shedder (channel/sockets/load_shedder.cc) watches idle connections and refuses
 * their requests in about 10 us, against 80 here. On systems without it, and before it takes over, requests are refused
 * when Node has read their headers.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ShortlistError } from '../../base/errors.js';
import { isBusy, type Connections } from './connections.js';
import { PROBLEM_TYPE, RETRY_AFTER_SECONDS, describeProblem } from '../../wire/problem.js';
import { REQUEST_ID_HEADER, requestIdOf } from '../request/head.js';
import { REFUSAL_ID_DIGITS, openLoadShedder, type LoadShedder } from '../channel/sockets/sockets.js';

/** Maximum wait in a queue caused by a burst, milliseconds. */
const MAX_BURST_WAIT_MS = 50;

/** Maximum wait in a standing queue: the time of a few searches. */
const MAX_STANDING_WAIT_MS = 8;

/**
 * Maximum wait while workers are missing. They are back within a second, and the remaining workers serve their clients;
 * refused clients would find no other idle worker.
 */
const MAX_SHORTHANDED_WAIT_MS = 250;

/** How long the longer wait continues after all workers are back: new workers answer slowly at first. */
const SETTLING_MS = 2_000;

/** Always admitted: a few clients that send a request as soon as they get an answer are no overload. */
const MIN_QUEUE = 16;

/** A queue not empty for this long is a standing queue; so is every queue while the load shedder is active. */
const STANDING_AFTER_MS = 100;

/** Refusals per sweep that activate the load shedder: fewer are not worth handing over all connections. */
const MIN_REFUSALS_TO_SHED = 16;

/** The load shedder is deactivated after this long without refusals. */
const CALM_MS = 1_000;

const SWEEP_MS = 100;

/** How often the idle timers of refused connections are reset. */
const RESET_TIMERS_MS = 1_000;

/** The queue of searches as the guard sees it. */
export interface Backlog {
  /** Waiting searches, and requests admitted in this turn. */
  readonly ahead: number;
  /** How long a search queued now would wait, milliseconds. */
  readonly waitMs: number;
  /** How much each further search adds to the wait, milliseconds. */
  readonly stepMs: number;
  /** `performance.now()` when the queue was last empty. */
  readonly emptyAt: number;
  /** A request was admitted, and will be queued within this turn of the event loop. */
  noteAdmitted(): void;
}

interface GuardEvents {
  /** @param requests refused since the last call, at least 1 */
  readonly refused: (requests: number) => void;
}

export class Guard {
  private readonly shedder: LoadShedder | null;
  private readonly headers: readonly string[];
  private readonly watched = new Map<number, Socket>();
  /** Idle connections about to be watched, with the bytes read from them so far. */
  private idlePending: { readonly socket: Socket; readonly fd: number; readonly bytesRead: number }[] = [];
  /** Connections with an admitted request that is not read yet, mostly from the load shedder. */
  private readonly admitted = new Set<Socket>();
  private connections: Connections | null = null;
  private isShedding = false;
  private refusedByNode = 0;
  private reportedRefusals = 0;
  private calmSince = performance.now();
  private shorthandedUntil = 0;
  private timersResetAt = 0;
  private readonly sweepTimer: NodeJS.Timeout;

  constructor(
    private readonly backlog: Backlog,
    private readonly events: GuardEvents,
    /** Additional headers of refusals, as flat name and value pairs. */
    headers: readonly string[] = [],
  ) {
    this.headers = [...REFUSAL_HEADERS, ...headers];
    const { bytes, idOffsets: idPlaces } = writeRefusal(this.headers);
    this.shedder = openLoadShedder(bytes, idPlaces, (sockets) => this.takeBack(sockets));
    this.sweepTimer = setInterval(() => this.sweep(), SWEEP_MS).unref();
  }

  /** The connections that the load shedder may watch. */
  setConnections(connections: Connections): void {
    this.connections = connections;
  }

  /** Whether a request on this connection is admitted. To be called once per request, before it is read. */
  admits(socket: Socket): boolean {
    if (this.admitted.delete(socket) || this.capacity() > 0) {
      this.backlog.noteAdmitted();
      return true;
    }
    return false;
  }

  /** Admits the next request on this connection, whatever the load. */
  exempt(socket: Socket): void {
    if (!socket.destroyed) this.admitted.add(socket); // a closed connection would never be removed
  }

  /** Answers a refused request at the lowest cost that Node allows. */
  refuse(request: IncomingMessage, response: ServerResponse): void {
    this.refusedByNode++;
    const id = requestIdOf(request.headers[REQUEST_ID_HEADER]);
    const body = JSON.stringify(describeProblem(overloaded(), id));
    response.writeHead(503, [
      ...this.headers,
      REQUEST_ID_HEADER,
      id,
      'content-length',
      String(Buffer.byteLength(body)),
    ]);
    response.end(body);
    request.once('close', () => this.connections?.requestEnded(request.socket)); // after its body is read
    request.resume();
  }

  /** A connection waits for its next request, or is new. */
  idle(socket: Socket, fd: number): void {
    if (!this.isShedding || this.shedder === null) return;
    if (this.idlePending.length === 0) setImmediate(() => this.watchIdle());
    this.idlePending.push({ socket, fd, bytesRead: socket.bytesRead });
  }

  /**
   * Hands idle connections to the load shedder, in a separate turn: in the turn in which Node ends a request, it reads
   * on even if the connection is paused. If the next request has begun to arrive, Node keeps the connection.
   */
  private watchIdle(): void {
    const idle = this.idlePending;
    this.idlePending = [];
    for (const { socket, fd, bytesRead } of idle) {
      if (!this.isShedding || socket.destroyed || isBusy(socket) || socket.bytesRead !== bytesRead) continue;
      if (this.watched.get(fd) === socket || this.shedder?.watch(fd) !== true) continue;
      socket.pause();
      this.watched.set(fd, socket);
    }
  }

  /** To be called after each slice of searches. */
  updateCapacity(): void {
    if (this.isShedding) this.shedder?.setCapacity(this.capacity());
  }

  /** Number of requests that can be admitted now. */
  private capacity(): number {
    const { waitMs, stepMs } = this.backlog;
    const ahead = this.backlog.ahead + this.admitted.size;
    const isStanding = this.isShedding || performance.now() - this.backlog.emptyAt > STANDING_AFTER_MS;
    const maxWaitMs = this.isShorthanded
      ? MAX_SHORTHANDED_WAIT_MS
      : isStanding
        ? MAX_STANDING_WAIT_MS
        : MAX_BURST_WAIT_MS;
    const withinWait = Math.ceil((maxWaitMs - waitMs) / Math.max(stepMs, 0.01)) - this.admitted.size;
    return Math.max(0, MIN_QUEUE - ahead, withinWait);
  }

  setShorthanded(isShorthanded: boolean): void {
    if (isShorthanded) this.shorthandedUntil = Infinity;
    else if (this.shorthandedUntil === Infinity) this.shorthandedUntil = performance.now() + SETTLING_MS;
  }

  private get isShorthanded(): boolean {
    return this.shorthandedUntil > 0 && performance.now() < this.shorthandedUntil;
  }

  close(): void {
    clearInterval(this.sweepTimer);
    this.stopShedding();
    this.shedder?.close();
  }

  /** @param descriptors of connections; the complement if a request was admitted */
  private takeBack(descriptors: Int32Array): void {
    for (const value of descriptors) {
      const fd = value < 0 ? ~value : value;
      const socket = this.watched.get(fd);
      this.watched.delete(fd);
      if (socket === undefined || socket.destroyed) continue;
      if (value < 0) this.admitted.add(socket);
      socket.resume();
    }
  }

  private sweep(): void {
    const refused = this.refusedByNode + (this.shedder?.refused() ?? 0);
    const now = performance.now();
    const fresh = refused - this.reportedRefusals;
    this.reportedRefusals = refused;
    if (fresh > 0) {
      this.calmSince = now;
      this.events.refused(fresh);
    }
    if (!this.isShedding && fresh >= MIN_REFUSALS_TO_SHED) this.startShedding();
    else if (this.isShedding && now - this.calmSince > CALM_MS) this.stopShedding();
    if (this.isShedding) this.updateCapacity();
    if (this.isShedding && now - this.timersResetAt > RESET_TIMERS_MS) {
      this.timersResetAt = now;
      this.resetIdleTimers();
    }
  }

  private startShedding(): void {
    if (this.shedder === null || this.connections === null) return;
    this.isShedding = true;
    this.updateCapacity();
    for (const [socket, fd] of this.connections.idle()) this.idle(socket, fd);
  }

  private stopShedding(): void {
    this.isShedding = false;
    for (const [fd, socket] of this.watched) {
      this.shedder?.unwatch(fd);
      socket.resume();
    }
    this.watched.clear();
  }

  /** Node does not see requests that the load shedder refuses, and would close their connections as idle. */
  private resetIdleTimers(): void {
    for (const fd of this.shedder?.takeRefused() ?? []) {
      const socket = this.watched.get(fd);
      if (socket?.timeout !== undefined) socket.setTimeout(socket.timeout);
    }
  }

  /** The connection is closed. */
  forget(socket: Socket, fd: number): void {
    this.admitted.delete(socket);
    if (this.watched.get(fd) === socket) this.watched.delete(fd); // the descriptor may have been reused
  }
}

/** As flat name and value pairs, which Node writes fastest. */
const REFUSAL_HEADERS = [
  'content-type', PROBLEM_TYPE,
  'retry-after', String(RETRY_AFTER_SECONDS),
  'cache-control', 'no-store',
  'x-content-type-options', 'nosniff',
]; // prettier-ignore

function overloaded(): ShortlistError {
  return new ShortlistError('overloaded', 'the worker has more requests than it can answer soon; try again');
}

/** The response of the load shedder, and the offsets of the request id in its header and body. */
function writeRefusal(fixed: readonly string[]): { bytes: Buffer; idOffsets: number[] } {
  const id = 'i'.repeat(REFUSAL_ID_DIGITS);
  const body = JSON.stringify(describeProblem(overloaded(), id));
  const headers = [...fixed, REQUEST_ID_HEADER, id, 'content-length', String(Buffer.byteLength(body))];
  const lines = Array.from({ length: headers.length / 2 }, (_, i) => `${headers[2 * i]!}: ${headers[2 * i + 1]!}\r\n`);
  const head = `HTTP/1.1 503 Service Unavailable\r\n${lines.join('')}\r\n`;
  const bytes = Buffer.from(head + body);
  const idPlaces = [bytes.indexOf(id), bytes.lastIndexOf(id)];
  return { bytes, idOffsets: idPlaces };
}
