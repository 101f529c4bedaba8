/**
 * One worker process: the script that the primary forks. It loads the versions that the primary names and answers
 * requests. It never reads CURRENT, and ends when the primary does.
 */
import type { FastifyRequest } from 'fastify';
import { EXIT, ShortlistError, serializeError } from '../../base/errors.js';
import { instructionSetOf } from '../../engine/engines.js';
import { openExactSearch, type ExactSearch } from '../../engine/exact-search.js';
import { LiveIndexes, namedVersions, type Names } from '../../retrieve/load/live.js';
import { Admission } from './admission.js';
import { buildApp } from './app.js';
import { corsHeadersOfRefusals } from './cors.js';
import { Connections } from './connections.js';
import type { AppContext, Observer } from './context.js';
import { takeSnapshot } from '../channel/joined-metrics.js';
import { Guard } from './guard.js';
import { createLogger, type Logger } from '../channel/logger.js';
import { dispatch, type FromWorker, type Handlers, type ToWorker } from '../channel/messages.js';
import { withoutVersions } from '../channel/names.js';
import type { ServeOptions } from '../channel/options.js';
import { LocalBackend } from './local-backend.js';
import { Rehearsal } from './rehearsal.js';
import { PendingRequests } from '../channel/pending-requests.js';
import { Scheduler } from './scheduler.js';
import { TimeSlicer } from '../request/time-slicer.js';
import { WorkerMetrics } from './worker-metrics.js';

/** Longer than the primary waits for the slowest worker's metrics. */
const METRICS_TIMEOUT_MS = 3_000;

/** Descriptor of the channel for connections: after stdin, stdout, stderr and the channel for messages. */
const CONNECTIONS_FD = 4;

/** Refusals are logged together: a line for each would cost more than the refusal. */
const REFUSALS_LOG_MS = 1_000;

/** A log destination that discards everything. */
const DISCARD = { write: () => undefined };

type Start = Extract<ToWorker, { type: 'start' }>;

class ServingWorker {
  private readonly pages = new PendingRequests<string>();
  private readonly metrics = new WorkerMetrics();
  private readonly live: LiveIndexes;
  private readonly log: Logger;
  private readonly guard: Guard;
  private readonly scheduler: Scheduler;
  private readonly pool: ExactSearch;
  private readonly context: AppContext;
  private readonly rehearsal: Rehearsal;
  private connections: Connections | null = null;
  private isListening = false;
  private draining = false;
  private unloggedRefusals = 0;
  private refusalsLoggedAt = 0;
  private expected: readonly string[] = [];

  constructor(
    private readonly options: ServeOptions,
    private readonly toolVersion: string,
  ) {
    this.log = createLogger(options, 'worker');
    const { root, shards } = options;
    const held = { shards, keepsUsed: shards.length > 0 };
    const rehearse = (index: string, version: string) => this.rehearsal.run(index, version);
    this.live = new LiveIndexes(root, rehearse, undefined, held);
    const silentObserver = {
      metrics: new WorkerMetrics(),
      log: createLogger(options, 'worker', DISCARD),
      admission: new Admission(options.maxInFlight, options.maxBuffered, () => undefined),
    };
    this.rehearsal = new Rehearsal(silentObserver, options.warmUpMs);
    this.scheduler = new Scheduler(() => this.guard.updateCapacity());
    this.pool = openExactSearch(options.exactThreads);
    const refused = (requests: number) => this.handleRefused(requests);
    this.guard = new Guard(this.scheduler, { refused }, corsHeadersOfRefusals(options.cors));
    this.context = this.makeContext();
  }

  async start({ state, expected, othersAnswer }: Start): Promise<void> {
    this.expected = expected;
    this.log.info({ engine: 'native', isa: instructionSetOf('native') }, 'worker is starting');
    const app = await buildApp(await this.withLeafRoutes(), this.toolVersion);
    await app.ready();
    this.connections = new Connections(app.server, this.options, this.guard);
    this.guard.setConnections(this.connections);
    this.rehearsal.setHost({
      connections: this.connections,
      guard: this.guard,
      lease: (index, version) => this.live.lease(index, version),
      isGentle: () => othersAnswer || this.live.names().some((index) => this.live.namesOf(index).current !== null),
    });
    for (const [index, names] of Object.entries(state)) await this.apply(index, names);
    this.connections.listen(CONNECTIONS_FD);
    this.isListening = true;
    if (!this.draining) this.rehearsal.hurry(false);
    send({ type: 'started' });
  }

  /** A server that holds some shards has routes for gateways; others do not load them. */
  private async withLeafRoutes(): Promise<AppContext> {
    const { live, pool, scheduler, options } = this;
    const { shards, requestTimeoutMs } = options;
    if (shards.length === 0) return this.context;
    const { addLeafRoutes } = await import('./routes/leaf.js');
    const isDraining = () => this.draining;
    const isOwn = ({ raw }: FastifyRequest) => this.rehearsal.observerOf(raw.socket) !== null;
    const host = { live, pool, scheduler, shards, requestTimeoutMs, isDraining, isOwn };
    return { ...this.context, addRoutes: (app) => addLeafRoutes(app, host) };
  }

