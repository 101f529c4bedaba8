/**
 * Starts, watches and replaces the worker processes.
 *
 * A dead worker is replaced: soon if it had served or no other is left, otherwise with growing delays. A worker that
 * does not answer pings gets no connections, and is killed if it stays silent. A worker accepts connections only after
 * it has loaded and warmed all that the others answer from. If clients wait and no worker accepts connections, the
 * warm-up is skipped. One standby process, with only its code loaded, replaces the next worker that dies: loading is
 * the longest part.
 */
import type { ChildProcess } from 'node:child_process';
import { deserializeError, type ShortlistError } from '../../base/errors.js';
import type { MetricsSnapshot } from '../channel/joined-metrics.js';
import type { ConnectionTarget } from './acceptor.js';
import type { Logger } from '../channel/logger.js';
import { dispatch, type FromWorker, type Handlers, type LiveState, type ToWorker } from '../channel/messages.js';
import type { ServeOptions } from '../channel/options.js';
import { Pulse, PULSE_MS } from './pulse.js';
import { PendingRequests } from '../channel/pending-requests.js';
import { RestartDelay } from './restart-delay.js';
import { sendSockets } from '../channel/sockets/sockets.js';
import { closeChannel, isInRotation, startWorkerProcess, type Member, type WorkerState } from './worker-process.js';

/** A worker busy with a long search answers late; a stuck one must not delay the metrics page. */
const MEASURE_TIMEOUT_MS = 1_000;

/** Node and the worker's code load within a second or two; the machine may be busy. */
const BOOT_TIMEOUT_MS = 60_000;

/** Workers that start share the processor. They answer pings between the steps of loading. */
const STARTING_TIMEOUT_MS = 20_000;

/** A worker that has not ended this long after the drain timeout is killed. */
const KILL_AFTER_MS = 1_000;

/** Callbacks to the owner of the pool. */
interface PoolEvents {
  /** Resolves when a starting worker may map the served versions. */
  readonly waitUntilVerified: () => Promise<void>;
  /** What a starting worker must load. */
  readonly state: (worker: number) => LiveState;
  /** Indexes without which the server is not ready. */
  readonly expected: () => readonly string[];
  readonly restarted: () => void;
  /** A worker requests the metrics page of all processes. */
  readonly renderMetrics: () => Promise<string>;
  readonly measured: (worker: number, snapshot: MetricsSnapshot) => void;
  readonly gone: (worker: number) => void;
  /** A worker was ended by a signal; `gone` follows. */
  readonly signalled: (pid: number | undefined, signal: string) => void;
  /** A worker could not load a version and serves the others. */
  readonly unloaded: (worker: number, index: string, version: string, error: ShortlistError) => void;
  /** A worker accepts connections, for the first time or again. */
  readonly inRotation: () => void;
  /** A worker could not start. */
  readonly failed: (error: ShortlistError) => void;
}

export class WorkerGone extends Error {}

export class WorkerPool {
  private readonly members = new Map<number, Member>();
  private readonly delays: readonly RestartDelay[];
  private readonly standbyDelay = new RestartDelay();
  /** Timers of slots to be restarted; null for the standby process. */
  private readonly restarts = new Map<number | null, NodeJS.Timeout>();
  private nextId = 1;
  private hasListened = false;
  private isShorthanded = false;
  private isUnready = false;
  private stopping = false;
  private onEmpty: (() => void) | null = null;

  constructor(
    private readonly options: ServeOptions,
    private readonly toolVersion: string,
    private readonly log: Logger,
    private readonly events: PoolEvents,
  ) {
    this.delays = Array.from({ length: options.workers }, () => new RestartDelay());
    setInterval(() => this.ping(), PULSE_MS).unref();
  }

  get isStopping(): boolean {
    return this.stopping;
  }

  start(): void {
    for (let slot = 0; slot < this.options.workers; slot++) this.fillSlot(slot);
  }

