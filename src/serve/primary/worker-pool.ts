/**
 * The worker processes: started, watched, replaced.
 *
 * Takes the number of workers and, through a callback, what they must serve; gives one object to talk to all of them.
 * A worker that dies is replaced: soon where it had served or no other is left, ever later where it dies of its
 * start. One that does not answer pings gets no connections, and is killed when it stays silent. A worker takes
 * connections only after it has loaded all that the others answer from, and warmed it; while clients wait and nobody
 * takes connections, it is told to hurry and takes them cold.
 *
 * One process more stands by: it has loaded its code and nothing else, and takes the place of the next worker that
 * dies, since of a worker's start that is the longest part.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { deserializeError, type ShortlistError } from '../../base/errors.js';
import type { MetricsSnapshot } from '../channel/joined-metrics.js';
import type { ConnectionTarget } from './acceptor.js';
import type { Logger } from '../channel/logger.js';
import type { FromWorker, LiveState, ToWorker } from '../channel/messages.js';
import type { ServeOptions } from '../channel/options.js';
import { Pulse, PULSE_MS } from './pulse.js';
import { PendingRequests } from '../channel/pending-requests.js';
import { RestartDelay } from './restart-delay.js';
import { closeDescriptor, openSocketPair, sendSockets } from '../channel/sockets/sockets.js';

/** A worker that is busy with a long search answers late; one that is stuck must not hold up the page. */
const MEASURE_TIMEOUT_MS = 1_000;

/** Node and the worker's code are loaded within a second or two; a machine may be busy. */
const BOOT_TIMEOUT_MS = 60_000;

/** After the drain timeout a worker ends by itself; one that has not by then is killed. */
const KILL_AFTER_MS = 1_000;

/** What the pool tells its owner. */
interface PoolEvents {
  /** Until a worker that starts now may map what is served. */
  readonly waitUntilVerified: () => Promise<void>;
  /** What a worker that starts now must load. */
  readonly state: (worker: number) => LiveState;
  /** Indexes without which the server is not ready. */
  readonly expected: () => readonly string[];
  readonly restarted: () => void;
  /** A worker asks for the metrics of all. */
  readonly renderMetrics: () => Promise<string>;
  readonly measured: (worker: number, snapshot: MetricsSnapshot) => void;
  readonly gone: (worker: number) => void;
  /** A worker was ended by a signal; `gone` follows. */
  readonly signalled: (pid: number | undefined, signal: string) => void;
  /** A worker could not load a version that it was to answer from, and serves the rest. */
  readonly unloaded: (worker: number, index: string, version: string, error: ShortlistError) => void;
  /** A worker takes connections, or takes them again. */
  readonly inRotation: () => void;
  /** A worker could not start. */
  readonly failed: (error: ShortlistError) => void;
}

/**
 * `booting`: the process does not listen to messages yet. `standby`: it does, and has no place. `listening`:
 * everything is loaded, it takes connections.
 */
type WorkerState = 'booting' | 'standby' | 'starting' | 'listening';

interface Member {
  readonly id: number;
  /** Its place among the workers; null while it stands by. */
  slot: number | null;
  readonly process: ChildProcess;
  state: WorkerState;
  /** `performance.now()` when it was told what to load. */
  startSentAt: number;
  /** This side's end of the way by which connections go to the worker; null once it is closed. */
  channel: number | null;
  /** Connections that were sent to it, that it has had, and that it has now. */
  readonly connections: { sent: number; taken: number; open: number };
  readonly pulse: Pulse;
  readonly prepares: PendingRequests<void>;
  readonly measures: PendingRequests<MetricsSnapshot>;
}

export class WorkerGone extends Error {}

/**
 * How workers run, whatever the primary runs with. There is one for each core, so that a garbage collector with
 * threads of its own would take them from another worker's searches; on its worker's own thread it takes less in all,
 * and marks a third as often. The heap may grow to three times what lives in it, some 25 MB, before it is marked
 * again. By itself V8 marks again after 8 MB, and counts vectors and answers among them, which are gone by then:
 * twice a second beside large requests, for 10 to 20 ms.
 *
 * Not from Node 24 on, which finds memory outside the heap by marking alone: marking on the worker's thread ends so
 * late that a worker with a bound of 32 MiB held 580 MB; with threads for it 240.
 */
const WORKER_FLAGS =
  Number.parseInt(process.versions.node) < 24 ? ['--single-threaded-gc', '--heap-growing-percent=200'] : [];

const WORKER_SCRIPT = fileURLToPath(new URL('../worker/worker.js', import.meta.url));