  private makeContext(): AppContext {
    const { maxInFlight, maxBuffered, root } = this.options;
    const admission = new Admission(maxInFlight, maxBuffered, () => this.metrics.refused(1));
    this.metrics.watch(this.live, admission);
    const slicer = new TimeSlicer();
    const observer: Observer = { metrics: this.metrics, log: this.log, admission };
    return {
      options: this.options,
      backend: new LocalBackend(root, this.live, this.pool, this.scheduler, slicer),
      slicer,
      guard: this.guard,
      requestEnded: (socket) => this.connections?.requestEnded(socket),
      observerOf: (socket) => this.rehearsal.observerOf(socket) ?? observer,
      joinedMetrics: () =>
        this.pages.request('collecting metrics', METRICS_TIMEOUT_MS, (id) => send({ type: 'metrics', id })),
      isDraining: () => this.draining,
      expected: () => this.expected,
    };
  }

  private handleRefused(requests: number): void {
    this.metrics.refused(requests);
    this.unloggedRefusals += requests;
    if (performance.now() - this.refusalsLoggedAt < REFUSALS_LOG_MS) return;
    this.refusalsLoggedAt = performance.now();
    this.log.warn({ requests: this.unloggedRefusals, code: 'overloaded' }, 'requests refused');
    this.unloggedRefusals = 0;
  }

  /** Skips the warm-up if the worker does not listen yet. */
  private hurry(): void {
    if (!this.isListening) this.rehearsal.hurry(true);
  }

  readonly handlers: Handlers<Exclude<ToWorker, Start>> = {
    hurry: () => this.hurry(),
    shorthanded: ({ isShorthanded }) => this.guard.setShorthanded(isShorthanded),
    ping: () => send({ type: 'pong', taken: this.connections?.taken ?? 0, open: this.connections?.open ?? 0 }),
    prepare: ({ id, index, version }) => runInOrder(() => this.prepare(id, index, version)),
    discard: ({ index, version }) => runInOrder(() => this.live.discard(index, version)),
    condemn: ({ index, version }) => runInOrder(() => this.live.condemn(index, version)),
    apply: ({ index, names }) => runInOrder(() => this.apply(index, names)),
    expect: ({ indexes }) => (this.expected = indexes),
    unready: () => this.unready(),
    drain: () => this.drain(),
    measure: ({ id }) => void this.measure(id),
    page: ({ id, text }) => this.pages.resolve(id, text),
  };

  private async prepare(id: number, index: string, version: string): Promise<void> {
    try {
      await this.live.prepare(index, version);
      send({ type: 'prepared', id, error: null });
    } catch (error) {
      send({ type: 'prepared', id, error: serializeError(error) });
    }
  }

  /**
   * Answers from these names. Most versions are loaded already, but a worker that has just started may have missed a
   * `prepare`. Versions that cannot be loaded are reported and left out; other indexes and names are not affected.
   */
  private async apply(index: string, names: Names): Promise<void> {
    const unloaded = new Set<string>();
    for (const version of namedVersions(names)) {
      try {
        await this.live.prepare(index, version);
      } catch (error) {
        unloaded.add(version);
        send({ type: 'unloaded', index, version, error: serializeError(error) });
      }
    }
    this.live.apply(index, withoutVersions(names, unloaded));
  }

  private unready(): void {
    this.draining = true;
    this.rehearsal.hurry(true);
  }

  /** Lets requests in flight finish within the drain timeout, then ends the process. */
  private drain(): void {
    this.draining = true;
    if (this.connections === null || !this.isListening) process.exit(EXIT.done);
    void this.connections.drain().then(() => process.exit(EXIT.done));
    setTimeout(() => {
      this.log.warn('the drain timeout passed with requests in flight');
      process.exit(EXIT.done);
    }, this.options.drainTimeoutMs);
  }

  private async measure(id: number): Promise<void> {
    send({ type: 'measured', id, snapshot: await takeSnapshot(this.metrics.registry) });
  }

  fatal(error: unknown): void {
    this.log.fatal({ err: error }, 'the worker failed');
  }
}

function send(message: FromWorker): void {
  // Without the channel the primary is gone, and the `disconnect` handler below ends this process.
  if (process.connected) process.send!(message, undefined, undefined, () => undefined);
}

let worker: ServingWorker | null = null;
let lastChange: Promise<void> = Promise.resolve();

/** Runs changes of state one after the other. If one fails, the state is inconsistent and the worker ends. */
function runInOrder(step: () => Promise<void> | void): void {
  lastChange = lastChange.then(step).catch((error: unknown) => {
    process.exitCode = error instanceof ShortlistError ? error.exit : EXIT.bug;
    worker?.fatal(error);
    process.send!({ type: 'failed', error: serializeError(error) } satisfies FromWorker, undefined, undefined, () =>
      process.exit(),
    );
  });
}

function receive(message: ToWorker): void {
  if (message.type === 'start') {
    worker = new ServingWorker(message.options, message.toolVersion);
    runInOrder(() => worker!.start(message));
  } else if (worker !== null) dispatch(worker.handlers, message);
  else if (message.type === 'ping') send({ type: 'pong', taken: 0, open: 0 });
  else if (message.type === 'drain') process.exit(EXIT.done);
}

function crash(error: unknown): void {
  worker?.fatal(error);
  process.exit(EXIT.bug);
}

process.on('message', (message) => receive(message as ToWorker));
send({ type: 'hello' });
// Without its primary, the worker would continue to answer from an old version.
process.on('disconnect', () => process.exit(EXIT.done));
// Terminals and init systems signal the whole process group. The primary decides what to do.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('uncaughtException', crash);
process.on('unhandledRejection', crash);