  /** The workers that accept connections now. */
  targets(): ConnectionTarget[] {
    return [...this.members.values()].filter(isInRotation).map((member) => ({
      connections: member.connections.sent - member.connections.taken + member.connections.open,
      send: (sockets) => this.sendConnections(member, sockets),
    }));
  }

  /** Number of workers in one of these states, without the standby process. */
  count(...states: readonly WorkerState[]): number {
    return this.workers().filter(({ state }) => states.includes(state)).length;
  }

  standbyCount(): number {
    return [...this.members.values()].filter(({ state }) => state === 'standby').length;
  }

  pids(): number[] {
    return this.workers().flatMap(({ process }) => process.pid ?? []);
  }

  /** Ids of the workers that can load versions, including starting ones. */
  ids(): number[] {
    return this.loadingMembers().map(({ id }) => id);
  }

  private workers(): Member[] {
    return [...this.members.values()].filter(({ slot }) => slot !== null);
  }

  /** Workers that were told what to serve. */
  private loadingMembers(): Member[] {
    return this.workers().filter(({ state }) => state === 'starting' || state === 'listening');
  }

  /** Lets one worker load a version. @throws the error of the load; WorkerGone if the worker died */
  prepare(id: number, index: string, version: string): Promise<void> {
    const member = this.members.get(id);
    if (member === undefined) return Promise.reject(new WorkerGone());
    const what = `loading ${index}@${version}`;
    return member.prepares.request(what, this.options.loadTimeoutMs, (ask) =>
      this.send(member, { type: 'prepare', id: ask, index, version }),
    );
  }

  /** Does nothing if the worker is gone. */
  sendTo(id: number, message: ToWorker): void {
    const member = this.members.get(id);
    if (member !== undefined) this.send(member, message);
  }

  /** From now on /readyz returns 503, also in workers that start later. */
  unready(): void {
    this.isUnready = true;
    this.broadcast({ type: 'unready' });
  }

  broadcast(message: ToWorker): void {
    for (const member of this.loadingMembers()) this.send(member, message);
  }

  /** Collects the metrics of every worker; those that do not answer in time are left out. */
  async measure(): Promise<void> {
    const started = [...this.members.values()].filter(({ state }) => state === 'listening');
    const measure = async (member: Member) => {
      const snapshot = await member.measures.request('measuring', MEASURE_TIMEOUT_MS, (id) =>
        this.send(member, { type: 'measure', id }),
      );
      this.events.measured(member.id, snapshot);
    };
    await Promise.allSettled(started.map(measure));
  }

