/**
 * Accepts connections in the primary and passes each to the worker with the fewest.
 *
 * Connections that arrive together are passed together, without waiting for the worker's event loop. If a worker cannot
 * receive one (it died, its channel is full), another worker gets it. While no worker is in rotation, connections wait:
 * a killed worker is replaced within a second.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { listenError } from './ports.js';

/** Established connections not accepted yet; the kernel caps this at its own limit. */
const BACKLOG = 4_096;

/** Connections that wait for a worker. Further ones are closed, so that clients try elsewhere. */
const MAX_WAITING = 4_096;

/** Delay before a full channel is tried again. */
const RETRY_MS = 5;

/** A worker that connections can be sent to. */
export interface ConnectionTarget {
  /** Its open connections and those in transit to it. */
  readonly connections: number;
  /** @returns how many were sent, from the first */
  send(sockets: readonly number[]): number;
}

export class Acceptor {
  private readonly server: Server;
  private waiting: Socket[] = [];
  private scheduled = false;
  private retry: NodeJS.Timeout | null = null;

  /** @param targets the workers in rotation */
  constructor(private readonly targets: () => readonly ConnectionTarget[]) {
    this.server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => this.add(socket));
  }

  /** @returns the bound address. @throws io_error */
  listen(host: string, port: number): Promise<{ address: string; port: number }> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => reject(listenError(host, port, error));
      this.server.once('error', fail);
      this.server.listen({ host, port, backlog: BACKLOG }, () => {
        this.server.off('error', fail);
        // Out of descriptors: the connection stays in the backlog until some are free.
        this.server.on('error', () => undefined);
        const bound = this.server.address();
        resolve(typeof bound === 'object' && bound !== null ? bound : { address: host, port });
      });
    });
  }

  /** Stops accepting. Waiting connections are passed on, or closed if no worker receives them. */
  close(): void {
    this.server.close();
    this.handOver();
    if (this.retry !== null) clearTimeout(this.retry);
    for (const socket of this.waiting.splice(0)) socket.destroy();
  }

  /** A worker has entered rotation. */
  wake(): void {
    if (this.waiting.length > 0) this.schedule();
  }

  private add(socket: Socket): void {
    if (this.waiting.length >= MAX_WAITING) {
      socket.destroy();
      return;
    }
    this.waiting.push(socket);
    this.schedule();
  }

  /** At the end of this turn, so that connections that arrived together are sent together. */
  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.handOver();
    });
  }

  /** Connections that a worker does not receive are offered to the others. */
  private handOver(): void {
    let targets = this.targets();
    while (targets.length > 0 && this.waiting.length > 0) {
      const shares = assignSockets(this.waiting, targets);
      this.waiting = [];
      const full = new Set<ConnectionTarget>();
      for (const [target, sockets] of shares) {
        const sent = target.send(sockets.map(descriptorOf));
        for (const socket of sockets.slice(0, sent)) socket.destroy(); // this process's copy
        this.waiting.push(...sockets.slice(sent));
        if (sent < sockets.length) full.add(target);
      }
      targets = targets.filter((taker) => !full.has(taker));
    }
    if (this.waiting.length > 0 && this.targets().length > 0) this.retryLater();
  }

  private retryLater(): void {
    this.retry ??= setTimeout(() => {
      this.retry = null;
      this.handOver();
    }, RETRY_MS);
  }
}

/** Each to the worker that then has the fewest. */
function assignSockets(
  sockets: readonly Socket[],
  targets: readonly ConnectionTarget[],
): Map<ConnectionTarget, Socket[]> {
  const shares = new Map<ConnectionTarget, Socket[]>(targets.map((taker) => [taker, []]));
  for (const socket of sockets) {
    if (socket.destroyed) continue;
    const load = (taker: ConnectionTarget) => taker.connections + shares.get(taker)!.length;
    const target = targets.reduce((best, taker) => (load(taker) < load(best) ? taker : best));
    shares.get(target)!.push(socket);
  }
  return shares;
}

/** A private member of Node's sockets: no public one has the descriptor. */
function descriptorOf(socket: Socket): number {
  return (socket as Socket & { _handle: { fd: number } })._handle.fd;
}
