/**
 * The worker processes: started, watched, replaced.
 *
 * Takes the number of workers and, through a callback, what they must serve; gives one object to talk to all of them. A
 * worker that dies is replaced, at once at first, and ever later while deaths follow each other quickly. A worker takes
 * connections only after it has loaded all that the others answer from.
 */
import cluster, { type Worker } from 'node:cluster';
import { fileURLToPath } from 'node:url';
import { deserializeError, type ShortlistError } from '../base/errors.js';
import type { MetricsSnapshot } from './joined-metrics.js';
import { watchHandoffs } from './handoffs.js';
import type { Logger } from './logger.js';
import type { FromWorker, LiveState, ToWorker } from './messages.js';
import type { ServeOptions } from './options.js';
import { PendingRequests } from './requests.js';
import { RestartDelay } from './restart-delay.js';

/** A worker that is busy with a long search answers late; one that is stuck must not hold up the page. */
const MEASURE_TIMEOUT_MS = 1_000;

/** After the drain timeout a worker ends by itself; one that has not by then is killed. */
const KILL_AFTER_MS = 1_000;

/** What the pool tells its owner. */
export interface PoolEvents {
  /** Until a worker that starts now may map what is served. */
  readonly admit: () => Promise<void>;
  /** What a worker that starts now must load. */
  readonly state: (worker: number) => LiveState;
  /** Indexes without which the server is not ready. */
  readonly expected: () => readonly string[];
  readonly restarted: () => void;
  /** A worker asks for the metrics of all. */
  readonly page: () => Promise<string>;
  readonly measured: (worker: number, snapshot: MetricsSnapshot) => void;
  readonly gone: (worker: number) => void;
  /** A worker was ended by a signal; `gone` follows. */
  readonly signalled: (pid: number | undefined, signal: string) => void;
  /** A worker could not load a version that it was to answer from, and serves the rest. */
  readonly unloaded: (worker: number, index: string, version: string, error: ShortlistError) => void;
  /** A worker takes connections. */
  readonly listening: (address: string, port: number) => void;
  /** A worker could not start. */
  readonly failed: (error: ShortlistError) => void;
}

/** `booting`: the process does not listen to messages yet. `started`: everything is loaded. */
export type WorkerState = 'booting' | 'starting' | 'started' | 'listening';

interface Member {
  readonly slot: number;
  readonly worker: Worker;
  state: WorkerState;
  readonly prepares: PendingRequests<void>;
  readonly measures: PendingRequests<MetricsSnapshot>;
  /** Ends the connections that the worker was about to get. */
  readonly closeHandoffs: () => void;
}

export class WorkerGone extends Error {}

/**
 * How workers run, whatever the primary runs with. There is one for each core, so that a garbage collector with threads of its own
 * would take them from another worker's searches; on its worker's own thread it takes less in all, and marks a third as often.
 */
const WORKER_FLAGS = ['--single-threaded-gc'];

export class WorkerPool {
  private readonly members = new Map<number, Member>();
  private readonly delays: readonly RestartDelay[];
  private mayListen = false;
  private stopping = false;
  private onEmpty: (() => void) | null = null;

  constructor(
    private readonly options: ServeOptions,
    private readonly toolVersion: string,
    private readonly log: Logger,
    private readonly events: PoolEvents,
  ) {
    this.delays = Array.from({ length: options.workers }, () => new RestartDelay());
    cluster.setupPrimary({
      exec: fileURLToPath(new URL('./worker.js', import.meta.url)),
      args: [],
      execArgv: [...WORKER_FLAGS],
    });
  }

  /** True from the moment that it is told to end. */
  get isStopping(): boolean {
    return this.stopping;
  }

  start(): void {
    for (let slot = 0; slot < this.options.workers; slot++) this.fork(slot);
  }

  /** From now on, workers that have started take connections. */
  listen(): void {
    this.mayListen = true;
    for (const member of this.members.values()) if (member.state === 'started') this.send(member, { type: 'listen' });
  }

  count(state: WorkerState): number {
    return [...this.members.values()].filter((member) => member.state === state).length;
  }

  /** Process ids of the workers, for the log. */
  pids(): number[] {
    return [...this.members.values()].flatMap(({ worker }) => worker.process.pid ?? []);
  }

  /** Numbers of the workers that can load something, starting ones too. */
  ids(): number[] {
    return [...this.members.values()].filter(({ state }) => state !== 'booting').map(({ worker }) => worker.id);
  }

  /** Has one worker load a version. @throws what loading threw there; WorkerGone when it died meanwhile */
  prepare(id: number, index: string, version: string): Promise<void> {
    const member = this.members.get(id);
    if (member === undefined) return Promise.reject(new WorkerGone());
    const what = `loading ${index}@${version}`;
    return member.prepares.ask(what, this.options.loadTimeoutMs, (ask) =>
      this.send(member, { type: 'prepare', id: ask, index, version }),
    );
  }

  /** Tells one worker, if it is still there. */
  tell(id: number, message: ToWorker): void {
    const member = this.members.get(id);
    if (member !== undefined) this.send(member, message);
  }

