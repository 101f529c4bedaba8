/**
 * Makes a version warm before it answers anyone.
 *
 * The first requests of a process run through code that was never compiled and memory that was never touched, and
 * take a hundred times as long as later ones. So before a worker says that a version is loaded it makes requests of
 * its own, from bytes to bytes: on a connection to itself that the same server answers in the same way as every other
 * (compiled code holds for the objects it has seen: a second server would warm itself alone), in every wire form,
 * with filters, attributes, batches and exact scans. They take turns with other requests, pause where others answer
 * meanwhile, and appear in no metric and no log. All ends early when clients wait and no other worker is there: late
 * answers are better than none.
 */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ShortlistError } from '../../base/errors.js';
import type { Lease } from '../../retrieve/load/live.js';
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import type { Connections } from './connections.js';
import type { Observer } from './context.js';
import type { Guard } from './guard.js';

/** Requests after which hot code is compiled: the last of it some 1,500 requests after a process starts. */
const COLD_REQUESTS = 2_000;

/** Requests that touch a new version, where the code is warm already. */
const WARM_REQUESTS = 200;

/** Requests on a connection: code that has seen one connection alone is compiled anew with the second. */
const PER_CONNECTION = 8;

/**
 * Beside others it pauses three times as long as each request takes, and ends in half the time: they wait for the
 * help.
 */
const GENTLE_PAUSES = 3;
const GENTLE_TIME = 0.5;

/** Where a rehearsal takes place, and what it may know. */
export interface RehearsalHost {
  readonly connections: Pick<Connections, 'openOwn'>;
  readonly guard: Pick<Guard, 'exempt'>;
  /** Gives a version that is loaded and does not answer yet. */
  readonly lease: (index: string, version: string) => Lease;
  /** Others answer, in this process or beside it, and are not to be held up. */
  readonly isGentle: () => boolean;
}

export class Rehearsal {
  private readonly own = new WeakSet<Socket>();
  private host: RehearsalHost | null = null;
  private isCold = true;
  private isHurried = false;

  /**
   * @param observer hears of its requests
   * @param maxMs beyond this no version is kept waiting, on a machine however slow; 0 for no rehearsal
   */
  constructor(
    private readonly observer: Observer,
    private readonly maxMs: number,
  ) {}

  /** Versions that are loaded before it has a stage go without. */
  setHost(stage: RehearsalHost): void {
    this.host = stage;
  }

  /** Null for a connection that is none of its own. */
  observerOf(socket: Socket): Observer | null {
    return this.own.has(socket) ? this.observer : null;
  }

  /** While it is so, no version is kept waiting; what is under way ends after its request. */
  hurry(isHurried: boolean): void {
    this.isHurried = isHurried;
  }

  /** @throws internal where the version's answers fail: it must not go live */
  async run(index: string, version: string): Promise<void> {
    const { host: stage } = this;
    if (stage === null || this.isHurried || this.maxMs === 0) return;
    const lease = stage.lease(index, version);
    try {
      if (lease.version.manifest.count > 0) await this.sendAll(stage, lease.version);
    } finally {
      lease.release();
    }
  }

  private async sendAll(stage: RehearsalHost, version: LoadedVersion): Promise<void> {
    const { writeRehearsal } = await import('./rehearsal-requests.js'); // and with it what writes Arrow
    const next = cycle(writeRehearsal(version));
    const count = this.isCold ? COLD_REQUESTS : WARM_REQUESTS;
    const end = performance.now() + (stage.isGentle() ? GENTLE_TIME : 1) * this.maxMs;
    for (let done = 0; done < count && performance.now() < end && !this.isHurried; done += PER_CONNECTION) {
      await this.sendOnNewConnection(stage, next, version);
    }
    if (!this.isHurried) this.isCold = false;
  }

  /** On one connection. */
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
        if (answer === null) return; // the worker ends, and its connections with it
        if (answer.status >= 500 && answer.status !== 503 && answer.status !== 504)
          throw cannotAnswer(version, answer.text);
        if (stage.isGentle()) await sleep(GENTLE_PAUSES * (performance.now() - begun));
      }
    } finally {
      client.destroy();
    }
  }
}

/** Null where there is no descriptor left for it: a version goes live cold rather than not at all. */
function openOwn({ connections }: RehearsalHost): ReturnType<Connections['openOwn']> | null {
  try {
    return connections.openOwn();
  } catch {
    return null;
  }
}

/** All of them, and again from the first one on. */
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
  const message = `${index}@${version} is loaded and cannot answer: ${answer.slice(0, 500)}`;
  return new ShortlistError('internal', message, { index, version });
}

/** The client's side of a connection, for one request after the other. It reads as a server's side does: bytes. */
class ClientConnection {
  private received: Buffer[] = [];
  private onAnswer: ((answer: Reply | null) => void) | null = null;

  constructor(private readonly socket: Socket) {
    socket.on('data', (bytes: Buffer) => this.receive(bytes));
    socket.on('error', () => undefined);
    socket.once('close', () => this.onAnswer?.(null));
  }

  /** @returns null where the connection has ended */
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
  /** The first of the body. */
  readonly text: string;
}
