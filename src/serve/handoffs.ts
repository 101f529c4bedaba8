/**
 * Connections on their way from the primary to a worker.
 *
 * The primary accepts a connection and hands it to a worker, which confirms it. Node forgets one whose worker dies before
 * that: nobody reads it and nobody closes it, so its client waits for ever. Here they are remembered, and closed with the
 * worker: the client sees an end at once and connects again. The messages watched are those of node:cluster itself
 * (`newconn` with its handle, and the `ack` of its number).
 */
import type { Worker } from 'node:cluster';

interface Handle {
  close(): void;
}

interface ClusterMessage {
  readonly cmd?: string;
  readonly act?: string;
  readonly seq?: number;
  readonly ack?: number;
}

/** @returns closes what the worker has not confirmed; to be called when it is dead */
export function watchHandoffs(worker: Worker): () => void {
  const unconfirmed = new Map<number, Handle>();
  const child = worker.process;
  const send = child.send.bind(child) as (...given: unknown[]) => boolean;
  child.send = (...given: unknown[]): boolean => {
    const [message, handle] = given as [ClusterMessage, Handle | undefined];
    if (message.act === 'newconn' && message.seq !== undefined && handle !== undefined) {
      unconfirmed.set(message.seq, handle);
    }
    return send(...given);
  };
  child.on('internalMessage', ({ ack }: ClusterMessage) => {
    if (ack !== undefined) unconfirmed.delete(ack);
  });
  return () => {
    for (const handle of unconfirmed.values()) handle.close();
    unconfirmed.clear();
  };
}