  broadcast(message: ToWorker): void {
    for (const member of this.members.values()) if (member.state !== 'booting') this.send(member, message);
  }

  /** Asks every worker for its numbers; those that do not answer in time are left out. */
  async measure(): Promise<void> {
    const started = [...this.members.values()].filter(({ state }) => state === 'started' || state === 'listening');
    const measure = async (member: Member) => {
      const snapshot = await member.measures.ask('measuring', MEASURE_TIMEOUT_MS, (id) =>
        this.send(member, { type: 'measure', id }),
      );
      this.events.measured(member.worker.id, snapshot);
    };
    await Promise.allSettled(started.map(measure));
  }

  /** Lets requests in flight finish, then ends. Workers that overstay are killed. */
  drain(): Promise<void> {
    this.stopping = true;
    this.broadcast({ type: 'drain' });
    const timer = setTimeout(() => this.kill(), this.options.drainTimeoutMs + KILL_AFTER_MS);
    return new Promise((resolve) => {
      this.onEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.members.size === 0) this.onEmpty();
    });
  }

  /** Ends every worker at once. */
  kill(): void {
    this.stopping = true;
    for (const { worker } of this.members.values()) worker.process.kill('SIGKILL');
  }

  private fork(slot: number): void {
    this.delays[slot]!.started();
    let worker: Worker;
    try {
      worker = cluster.fork();
    } catch (error) {
      this.replace(slot, 'worker not started', { err: error }); // some refusals are thrown, others come as the event
      return;
    }
    const member: Member = {
      slot,
      worker,
      state: 'booting',
      prepares: new PendingRequests(),
      measures: new PendingRequests(),
      closeHandoffs: watchHandoffs(worker),
    };
    this.members.set(worker.id, member);
    worker.on('message', (message: FromWorker) => this.receive(member, message));
    worker.on('error', (error) => this.handleError(member, error));
    worker.once('exit', (code: number | null, signal: string | null) => this.handleExit(member, code, signal));
  }

  /** A process that never came to be has no exit either: its error is its end. */
  private handleError(member: Member, error: Error): void {
    const pid = member.worker.process.pid;
    if (pid !== undefined) this.log.warn({ err: error, worker: pid }, 'cannot talk to a worker');
    else if (this.forget(member)) this.replace(member.slot, 'worker not started', { err: error });
  }

  /** A worker can hear: it is told what to load. One that comes when all is over ends at once. */
  private welcome(member: Member): void {
    member.state = 'starting';
    const { options, toolVersion } = this;
    this.send(
      member,
      this.stopping
        ? { type: 'drain' }
        : {
            type: 'start',
            options,
            toolVersion,
            state: this.events.state(member.worker.id),
            expected: this.events.expected(),
          },
    );
  }

  private send(member: Member, message: ToWorker): void {
    if (member.worker.isConnected()) member.worker.send(message, undefined, () => undefined);
  }

  private receive(member: Member, message: FromWorker): void {
    switch (message.type) {
      case 'hello':
        void this.events.admit().then(() => {
          if (this.members.has(member.worker.id)) this.welcome(member);
        });
        return;
      case 'started':
        member.state = 'started';
        if (this.mayListen) this.send(member, { type: 'listen' });
        return;
      case 'listening':
        member.state = 'listening';
        this.log.info({ worker: member.worker.process.pid }, 'worker listens');
        this.events.listening(message.address, message.port);
        return;
      case 'unloaded':
        this.events.unloaded(member.worker.id, message.index, message.version, deserializeError(message.error));
        return;
      case 'failed':
        this.events.failed(deserializeError(message.error));
        return;
      case 'prepared':
        if (message.error === null) member.prepares.answer(message.id, undefined);
        else member.prepares.fail(message.id, deserializeError(message.error));
        return;
      case 'measured':
        member.measures.answer(message.id, message.snapshot);
        return;
      case 'metrics':
        void this.events.page().then((text) => this.send(member, { type: 'page', id: message.id, text }));
    }
  }

  private handleExit(member: Member, code: number | null, signal: string | null): void {
    const { slot, worker } = member;
    if (signal !== null && !this.stopping) this.events.signalled(worker.process.pid, signal);
    if (this.forget(member)) this.replace(slot, 'worker died', { worker: worker.process.pid, code, signal });
  }

  /** @returns false where that was done already: a worker ends once */
  private forget(member: Member): boolean {
    if (!this.members.delete(member.worker.id)) return false;
    member.prepares.failAll(new WorkerGone());
    member.measures.failAll(new WorkerGone());
    member.closeHandoffs();
    this.events.gone(member.worker.id);
    return true;
  }

  /** Starts another process in this slot after its delay; or, while stopping, sees whether all are gone. */
  private replace(slot: number, why: string, facts: object): void {
    if (this.stopping) {
      if (this.members.size === 0) this.onEmpty?.();
      return;
    }
    const delayMs = this.delays[slot]!.next();
    this.log.error({ ...facts, restart_in_ms: delayMs }, why);
    this.events.restarted();
    setTimeout(() => {
      if (!this.stopping) this.fork(slot);
    }, delayMs).unref();
  }
}
