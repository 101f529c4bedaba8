/**
 * Connections that have lived long are closed with their next answer, and their clients connect anew: without that, a
 * worker that was replaced would get no work from clients that keep their connections for days.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** An eighth of this is random, so that clients that came together do not come again together. */
const MAX_AGE_MS = 600_000;

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
