/**
 * Servers that hold the same shards. A message goes to the less loaded of two of them, chosen at random (Mitzenmacher
 * 2001, "The power of two choices"). If it is late, another server gets it too, and the first answer counts (Dean and
 * Barroso 2013, "The tail at scale"). If a server fails, another one gets it, once. A budget limits both.
 */
import { ShortlistError } from '../../base/errors.js';
import type { Manifest } from '../../version/sealed/manifest.js';
import { operationPath, TIME_LEFT_HEADER, type Operation } from '../fleet/message-head.js';
import { CallBudget } from './call-budget.js';
import { shardsUnavailable } from './fleet-request.js';
import type { CallOptions, ShardGroup } from './fleet-version.js';
import { Latencies } from './latencies.js';
import type { Sending } from './connection-pool.js';
import { ReplicaFailure, type Replica } from './replica.js';

/** What is counted. */
export interface CallObserver {
  answered(operation: Operation, ms: number): void;
  failed(operation: Operation): void;
  /** `denied`: the budget was used up. */
  sentAgain(why: 'hedge' | 'retry' | 'denied'): void;
}

export class ReplicaGroup implements ShardGroup {
  private readonly budget = new CallBudget();
  private readonly latencies = new Map<Operation, Latencies>();
  private readonly key: string;

  constructor(
    readonly shards: readonly number[],
    private readonly replicas: () => Iterable<Replica>,
    private readonly observer: CallObserver,
  ) {
    this.key = shards.join();
  }

  call(version: Manifest, operation: Operation, body: Buffer, options: CallOptions): Promise<Buffer> {
    this.budget.noteRequest();
    return new Promise((resolve, reject) => {
      new Call(this.toolsFor(version, operation), version, operation, body, options, resolve, reject).start();
    });
  }

  private toolsFor(version: Manifest, operation: Operation): CallTools {
    let latencies = this.latencies.get(operation);
    if (latencies === undefined) this.latencies.set(operation, (latencies = new Latencies()));
    const { shards, budget, observer } = this;
    return { shards, budget, observer, latencies, pick: (not, which) => this.pick(version, not, which) };
  }

  /** @param not servers that were asked already @param which `any`: an unhealthy one if there is no other */
  private pick({ index, version }: Manifest, not: ReadonlySet<Replica>, which: 'any' | 'healthy'): Replica | null {
    const able = [...this.replicas()].filter((one) => !not.has(one) && one.keyOf(index, version) === this.key);
    const healthy = able.filter((one) => one.isReachable && !one.isEjected);
    const [from, second] = pickTwo(healthy.length > 0 || which === 'healthy' ? healthy : able);
    if (from === undefined || second === undefined) return from ?? null;
    return second.inFlight < from.inFlight ? second : from;
  }
}

function pickTwo<T>(list: readonly T[]): readonly T[] {
  if (list.length < 2) return list;
  const first = Math.floor(Math.random() * list.length);
  const other = Math.floor(Math.random() * (list.length - 1));
  return [list[first]!, list[other < first ? other : other + 1]!];
}

interface CallTools {
  readonly shards: readonly number[];
  readonly budget: CallBudget;
  readonly observer: CallObserver;
  readonly latencies: Latencies;
  readonly pick: (not: ReadonlySet<Replica>, which: 'any' | 'healthy') => Replica | null;
}

/** One message until it is answered, by whichever server. */
class Call {
  private readonly asked = new Set<Replica>();
  private readonly running = new Map<Replica, Sending<Buffer>>();
  private hedgeTimer: NodeJS.Timeout | null = null;
  private hasRetried = false;
  private isOver = false;
  private readonly stop: () => void;

  constructor(
    private readonly tools: CallTools,
    private readonly version: Manifest,
    private readonly operation: Operation,
    private readonly body: Buffer,
    private readonly options: CallOptions,
    private readonly resolve: (answer: Buffer) => void,
    private readonly reject: (error: unknown) => void,
  ) {
    this.stop = () => this.end(() => this.reject(options.signal.reason));
  }