export class WorkerPool {
  private readonly members = new Map<number, Member>();
  private readonly delays: readonly RestartDelay[];
  private readonly standbyDelay = new RestartDelay();
  /** Slots whose process is to be started again, later; null for the one that stands by. */
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

  /** True from the moment that it is told to end. */
  get isStopping(): boolean {
    return this.stopping;
  }

  start(): void {
    for (let slot = 0; slot < this.options.workers; slot++) this.fillSlot(slot);
  }

  /** Workers that take connections now. */
  targets(): ConnectionTarget[] {
    return [...this.members.values()].filter(isInRotation).map((member) => ({
      connections: member.connections.sent - member.connections.taken + member.connections.open,
      send: (sockets) => this.sendConnections(member, sockets),
    }));
  }

  /** Workers in one of these states: not what stands by. */
  count(...states: readonly WorkerState[]): number {
    return this.workers().filter(({ state }) => states.includes(state)).length;
  }

  standbyCount(): number {
    return [...this.members.values()].filter(({ state }) => state === 'standby').length;
  }

  /** Process ids of the workers, for the log. */
  pids(): number[] {
    return this.workers().flatMap(({ process }) => process.pid ?? []);
  }

  /** Numbers of the workers that can load something, starting ones too. */
  ids(): number[] {
    return this.loadingMembers().map(({ id }) => id);
  }

  private workers(): Member[] {
    return [...this.members.values()].filter(({ slot }) => slot !== null);
  }

  /** Those that were told what to serve. */
  private loadingMembers(): Member[] {
    return this.workers().filter(({ state }) => state === 'starting' || state === 'listening');
  }

  /** Has one worker load a version. @throws what loading threw there; WorkerGone when it died meanwhile */
  prepare(id: number, index: string, version: string): Promise<void> {
    const member = this.members.get(id);
    if (member === undefined) return Promise.reject(new WorkerGone());
    const what = `loading ${index}@${version}`;
    return member.prepares.request(what, this.options.loadTimeoutMs, (ask) =>
      this.send(member, { type: 'prepare', id: ask, index, version }),
    );
  }

  /** Tells one worker, if it is still there. */
  sendTo(id: number, message: ToWorker): void {
    const member = this.members.get(id);
    if (member !== undefined) this.send(member, message);
  }

  /** From now on /readyz says that the server is going, in workers that come later too. */
  unready(): void {
    this.isUnready = true;
    this.broadcast({ type: 'unready' });
  }

  broadcast(message: ToWorker): void {
    for (const member of this.loadingMembers()) this.send(member, message);
  }

  /** Asks every worker for its numbers; those that do not answer in time are left out. */
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

  /** Lets requests in flight finish, then ends. Workers that overstay are killed. */
  drain(): Promise<void> {
    this.stopping = true;
    for (const timer of this.restarts.values()) clearTimeout(timer);
    for (const member of this.members.values()) if (member.state !== 'booting') this.send(member, { type: 'drain' });
    for (const member of this.members.values()) closeChannel(member); // what is in it still reaches the worker
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
    for (const { process } of this.members.values()) process.kill('SIGKILL');
  }

  /** Gives the place to the process that stands by, or to a new one. */
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

