/**
 * Makes a version warm before it answers anyone.
 *
 * The first requests of a process run through code that was never compiled and memory that was never touched, and take a hundred times as
 * long as later ones. So before a worker says that a version is loaded it makes requests of its own, from bytes to bytes: a
 * connection to a second HTTP server of the same making, searches in every wire form, with filters, attributes, batches and exact
 * scans. They take turns with other requests, and appear in no metric and no log.
 */
import { once } from 'node:events';
import type { Server } from 'node:http';
import { Socket } from 'node:net';
import { ShortlistError } from '../base/errors.js';
import type { Lease } from '../retrieve/live.js';
import type { LoadedVersion } from '../retrieve/loaded-version.js';
import { writeRehearsal } from './rehearsal-requests.js';
import { openSocketPair } from './sockets/sockets.js';

/** Requests after which hot code is compiled: the last of it some 1,500 requests after a process starts. */
const COLD_REQUESTS = 2_000;

/** Requests that touch a new version, where the code is warm already. */
const WARM_REQUESTS = 200;

export class Rehearsal {
  private isCold = true;

  /**
   * @param server answers as the real one does
   * @param lease gives a version that is loaded and does not answer yet
   * @param mostMs beyond this no version is kept waiting, on a machine however slow
   */
  constructor(
    private readonly server: Server,
    private readonly lease: (index: string, version: string) => Lease,
    private readonly mostMs: number,
  ) {}

  /** @throws internal where the version's answers fail: it must not go live */
  async run(index: string, version: string): Promise<void> {
    if (this.mostMs === 0) return;
    const lease = this.lease(index, version);
    try {
      if (lease.version.manifest.count > 0) await this.askAll(lease.version);
    } finally {
      lease.release();
    }
  }

  private async askAll(version: LoadedVersion): Promise<void> {
    const requests = writeRehearsal(version);
    const count = this.isCold ? COLD_REQUESTS : WARM_REQUESTS;
    const end = performance.now() + this.mostMs;
    const connection = new Connection(this.server);
    try {
      for (let done = 0; done < count && performance.now() < end; done++) {
        const { status, text } = await connection.ask(requests[done % requests.length]!);
        if (status >= 500 && status !== 503 && status !== 504) throw failed(version, text);
      }
    } finally {
      connection.close();
    }
    this.isCold = false;
  }
}

function failed({ manifest: { index, version } }: LoadedVersion, answer: string): ShortlistError {
  const message = `${index}@${version} is loaded and cannot answer: ${answer.slice(0, 500)}`;
  return new ShortlistError('internal', message, { index, version });
}

/** A connection to a server of this process, for one request after the other. */
class Connection {
  private readonly socket: Socket;
  private received = '';

  constructor(server: Server) {
    const [ours, theirs] = openSocketPair();
    this.socket = new Socket({ fd: ours, readable: true, writable: true });
    this.socket.setEncoding('latin1').on('data', (text: string) => (this.received += text));
    this.socket.on('error', () => undefined);
    server.emit('connection', new Socket({ fd: theirs, readable: true, writable: true, allowHalfOpen: true }));
  }

  async ask(request: Buffer): Promise<{ status: number; text: string }> {
    this.received = '';
    this.socket.write(request);
    for (;;) {
      await once(this.socket, 'data');
      const head = this.received.indexOf('\r\n\r\n');
      const length = Number(
        /^content-length: (\d+)/im.exec(this.received.slice(0, Math.max(0, head)))?.[1] ?? Infinity,
      );
      if (head !== -1 && this.received.length >= head + 4 + length) break;
    }
    return {
      status: Number(this.received.slice(9, 12)),
      text: this.received.slice(this.received.indexOf('\r\n\r\n') + 4),
    };
  }

  close(): void {
    this.socket.destroy();
  }
}
