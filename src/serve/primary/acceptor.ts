/**
 * Where connections come in: the primary takes them and hands each to the worker that has the fewest.
 *
 * Takes the workers that are in rotation, each with a channel and an account of its connections. A connection is
 * handed over at once and in company, and nobody waits for a worker's event loop; what a worker does not take (it is
 * gone, its channel is full) another one gets. While no worker is in rotation connections are kept, not refused: a
 * worker that is killed is back within a second.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { listenError } from './ports.js';

/** Connections that are complete and not taken yet; the kernel caps it at its own limit. */
const BACKLOG = 4_096;

/** Connections that wait for a worker. Beyond it clients do better to see an end and to try elsewhere. */
const MAX_WAITING = 4_096;

/** Until a channel that was full is tried again. */
const RETRY_MS = 5;

/** A worker as connections see it. */
export interface ConnectionTarget {
  /** Connections that it has, and that are on their way to it. */
  readonly connections: number;
  /** @returns how many it took, from the front */
  send(sockets: readonly number[]): number;
}

export class Acceptor {
  private readonly server: Server;
  private waiting: Socket[] = [];
  private scheduled = false;
  private retry: NodeJS.Timeout | null = null;

  /** @param targets the workers that take connections now */
  constructor(private readonly targets: () => readonly ConnectionTarget[]) {
    this.server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => this.add(socket));
  }

  /** @returns where it listens. @throws io_error */
  listen(host: string, port: number): Promise<{ address: string; port: number }> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => reject(listenError(host, port, error));
      this.server.once('error', fail);
      this.server.listen({ host, port, backlog: BACKLOG }, () => {
        this.server.off('error', fail);
        // Out of descriptors: the connection waits in the backlog, and is taken when there are some again.
        this.server.on('error', () => undefined);
        const bound = this.server.address();
        resolve(typeof bound === 'object' && bound !== null ? bound : { address: host, port });
      });
    });
  }

  /** Takes no more connections; those that are there are handed over, or ended where nobody takes them. */
  close(): void {
    this.server.close();
    this.handOver();
    if (this.retry !== null) clearTimeout(this.retry);
    for (const socket of this.waiting.splice(0)) socket.destroy();
  }

  /** A worker has come into rotation, or has room again. */
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

  /** After this turn, so that connections which came together go together. */
  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.handOver();
    });
  }

  /** What a worker has no room for is offered to the others. */
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

/** To each in turn that has the fewest, those counted that it is about to get. */
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

/** Node keeps it where only its own modules are meant to look; nothing else of a socket names its descriptor. */
function descriptorOf(socket: Socket): number {
  return (socket as Socket & { _handle: { fd: number } })._handle.fd;
}
