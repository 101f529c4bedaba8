/**
 * The connections of a worker: received from the primary through the channel, given to the HTTP server, counted, and
 * closed in order when the worker drains. Also their ages, and the requests that end with them.
 *
 * A connection without a request yet is idle, however long it is open, since clients open connections in advance. It
 * has the idle timeout of keep-alive connections; the HTTP server's own limits apply from the first byte of a request.
 */
import type { Server } from 'node:http';
import { Socket } from 'node:net';
import { connectToSelf, receiveSockets } from '../channel/sockets/sockets.js';

/** Connections accepted per turn of the event loop: about 2 ms. */
const MAX_TAKEN_PER_TURN = 16;

/** How often idle connections are closed while draining. */
const IDLE_SWEEP_MS = 50;

interface ConnectionLimits {
  readonly keepAliveTimeoutMs: number;
}

interface ConnectionObserver {
  /** The connection waits for its next request. */
  idle(socket: Socket, fd: number): void;
  forget(socket: Socket, fd: number): void;
}

export class Connections {
  /** Each with its descriptor. */
  private readonly sockets = new Map<Socket, number>();
  /** Descriptors of connections not accepted yet, oldest first. */
  private arrived: number[] = [];
  private takenCount = 0;
  /** The primary has closed the channel. */
  private ended = false;
  private onEmpty: (() => void) | null = null;

  constructor(
    private readonly server: Server,
    private readonly limits: ConnectionLimits,
    private readonly watcher: ConnectionObserver,
  ) {
    // The server never listens itself. This event starts its timers.
    server.emit('listening');
  }

  /** @param channel descriptor through which connections arrive */
  listen(channel: number): void {
    receiveSockets(channel, (descriptors) => this.receive(descriptors));
  }

  /** A connection of this process to itself, neither counted nor watched. */
  openOwn(): { readonly client: Socket; readonly server: Socket } {
    const [ours, theirs] = connectToSelf();
    const server = this.serve(theirs);
    server.once('close', () => this.watcher.forget(server, theirs));
    return { client: new Socket({ fd: ours, readable: true, writable: true }), server };
  }

  /** Connections received in total. */
  get taken(): number {
    return this.takenCount;
  }

  get open(): number {
    return this.sockets.size;
  }

  /** Connections without a request, with their descriptors. The next request of some may be arriving. */
  *idle(): Iterable<[Socket, number]> {
    for (const [socket, fd] of this.sockets) if (!isBusy(socket)) yield [socket, fd];
  }

  /** The connection waits for its next request. */
  requestEnded(socket: Socket): void {
    const fd = this.sockets.get(socket);
    if (fd !== undefined) this.watcher.idle(socket, fd);
  }

  /** Closes idle connections at once and others after their request, until none is left and the channel is closed. */
  drain(): Promise<void> {
    // Right after the event loop has read what had arrived: a connection whose request is still unread in the kernel
    // looks idle, and closing it would reset that request.
    const sweep = () => setImmediate(() => this.server.closeIdleConnections());
    setInterval(sweep, IDLE_SWEEP_MS);
    sweep();
    return new Promise((resolve) => {
      this.onEmpty = resolve;
      this.checkEmpty();
    });
  }

  private receive(descriptors: Int32Array | null): void {
    if (descriptors === null) {
      this.ended = true;
      this.checkEmpty();
      return;
    }
    this.arrived.push(...descriptors);
    if (this.arrived.length === descriptors.length) this.takeArrived();
  }

  /** A few per turn of the event loop, so that requests on other connections proceed. */
  private takeArrived(): void {
    for (const fd of this.arrived.splice(0, MAX_TAKEN_PER_TURN)) this.takeConnection(fd);
    if (this.arrived.length > 0) setImmediate(() => this.takeArrived());
    else this.checkEmpty();
  }

  private takeConnection(fd: number): void {
    this.takenCount++;
    let socket: Socket;
    try {
      socket = this.serve(fd);
    } catch {
      return; // the client has already closed it
    }
    this.sockets.set(socket, fd);
    socket.once('close', () => {
      this.sockets.delete(socket);
      this.watcher.forget(socket, fd);
      this.checkEmpty();
    });
    this.watcher.idle(socket, fd);
  }

  private serve(fd: number): Socket {
    const socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
    socket.setNoDelay(true);
    this.server.emit('connection', socket);
    socket.setTimeout(this.limits.keepAliveTimeoutMs); // overrides the request timeout that the HTTP server has just set
    return socket;
  }

  private checkEmpty(): void {
    if (this.onEmpty !== null && this.ended && this.sockets.size === 0 && this.arrived.length === 0) this.onEmpty();
  }
}

/** True from the headers of a request until it is read and answered. Node keeps both in private members. */
export function isBusy(socket: Socket): boolean {
  const { _httpMessage, parser } = socket as Socket & {
    _httpMessage?: unknown;
    parser?: { incoming?: unknown } | null;
  };
  return _httpMessage != null || parser?.incoming != null;
}

/** An eighth is random, so that clients that connected together do not reconnect together. */
const MAX_AGE_MS = 600_000;

/**
 * Closes old connections with their next answer, so that clients reconnect. Otherwise a replaced worker would get no
 * requests from clients that keep connections for days.
 */
export class ConnectionAges {
  private readonly expiry = new WeakMap<Socket, number>();

  constructor(
    server: Server,
    private readonly now: () => number = () => performance.now(),
    maxAgeMs: number = MAX_AGE_MS,
  ) {
    server.on('connection', (socket: Socket) => {
      this.expiry.set(socket, this.now() + maxAgeMs * (1 - Math.random() / 8));
    });
  }

  isOld(socket: Socket): boolean {
    return this.now() > (this.expiry.get(socket) ?? Infinity);
  }
}

/**
 * Unfinished requests of each connection, which all end with it. Node closes only the response being written, not the
 * pipelined requests behind it, which would keep their slots and bytes forever.
 */
export class OpenRequests {
  private readonly bySocket = new WeakMap<Socket, Set<() => void>>();

  /** @param finish called when the connection ends, unless the returned function was called before */
  add(socket: Socket, finish: () => void): () => void {
    const open = this.bySocket.get(socket) ?? this.watch(socket);
    open.add(finish);
    return () => void open.delete(finish);
  }

  private watch(socket: Socket): Set<() => void> {
    const open = new Set<() => void>();
    this.bySocket.set(socket, open);
    socket.once('close', () => {
      for (const finish of [...open]) finish();
      open.clear();
    });
    return open;
  }
}
