/**
 * A worker's connections: taken from the channel that the primary sends them through, given to the HTTP server,
 * counted, and ended in order when the worker drains.
 *
 * A connection on which nothing was sent yet is idle, however long it is open: clients open them ahead. It has the
 * time that an idle one has between two requests; from its first byte on, the HTTP server's own limits count.
 */
import type { Server } from 'node:http';
import { Socket } from 'node:net';
import { connectToSelf, receiveSockets } from '../channel/sockets/sockets.js';

/** Connections that are taken in one turn of the event loop: some 2 ms. */
const MAX_TAKEN_PER_TURN = 16;

/** How often connections that have become idle are closed while draining. */
const IDLE_SWEEP_MS = 50;

interface ConnectionLimits {
  readonly keepAliveTimeoutMs: number;
}

/** Who is told of connections. */
interface ConnectionObserver {
  /** It waits for its next request. */
  idle(socket: Socket, fd: number): void;
  forget(socket: Socket, fd: number): void;
}

export class Connections {
  /** With their descriptors. */
  private readonly sockets = new Map<Socket, number>();
  /** Descriptors of those that are not taken yet, oldest first. */
  private arrived: number[] = [];
  private takenCount = 0;
  /** The primary has closed the channel: no more will come. */
  private ended = false;
  private onEmpty: (() => void) | null = null;

  constructor(
    private readonly server: Server,
    private readonly limits: ConnectionLimits,
    private readonly watcher: ConnectionObserver,
  ) {
    // The server is given its connections and never listens itself, and this is what starts its timers.
    server.emit('listening');
  }

  /** @param channel descriptor of the way by which connections come */
  listen(channel: number): void {
    receiveSockets(channel, (descriptors) => this.receive(descriptors));
  }

  /** A connection of this process to itself, which nobody counts or watches. */
  openOwn(): { readonly client: Socket; readonly server: Socket } {
    const [ours, theirs] = connectToSelf();
    const server = this.serve(theirs);
    server.once('close', () => this.watcher.forget(server, theirs));
    return { client: new Socket({ fd: ours, readable: true, writable: true }), server };
  }

  /** Connections that have ever come. */
  get taken(): number {
    return this.takenCount;
  }

  get open(): number {
    return this.sockets.size;
  }

  /** Connections without a request, with their descriptors. One whose request is arriving may be among them. */
  *idle(): Iterable<[Socket, number]> {
    for (const [socket, fd] of this.sockets) if (!isBusy(socket)) yield [socket, fd];
  }

  /** An answer was written: its connection waits for the next request. */
  requestEnded(socket: Socket): void {
    const fd = this.sockets.get(socket);
    if (fd !== undefined) this.watcher.idle(socket, fd);
  }

  /**
   * Until all connections are closed: idle ones at once, others after their request. The primary closes the channel.
   */
  drain(): Promise<void> {
    // Right after the event loop has read what had arrived: a connection whose request lies unread in the kernel
    // looks idle, and to close it would reset that request.
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

  /** Many that came together are taken a few in a turn, so that requests on the others go on. */
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
      return; // the client was gone before it was taken
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
    socket.setTimeout(this.limits.keepAliveTimeoutMs); // the HTTP server has just set that of a request
    return socket;
  }

  private checkEmpty(): void {
    if (this.onEmpty !== null && this.ended && this.sockets.size === 0 && this.arrived.length === 0) this.onEmpty();
  }
}

/** True from a request's headers on until it was read and answered: Node keeps it there. */
export function isBusy(socket: Socket): boolean {
  const { _httpMessage, parser } = socket as Socket & {
    _httpMessage?: unknown;
    parser?: { incoming?: unknown } | null;
  };
  return _httpMessage != null || parser?.incoming != null;
}
