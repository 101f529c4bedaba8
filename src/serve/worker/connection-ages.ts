/**
 * Closes old connections with their next answer, so that clients reconnect. Otherwise a replaced worker would get no
 * requests from clients that keep connections for days.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** An eighth is random, so that clients that connected together do not reconnect together. */
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