  /** Has a process stand by, if it should and none does. */
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
      started = startProcess();
    } catch (error) {
      this.replace(slot, 'worker not started', { err: error }); // some refusals are thrown, others come as the event
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
    child.on('message', (message) => this.receive(member, message as FromWorker));
    child.on('error', (error) => this.handleError(member, error));
    child.once('exit', (code, signal) => this.handleExit(member, code, signal));
  }

  /** @returns how many connections went: none where the worker is on its way out */
  private sendConnections(member: Member, sockets: readonly number[]): number {
    if (member.channel === null) return 0;
    try {
      const sent = sendSockets(member.channel, sockets);
      member.connections.sent += sent;
      return sent;
    } catch {
      return 0; // it has just died: its exit follows
    }
  }

  /**
   * Asks all for a sign of life, and ends those that have given none for too long: while one loads, an engine may
   * keep it busy.
   */
  private ping(): void {
    this.hurry();
    for (const member of this.members.values()) {
      member.pulse.notePing();
      if (!this.stopping && member.pulse.silentMs > this.maxSilentMs(member)) {
        const silent = { worker: member.process.pid, silent_ms: Math.round(member.pulse.silentMs) };
        this.log.error(silent, 'worker does not answer and is killed');
        member.process.kill('SIGKILL');
      } else if (member.state !== 'booting') this.send(member, { type: 'ping' });
    }
  }

  private maxSilentMs({ state, pulse, startSentAt: welcomedAt }: Member): number {
    const { workerTimeoutMs, loadTimeoutMs } = this.options;
    if (state === 'booting') return BOOT_TIMEOUT_MS;
    const isLoading = state === 'starting' && pulse.hasAnsweredSince(welcomedAt);
    return isLoading ? Math.max(workerTimeoutMs, loadTimeoutMs) : workerTimeoutMs;
  }

  /** A process that never came to be has no exit either: its error is its end. */
  private handleError(member: Member, error: Error): void {
    const { pid } = member.process;
    if (pid !== undefined) this.log.warn({ err: error, worker: pid }, 'cannot talk to a worker');
    else if (this.removeMember(member)) this.replace(member.slot, 'worker not started', { err: error });
  }

  /** A process can hear. One that has a place is told what to load as soon as it may map it. */
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

  /** It is told what to load. One that comes when all is over ends at once. */
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
    this.send(member, { type: 'ping' }); // one that stood by may have been stopped since it was heard last
    if (this.isUnready) this.send(member, { type: 'unready' });
    if (this.isShorthanded) this.send(member, { type: 'shorthanded', isShorthanded: true });
    this.hurry();
  }

  /** Tells all whether some are missing, once a server is ready. */
  private updateShorthanded(): void {
    const isShorthanded = this.hasListened && this.count('listening') < this.options.workers;
    if (isShorthanded === this.isShorthanded) return;
    this.isShorthanded = isShorthanded;
    this.broadcast({ type: 'shorthanded', isShorthanded });
  }

  /** Nobody waits for a server that has never been ready: it comes warm. */
  private hurry(): void {
    const members = [...this.members.values()];
    if (!this.hasListened || members.some(isInRotation)) return;
    for (const member of members) if (member.state === 'starting') this.send(member, { type: 'hurry' });
  }

  private send(member: Member, message: ToWorker): void {
    if (member.process.connected) member.process.send(message, () => undefined);
  }

  private receive(member: Member, message: FromWorker): void {
    switch (message.type) {
      case 'hello':
        void this.admit(member);
        return;
      case 'started':
        member.state = 'listening';
        this.hasListened = true;
        member.pulse.noteAnswer();
        this.log.info({ worker: member.process.pid }, 'worker listens');
        this.events.inRotation();
        this.updateShorthanded();
        this.startStandby();
        return;
      case 'pong':
        this.handlePong(member, message.taken, message.open);
        return;
      case 'unloaded':
        this.events.unloaded(member.id, message.index, message.version, deserializeError(message.error));
        return;
      case 'failed':
        this.events.failed(deserializeError(message.error));
        return;
      case 'prepared':
        if (message.error === null) member.prepares.resolve(message.id, undefined);
        else member.prepares.reject(message.id, deserializeError(message.error));
        return;
      case 'measured':
        member.measures.resolve(message.id, message.snapshot);
        return;
      case 'metrics':
        void this.events.renderMetrics().then((text) => this.send(member, { type: 'page', id: message.id, text }));
    }
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
    const what = slot === null ? 'the process that stands by died' : 'worker died';
    this.replace(slot, what, { worker: process.pid, code, signal }, state === 'listening');
  }

  /** @returns false where that was done already: a worker ends once */
  private removeMember(member: Member): boolean {
    if (!this.members.delete(member.id)) return false;
    closeChannel(member);
    member.prepares.rejectAll(new WorkerGone());
    member.measures.rejectAll(new WorkerGone());
    this.events.gone(member.id);
    return true;
  }

  /** Fills the slot again after its delay; or, while stopping, sees whether all are gone. */
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
    // Only where one had served: processes that do not even start would start each other for ever.
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

/**
 * A worker's process, and this side's end of the way by which connections go to it. @throws EMFILE, and what the
 * system refuses at once
 */
function startProcess(): { channel: number; child: ChildProcess } {
  const [channel, workerEnd] = openSocketPair();
  try {
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc', workerEnd] as const;
    return { channel, child: fork(WORKER_SCRIPT, { execArgv: [...WORKER_FLAGS], stdio: [...stdio] }) };
  } catch (error) {
    closeDescriptor(channel);
    throw error;
  } finally {
    closeDescriptor(workerEnd);
  }
}

function isInRotation({ state, channel, pulse }: Member): boolean {
  return state === 'listening' && channel !== null && !pulse.isQuiet;
}

function closeChannel(member: Member): void {
  if (member.channel !== null) closeDescriptor(member.channel);
  member.channel = null;
}
