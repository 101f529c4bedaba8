/**
 * An open load on a server that is offered more than it can handle. Requests come at a steady rate, each on a free
 * connection, and every outcome is counted. A connection that the server closes is opened again. Only status and length
 * of an answer are parsed, so one core drives about 30,000 requests a second.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../../src/base/random.js';

export interface OpenLoad {
  readonly port: number;
  readonly requests: readonly Buffer[];
  readonly perSecond: number;
  readonly durationMs: number;
  readonly connections: number;
  /** All connections before the first request, or spread over the first half of the load. */
  readonly opened: 'before' | 'during';
  readonly seed: number;
}

export interface Outcome {
  readonly goodMs: number[];
  readonly refusedMs: number[];
  /** Connections that ended with a request on its way. */
  broken: number;
  /** Requests for which no connection was free: the driver's bound, not the server's. */
  unsent: number;
}

/** At fewer a second the driver sleeps between them and leaves its core to others; at more it must not be late. */
const SPARSE_PER_SECOND = 400;

class LeanConnection {
  isFree = false;
  private socket: Socket | null = null;
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  private dueMs = 0;

  constructor(
    private readonly port: number,
    private readonly outcome: Outcome,
    private readonly onFree: (connection: LeanConnection) => void,
  ) {}

  open(): void {
    const socket = connect(this.port, '127.0.0.1');
    this.socket = socket;
    socket.setNoDelay(true);
    socket.once('connect', () => this.free());
    socket.on('data', (bytes: Buffer) => this.take(bytes));
    socket.on('error', () => undefined);
    socket.once('close', () => {
      if (this.socket !== socket) return;
      if (!this.isFree && this.dueMs > 0) this.outcome.broken++;
      this.isFree = false;
      this.dueMs = 0;
      this.pending = [];
      this.pendingBytes = 0;
      setTimeout(() => {
        if (this.socket === socket) this.open();
      }, 5);
    });
  }

  send(request: Buffer, dueMs: number): void {
    this.isFree = false;
    this.dueMs = dueMs;
    this.socket!.write(request);
  }

  close(): void {
    const { socket } = this;
    this.socket = null;
    socket?.destroy();
  }

  private free(): void {
    this.isFree = true;
    this.onFree(this);
  }

  private take(bytes: Buffer): void {
    this.pending.push(bytes);
    this.pendingBytes += bytes.length;
    const whole = this.pending.length === 1 ? bytes : Buffer.concat(this.pending);
    const end = whole.indexOf('\r\n\r\n');
    if (end === -1) return;
    const head = whole.toString('latin1', 0, end).toLowerCase();
    const at = head.indexOf('content-length: ');
    if (this.pendingBytes < end + 4 + parseInt(head.slice(at + 16), 10)) return;
    const ms = performance.now() - this.dueMs;
    if (head.startsWith('200', 9)) this.outcome.goodMs.push(ms);
    else this.outcome.refusedMs.push(ms);
    this.pending = [];
    this.pendingBytes = 0;
    this.dueMs = 0;
    this.free();
  }
}

export async function runOpenLoad(load: OpenLoad): Promise<Outcome> {
  const outcome: Outcome = { goodMs: [], refusedMs: [], broken: 0, unsent: 0 };
  const free: LeanConnection[] = [];
  const all = Array.from(
    { length: load.connections },
    () => new LeanConnection(load.port, outcome, (one) => free.push(one)),
  );
  if (load.opened === 'before') {
    for (const one of all) one.open();
    while (free.length < all.length) await nextTurn();
  }
  const random = seededRandom(load.seed);
  const isSparse = load.perSecond < SPARSE_PER_SECOND;
  const startedMs = performance.now();
  const opening = load.opened === 'during' ? load.durationMs / 2 / all.length : 0;
  let opened = load.opened === 'during' ? 0 : all.length;
  let dueMs = startedMs;
  let sent = 0;
  for (;;) {
    const now = performance.now();
    if (now - startedMs > load.durationMs) break;
    while (opened < all.length && startedMs + opened * opening <= now) all[opened++]!.open();
    while (dueMs <= now) {
      const connection = takeFree(free);
      if (connection === undefined) outcome.unsent++;
      else connection.send(load.requests[sent++ % load.requests.length]!, dueMs);
      dueMs += (-Math.log(1 - random()) * 1000) / load.perSecond;
    }
    await (isSparse ? sleep(1) : nextTurn());
  }
  await sleep(300);
  for (const one of all) one.close();
  return outcome;
}

/** The one that is free the longest, so that all are used. */
function takeFree(free: LeanConnection[]): LeanConnection | undefined {
  for (;;) {
    const one = free.shift();
    if (one === undefined || one.isFree) return one;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
