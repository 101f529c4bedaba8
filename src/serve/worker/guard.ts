/**
 * Lets requests in while the worker can answer them soon, and refuses the others at the door.
 *
 * A request is let in where the queue in front of it is short. How long it may be depends on what it was: a burst may
 * fill a queue for a moment, and is served; a queue that has not been empty for a while is a standing one, which no
 * patience makes shorter, and then only as much is let in as is answered at once (the rule of "Fail at Scale", B.
 * Maurer, ACM Queue 2015, applied before a request is read and not after it has waited).
 *
 * Refusing must cost far less than answering, or a worker that is offered ten times what it can do does nothing else.
 * While it refuses much, connections that wait for their next request are watched by the native door
 * (channel/sockets/door.cc), which refuses in some 10 us what would take 80 here; on systems without one, and before
 * it takes over, requests are refused as soon as Node has read their headers.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ShortlistError } from '../../base/errors.js';
import { isBusy, type Connections } from './connections.js';
import { PROBLEM_TYPE, RETRY_AFTER_SECONDS, describeProblem } from '../../wire/problem.js';
import { REQUEST_ID_HEADER, requestIdOf } from './request-id.js';
import { REFUSAL_ID_DIGITS, openLoadShedder, type LoadShedder } from '../channel/sockets/sockets.js';

/** Queue in front of a request that a burst may build up, milliseconds. */
const MAX_BURST_WAIT_MS = 50;

/** And that is borne for long: what is let in is answered within a few searches' time. */
const MAX_STANDING_WAIT_MS = 8;

/**
 * And while workers are missing: they are back within a second, and their clients have come to those that are left.
 * Whoever is refused now would find no other worker idle.
 */
const MAX_SHORTHANDED_WAIT_MS = 250;

/** A worker that has just come answers slowly. */
const SETTLING_MS = 2_000;

/**
 * As many may always wait: a few clients who each ask again when they are answered keep a worker busy, and are no
 * overload.
 */
const MIN_QUEUE = 16;

/** A queue that was not empty for so long is a standing one, and every queue while much is refused. */
const STANDING_AFTER_MS = 100;

/**
 * Refusals within one sweep from which on the door takes over: fewer are not worth changing over hundreds of
 * connections.
 */
const MIN_REFUSALS_TO_SHED = 16;

/** The door is left when nothing was refused for so long. */
const CALM_MS = 1_000;

/** How often the guard looks at all this, and says how much it refused. */
const SWEEP_MS = 100;

/** Connections that are refused again and again are alive: how often that is noted. */
const RESET_TIMERS_MS = 1_000;

/** The queue of searches, as the guard sees it. */
export interface Backlog {
  /** Searches that wait, and requests that were let in within this turn. */
  readonly ahead: number;
  /** How long a search that came now would wait, milliseconds. */
  readonly waitMs: number;
  /** What one search more adds to it, milliseconds. */
  readonly stepMs: number;
  /** `performance.now()` when nothing waited last. */
  readonly emptyAt: number;
  /** A request was let in, and will queue within this turn of the event loop. */
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
  /** Connections that are about to be watched, and how many bytes of them had been read. */
  private idlePending: { readonly socket: Socket; readonly fd: number; readonly bytesRead: number }[] = [];
  /** Connections that were let in, by the door most often, until their requests are read. */
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
    /** Headers of refusals beside their own, as flat name and value pairs. */
    headers: readonly string[] = [],
  ) {
    this.headers = [...REFUSAL_HEADERS, ...headers];
    const { bytes, idOffsets: idPlaces } = writeRefusal(this.headers);
    this.shedder = openLoadShedder(bytes, idPlaces, (sockets) => this.takeBack(sockets));
    this.sweepTimer = setInterval(() => this.sweep(), SWEEP_MS).unref();
  }

  /** The connections that the door may watch. */
  setConnections(connections: Connections): void {
    this.connections = connections;
  }

  /**
   * Whether a request on this connection may come in; to be asked once a request, before anything of it is looked at.
   */
  admits(socket: Socket): boolean {
    if (this.admitted.delete(socket) || this.capacity() > 0) {
      this.backlog.noteAdmitted();
      return true;
    }
    return false;
  }

  /** The next request on this connection may come in, whatever waits. */
  exempt(socket: Socket): void {
    if (!socket.destroyed) this.admitted.add(socket); // a closed one asks nothing any more, and would keep its place
  }

  /** Answers a request that was not let in, for as little as Node can. */
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
    request.once('close', () => this.connections?.requestEnded(request.socket)); // its body has been read
    request.resume();
  }

  /** A connection waits for its next request, or is new. */
  idle(socket: Socket, fd: number): void {
    if (!this.isShedding || this.shedder === null) return;
    if (this.idlePending.length === 0) setImmediate(() => this.watchIdle());
    this.idlePending.push({ socket, fd, bytesRead: socket.bytesRead });
  }

  /**
   * The door watches connections that have become idle. In a turn of their own: Node goes on to read in the one in
   * which it has ended a request, whoever has paused the connection. Where the next request has begun to arrive by
   * then, Node has it.
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

  /** After each slice of searches: so many may come in before the next one. */
  updateCapacity(): void {
    if (this.isShedding) this.shedder?.setCapacity(this.capacity());
  }

  /** How many more may come in now. */
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

  /** Workers are missing, or all are there again. */
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

  /** @param descriptors of connections; of one that was let in its complement */
  private takeBack(descriptors: Int32Array): void {
    for (const one of descriptors) {
      const fd = one < 0 ? ~one : one;
      const socket = this.watched.get(fd);
      this.watched.delete(fd);
      if (socket === undefined || socket.destroyed) continue;
      if (one < 0) this.admitted.add(socket);
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

  /** What the door refuses passes by Node, which would close these connections as idle ones. */
  private resetIdleTimers(): void {
    for (const fd of this.shedder?.takeRefused() ?? []) {
      const socket = this.watched.get(fd);
      if (socket?.timeout !== undefined) socket.setTimeout(socket.timeout);
    }
  }

  /** A connection is closed. */
  forget(socket: Socket, fd: number): void {
    this.admitted.delete(socket);
    if (this.watched.get(fd) === socket) this.watched.delete(fd); // its number may be another's by now
  }
}

/** As flat name and value pairs: what Node writes with the least work. */
const REFUSAL_HEADERS = [
  'content-type', PROBLEM_TYPE,
  'retry-after', String(RETRY_AFTER_SECONDS),
  'cache-control', 'no-store',
  'x-content-type-options', 'nosniff',
]; // prettier-ignore

function overloaded(): ShortlistError {
  return new ShortlistError('overloaded', 'the worker has as many requests as it can answer soon; try again');
}

/** The answer of the door, and where in it the request's id stands: in the header and in the body. */
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
