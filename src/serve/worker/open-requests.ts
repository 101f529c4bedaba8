/**
 * Requests of a connection that are not finished. Node closes the response that is being written when its connection
 * ends, but never those of pipelined requests that wait behind it: they would keep their places and bytes for good.
 * So the end of the connection ends all of them.
 */
import type { Socket } from 'node:net';

export class OpenRequests {
  private readonly bySocket = new WeakMap<Socket, Set<() => void>>();

  /** @param finish called once when the connection ends, unless what is returned was called before */
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
