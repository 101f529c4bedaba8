/**
 * Unfinished requests of each connection, which all end with it. Node closes only the response being written, not the
 * pipelined requests behind it, which would keep their slots and bytes forever.
 */
import type { Socket } from 'node:net';

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
