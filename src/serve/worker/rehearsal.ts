/**
 * Warms up a version before it answers clients.
 *
 * The first requests of a process run code that is not compiled and touch memory that is not loaded, and take a hundred
 * times as long as later ones. So before a worker reports a version as loaded, it sends itself requests in every wire
 * form, with filters, attributes, batches and exact scans. They go through a connection to itself and the same HTTP
 * server, since compiled code is specific to the objects it has seen. They share the thread with other requests, pause
 * while others answer, and appear in no metric and no log. The rehearsal ends early if clients wait and no other worker
 * is there.
 */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ShortlistError } from '../../base/errors.js';
import type { Lease } from '../../retrieve/load/live.js';
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import type { Connections } from './connections.js';
import type { Observer } from './context.js';
import type { Guard } from './guard.js';

/** Requests until hot code is compiled: the last of it about 1,500 requests after the start of a process. */
const COLD_REQUESTS = 2_000;

/** Requests that load the memory of a new version when the code is compiled already. */
const WARM_REQUESTS = 200;

/** Requests per connection: code that has seen only one connection is recompiled with the second. */
const PER_CONNECTION = 8;

/** While others answer, it pauses three times as long as each request takes, and gets half the time. */
const GENTLE_PAUSES = 3;
const GENTLE_TIME = 0.5;

/** What a rehearsal uses of its worker. */
export interface RehearsalHost {
  readonly connections: Pick<Connections, 'openOwn'>;
  readonly guard: Pick<Guard, 'exempt'>;
  /** Leases a version that is loaded but does not answer yet. */
  readonly lease: (index: string, version: string) => Lease;
  /** True if clients are being answered, in this or another process, and must not be delayed. */
  readonly isGentle: () => boolean;
}

export class Rehearsal {
  private readonly own = new WeakSet<Socket>();
  private host: RehearsalHost | null = null;
  private isCold = true;
  private isHurried = false;

  /**
   * @param observer for its requests
   * @param maxMs maximum duration, however slow the machine; 0: no rehearsal
   */
  constructor(
    private readonly observer: Observer,
    private readonly maxMs: number,
  ) {}

  /** Versions loaded before are not rehearsed. */
  setHost(stage: RehearsalHost): void {
    this.host = stage;
  }

  /** Null if the connection is not one of the rehearsal. */
  observerOf(socket: Socket): Observer | null {
    return this.own.has(socket) ? this.observer : null;
  }

  /** While true, no version is rehearsed; a running rehearsal ends after its current request. */
  hurry(isHurried: boolean): void {
    this.isHurried = isHurried;
  }

  /** @throws internal if the version cannot answer: it must not go live */
  async run(index: string, version: string): Promise<void> {
    const { host: stage } = this;
    if (stage === null || this.isHurried || this.maxMs === 0) return;
    const lease = stage.lease(index, version);
    try {
      if (lease.version.count > 0) await this.sendAll(stage, lease.version);
    } finally {
      lease.release();
    }
  }

  private async sendAll(stage: RehearsalHost, version: LoadedVersion): Promise<void> {
    const { writeRehearsal } = await import('./rehearsal-requests.js'); // also loads the Arrow writer
    const next = cycle(writeRehearsal(version));
    const count = this.isCold ? COLD_REQUESTS : WARM_REQUESTS;
    const end = performance.now() + (stage.isGentle() ? GENTLE_TIME : 1) * this.maxMs;
    for (let done = 0; done < count && performance.now() < end && !this.isHurried; done += PER_CONNECTION) {
      await this.sendOnNewConnection(stage, next, version);
    }
    if (!this.isHurried) this.isCold = false;
  }

  private async sendOnNewConnection(stage: RehearsalHost, next: () => Buffer, version: LoadedVersion): Promise<void> {
    const opened = openOwn(stage);
    if (opened === null) return;
    const { client, server } = opened;
    this.own.add(server);
    const connection = new ClientConnection(client);
    try {
      for (let asked = 0; asked < PER_CONNECTION && !this.isHurried; asked++) {
        const begun = performance.now();
        stage.guard.exempt(server);
        const answer = await connection.send(next());
        if (answer === null) return; // the worker is ending
        if (answer.status >= 500 && answer.status !== 503 && answer.status !== 504)
          throw cannotAnswer(version, answer.text);
        if (stage.isGentle()) await sleep(GENTLE_PAUSES * (performance.now() - begun));
      }
    } finally {
      client.destroy();
    }
  }
}

/** Null if no descriptor is free: better to go live cold than not at all. */
function openOwn({ connections }: RehearsalHost): ReturnType<Connections['openOwn']> | null {
  try {
    return connections.openOwn();
  } catch {
    return null;
  }
}

/** All values of the source, then the same again and again. */
function cycle<T>(source: Generator<T, void, undefined>): () => T {
  const seen: T[] = [];
  let position = 0;
  return () => {
    const next = source.next();
    if (next.done !== true) seen.push(next.value);
    return next.done === true ? seen[position++ % seen.length]! : next.value;
  };
}

function cannotAnswer({ manifest: { index, version } }: LoadedVersion, answer: string): ShortlistError {
  const message = `${index}@${version} is loaded but cannot answer: ${answer.slice(0, 500)}`;
  return new ShortlistError('internal', message, { index, version });
}

/** Client side of a connection, for one request at a time. Like the server side, it reads bytes. */
class ClientConnection {
  private received: Buffer[] = [];
  private onAnswer: ((answer: Reply | null) => void) | null = null;

  constructor(private readonly socket: Socket) {
    socket.on('data', (bytes: Buffer) => this.receive(bytes));
    socket.on('error', () => undefined);
    socket.once('close', () => this.onAnswer?.(null));
  }

  /** @returns null if the connection has ended */
  send(request: Buffer): Promise<Reply | null> {
    if (this.socket.destroyed) return Promise.resolve(null);
    return new Promise((resolve) => {
      this.onAnswer = resolve;
      this.socket.write(request);
    });
  }

  private receive(bytes: Buffer): void {
    this.received.push(bytes);
    const whole = this.received.length === 1 ? bytes : Buffer.concat(this.received);
    const head = whole.indexOf('\r\n\r\n');
    if (head === -1) return;
    const length = Number(/^content-length: (\d+)/im.exec(whole.toString('latin1', 0, head))?.[1] ?? Infinity);
    if (whole.length < head + 4 + length) return;
    this.received = [];
    this.onAnswer?.({
      status: Number(whole.toString('latin1', 9, 12)),
      text: whole.toString('utf8', head + 4, head + 1_024),
    });
  }
}

interface Reply {
  readonly status: number;
  /** The beginning of the body. */
  readonly text: string;
}