  start(): void {
    const first = this.tools.pick(this.asked, 'any');
    if (first === null) {
      this.reject(shardsUnavailable(this.version, this.tools.shards));
      return;
    }
    this.options.signal.addEventListener('abort', this.stop);
    this.hedgeTimer = setTimeout(() => this.hedge(), this.tools.latencies.lateMs);
    void this.ask(first);
  }

  private async ask(replica: Replica): Promise<void> {
    const { signal, timeLeftMs, headers } = this.options;
    if (signal.aborted) {
      this.stop();
      return;
    }
    const begun = performance.now();
    const { index, version } = this.version;
    this.asked.add(replica);
    try {
      const sending = replica.send({
        method: 'POST',
        path: operationPath(index, version, this.operation),
        headers: {
          ...headers,
          'content-type': 'application/octet-stream',
          [TIME_LEFT_HEADER]: String(Math.max(0, Math.ceil(timeLeftMs))),
        },
        body: this.body,
      });
      this.running.set(replica, sending);
      const answer = await sending.answer;
      if (this.isOver) return;
      replica.noteSuccess();
      this.tools.latencies.add(performance.now() - begun);
      this.tools.observer.answered(this.operation, performance.now() - begun);
      this.running.delete(replica);
      for (const slower of this.running.keys()) if (isBefore(this.asked, slower, replica)) slower.noteSlow();
      this.end(() => this.resolve(answer));
    } catch (error) {
      this.running.delete(replica);
      if (!this.isOver) this.handleFailure(replica, error);
    }
  }

  private hedge(): void {
    if (this.isOver) return;
    const other = this.tools.pick(this.asked, 'healthy');
    if (other === null || !this.take('hedge')) return;
    void this.ask(other);
  }

  private handleFailure(replica: Replica, error: unknown): void {
    if (!(error instanceof ReplicaFailure)) {
      this.end(() => this.reject(error)); // the request is at fault, or this program
      return;
    }
    if (error.code === null || error.code === 'internal') replica.noteFailure();
    this.tools.observer.failed(this.operation);
    if (this.running.size > 0) return; // the other server may still answer
    // A connection that was closed may belong to a process that was replaced: then the same server can be asked again.
    const other = this.hasRetried
      ? null
      : (this.tools.pick(this.asked, 'any') ?? (error.code === null ? replica : null));
    if (other === null || !(error.isIdle ? this.note('retry') : this.take('retry'))) {
      this.end(() => this.reject(this.errorOf(error)));
      return;
    }
    this.hasRetried = true;
    void this.ask(other);
  }

  private take(why: 'hedge' | 'retry'): boolean {
    const isTaken = this.tools.budget.tryTake();
    this.tools.observer.sentAgain(isTaken ? why : 'denied');
    return isTaken;
  }

  private note(why: 'retry'): true {
    this.tools.observer.sentAgain(why);
    return true;
  }

  private errorOf({ code, message }: ReplicaFailure): ShortlistError {
    if (code === 'overloaded' || code === 'internal') return new ShortlistError(code, message);
    const { message: text, details } = shardsUnavailable(this.version, this.tools.shards);
    return new ShortlistError('shards_unavailable', `${text} (${message})`, details);
  }

  private end(finish: () => void): void {
    if (this.isOver) return;
    this.isOver = true;
    if (this.hedgeTimer !== null) clearTimeout(this.hedgeTimer);
    this.options.signal.removeEventListener('abort', this.stop);
    for (const sending of this.running.values()) sending.abort(new Error('the answer is not needed any more'));
    finish();
  }
}

/** Whether one was asked before another. Sets keep the order. */
function isBefore<T>(order: ReadonlySet<T>, one: T, other: T): boolean {
  for (const each of order) if (each === one || each === other) return each === one;
  return false;
}