  /** Lets requests in flight finish. Workers that take too long are killed. */
  drain(): Promise<void> {
    this.stopping = true;
    for (const timer of this.restarts.values()) clearTimeout(timer);
    for (const member of this.members.values()) if (member.state !== 'booting') this.send(member, { type: 'drain' });
    for (const member of this.members.values()) closeChannel(member); // connections in it still reach the worker
    const timer = setTimeout(() => this.kill(), this.options.drainTimeoutMs + KILL_AFTER_MS);
    return new Promise((resolve) => {
      this.onEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.members.size === 0) this.onEmpty();
    });
  }

  kill(): void {
    this.stopping = true;
    for (const { process } of this.members.values()) process.kill('SIGKILL');
  }

  /** Gives the slot to the standby process, or to a new one. */
  private fillSlot(slot: number): void {
    const spare = [...this.members.values()].find(({ slot: place, pulse }) => place === null && !pulse.isQuiet);
    if (spare === undefined) this.fork(slot);
    else {
      this.delays[slot]!.noteStart();
      spare.slot = slot;
      if (spare.state === 'standby') void this.admit(spare);
    }
    if (this.hasListened) this.startStandby();
  }

  /** Starts a standby process if one is wanted and there is none. */
  private startStandby(): void {
    if (this.stopping || this.options.standby === 0 || this.restarts.has(null)) return;
    if (![...this.members.values()].some(({ slot }) => slot === null)) this.fork(null);
  }

  private delayOf(slot: number | null): RestartDelay {
    return slot === null ? this.standbyDelay : this.delays[slot]!;
  }

  private fork(slot: number | null): void {
    this.delayOf(slot).noteStart();
    let started: { readonly channel: number; readonly child: ChildProcess };
    try {
      started = startWorkerProcess();
    } catch (error) {
      this.replace(slot, 'worker could not be started', { err: error }); // some errors are thrown, others are events
      return;
    }
    const { channel, child } = started;
    const member: Member = {
      id: this.nextId++,
      slot,
      process: child,
      state: 'booting',
      startSentAt: Infinity,
      channel,
      connections: { sent: 0, taken: 0, open: 0 },
      pulse: new Pulse(),
      prepares: new PendingRequests(),
      measures: new PendingRequests(),
    };
    this.members.set(member.id, member);
    const handlers = this.handlersOf(member);
    child.on('message', (message) => dispatch(handlers, message as FromWorker));
    child.on('error', (error) => this.handleError(member, error));
    child.once('exit', (code, signal) => this.handleExit(member, code, signal));
  }

  /** @returns how many connections were sent; 0 if the worker is ending */
  private sendConnections(member: Member, sockets: readonly number[]): number {
    if (member.channel === null) return 0;
    try {
      const sent = sendSockets(member.channel, sockets);
      member.connections.sent += sent;
      return sent;
    } catch {
      return 0; // it has just died; its exit event follows
    }
  }

  /**
   * Pings all processes and kills those that have been silent too long. A worker that loads may be kept busy by an
   * engine, so its limit is longer.
   */
  private ping(): void {
    this.hurry();
    for (const member of this.members.values()) {
      member.pulse.notePing();
      if (!this.stopping && member.pulse.silentMs > this.maxSilentMs(member)) {
        const silent = { worker: member.process.pid, silent_ms: Math.round(member.pulse.silentMs) };
        this.log.error(silent, 'worker does not respond; killing it');
        member.process.kill('SIGKILL');
      } else if (member.state !== 'booting') this.send(member, { type: 'ping' });
    }
  }

  private maxSilentMs({ state, pulse, startSentAt }: Member): number {
    const { workerTimeoutMs } = this.options;
    if (state === 'booting') return BOOT_TIMEOUT_MS;
    const isLoading = state === 'starting' && pulse.hasAnsweredSince(startSentAt);
    return isLoading ? Math.max(workerTimeoutMs, STARTING_TIMEOUT_MS) : workerTimeoutMs;
  }

  /** A process that could not be started has no exit event: the error is its end. */
  private handleError(member: Member, error: Error): void {
    const { pid } = member.process;
    if (pid !== undefined) this.log.warn({ err: error, worker: pid }, 'cannot send messages to a worker');
    else if (this.removeMember(member)) this.replace(member.slot, 'worker could not be started', { err: error });
  }

  /** A process can receive messages. If it has a slot, it is told what to load as soon as it may map it. */
  private async admit(member: Member): Promise<void> {
    if (member.slot === null && !this.stopping) {
      member.state = 'standby';
      member.pulse.noteAnswer();
      return;
    }
    member.state = 'booting';
    await this.events.waitUntilVerified();
    if (this.members.has(member.id)) this.sendStart(member);
  }

  /** Tells a worker what to load, or to end if the pool is stopping. */
  private sendStart(member: Member): void {
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
            state: this.events.state(member.id),
            expected: this.events.expected(),
            othersAnswer: [...this.members.values()].some(isInRotation),
          },
    );
    member.startSentAt = performance.now();
    this.send(member, { type: 'ping' }); // a standby process may have stopped responding
    if (this.isUnready) this.send(member, { type: 'unready' });
    if (this.isShorthanded) this.send(member, { type: 'shorthanded', isShorthanded: true });
    this.hurry();
  }

  /** Once the server has been ready, tells all workers whether some are missing. */
  private updateShorthanded(): void {
    const isShorthanded = this.hasListened && this.count('listening') < this.options.workers;
    if (isShorthanded === this.isShorthanded) return;
    this.isShorthanded = isShorthanded;
    this.broadcast({ type: 'shorthanded', isShorthanded });
  }

  /** Skips warm-ups while no worker accepts connections, unless the server has never been ready: then nobody waits. */
  private hurry(): void {
    const members = [...this.members.values()];
    if (!this.hasListened || members.some(isInRotation)) return;
    for (const member of members) if (member.state === 'starting') this.send(member, { type: 'hurry' });
  }

  private send(member: Member, message: ToWorker): void {
    if (member.process.connected) member.process.send(message, () => undefined);
  }

  private handlersOf(member: Member): Handlers<FromWorker> {
    const { events } = this;
    return {
      hello: () => void this.admit(member),
      started: () => this.handleStarted(member),
      pong: ({ taken, open }) => this.handlePong(member, taken, open),
      unloaded: ({ index, version, error }) => events.unloaded(member.id, index, version, deserializeError(error)),
      failed: ({ error }) => events.failed(deserializeError(error)),
      prepared: ({ id, error }) =>
        error === null ? member.prepares.resolve(id, undefined) : member.prepares.reject(id, deserializeError(error)),
      measured: ({ id, snapshot }) => member.measures.resolve(id, snapshot),
      metrics: ({ id }) => void events.renderMetrics().then((text) => this.send(member, { type: 'page', id, text })),
    };
  }

  private handleStarted(member: Member): void {
    member.state = 'listening';
    this.hasListened = true;
    member.pulse.noteAnswer();
    this.log.info({ worker: member.process.pid }, 'worker is listening');
    this.events.inRotation();
    this.updateShorthanded();
    this.startStandby();
  }

  private handlePong({ pulse, connections }: Member, taken: number, open: number): void {
    const wasQuiet = pulse.isQuiet;
    pulse.noteAnswer();
    connections.taken = taken;
    connections.open = open;
    if (wasQuiet) this.events.inRotation();
  }

  private handleExit(member: Member, code: number | null, signal: string | null): void {
    const { slot, process, state } = member;
    if (signal !== null && !this.stopping) this.events.signalled(process.pid, signal);
    if (!this.removeMember(member)) return;
    const what = slot === null ? 'standby process died' : 'worker died';
    this.replace(slot, what, { worker: process.pid, code, signal }, state === 'listening');
  }

  /** @returns false if it was removed already: a worker ends once */
  private removeMember(member: Member): boolean {
    if (!this.members.delete(member.id)) return false;
    closeChannel(member);
    member.prepares.rejectAll(new WorkerGone());
    member.measures.rejectAll(new WorkerGone());
    this.events.gone(member.id);
    return true;
  }

  /** Refills the slot after its delay. While stopping, checks whether all processes have ended. */
  private replace(slot: number | null, why: string, facts: object, hadServed = false): void {
    if (this.stopping) {
      if (this.members.size === 0) this.onEmpty?.();
      return;
    }
    this.updateShorthanded();
    this.hurry();
    const isLast = slot !== null && this.count('listening') === 0;
    const delayMs = this.delayOf(slot).next(isLast || hadServed);
    this.log.error({ ...facts, restart_in_ms: delayMs }, why);
    if (slot !== null) this.events.restarted();
    this.restarts.set(
      slot,
      setTimeout(() => this.restart(slot), delayMs),
    );
    // Only if it had served: processes that fail to start would restart each other forever.
    if (!isLast || !hadServed) return;
    for (const waiting of [...this.restarts.keys()]) if (waiting !== slot && waiting !== null) this.restart(waiting);
  }

  private restart(slot: number | null): void {
    clearTimeout(this.restarts.get(slot));
    this.restarts.delete(slot);
    if (this.stopping) return;
    if (slot === null) this.startStandby();
    else this.fillSlot(slot);
  }
}
