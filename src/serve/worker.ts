/**
 * One worker process: the script that the primary forks. It loads what the primary tells it to, answers requests, and has
 * no will of its own: it never reads CURRENT, and it ends when the primary does.
 */
import type { FastifyInstance } from 'fastify';
import { EXIT, ShortlistError, serializeError } from '../base/errors.js';
import { instructionSetOf } from '../engine/engines.js';
import { openExactSearch } from '../engine/exact/exact-search.js';
import { findCalibration } from '../retrieve/calibration.js';
import { LiveIndexes, namedVersions, type Names } from '../retrieve/live.js';
import { Admission } from './admission.js';
import { buildApp } from './app.js';
import { takeSnapshot } from './joined-metrics.js';
import { createLogger, type Logger } from './logger.js';
import type { FromWorker, ToWorker } from './messages.js';
import { withoutVersions } from './names.js';
import type { ServeOptions } from './options.js';
import { listenError } from './ports.js';
import { PendingRequests } from './requests.js';
import { Scheduler } from './scheduler.js';
import { WorkerMetrics } from './worker-metrics.js';

/** Longer than the primary waits for the slowest worker's numbers. */
const METRICS_TIMEOUT_MS = 3_000;

/** Connections that wait to be taken while the event loop is busy; the kernel caps it at its own limit. */
const BACKLOG = 1_024;

/** How often connections that have become idle are closed while draining. */
const IDLE_SWEEP_MS = 50;

type Start = Extract<ToWorker, { type: 'start' }>;

class ServingWorker {
  private readonly pages = new PendingRequests<string>();
  private readonly metrics = new WorkerMetrics();
  private readonly live: LiveIndexes;
  private readonly log: Logger;
  private app: FastifyInstance | null = null;
  private draining = false;
  private expected: readonly string[] = [];

  constructor(private readonly options: ServeOptions) {
    this.log = createLogger(options, 'worker');
    this.live = new LiveIndexes(options.root);
  }

  async start({ toolVersion, state, expected }: Start): Promise<void> {
    this.expect(expected);
    this.log.info({ engine: 'native', isa: instructionSetOf('native') }, 'worker starts');
    for (const [index, names] of Object.entries(state)) await this.apply(index, names);
    const { maxInFlight, maxBuffered, exactThreads, root } = this.options;
    const admission = new Admission(maxInFlight, maxBuffered, () => this.metrics.refused());
    this.metrics.watch(this.live, admission);
    const context = {
      options: this.options,
      live: this.live,
      pool: openExactSearch(exactThreads),
      scheduler: new Scheduler(),
      admission,
      metrics: this.metrics,
      log: this.log,
      calibrationOf: async (index: string, version: string) =>
        (await findCalibration(root, index, version)).calibration,
      joinedMetrics: () =>
        this.pages.ask('collecting metrics', METRICS_TIMEOUT_MS, (id) => tell({ type: 'metrics', id })),
      isDraining: () => this.draining,
      expected: () => this.expected,
    };
    this.app = await buildApp(context, toolVersion);
    await this.app.ready();
    tell({ type: 'started' });
  }

  listen(): Promise<void> {
    const { server } = this.app!;
    const { host, port } = this.options;
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => reject(listenError(host, port, error));
      server.once('error', fail);
      server.listen({ host, port, backlog: BACKLOG }, () => {
        server.off('error', fail);
        const bound = server.address();
        const address = typeof bound === 'object' && bound !== null ? bound : { address: host, port };
        tell({ type: 'listening', address: address.address, port: address.port });
        resolve();
      });
    });
  }

  async prepare(id: number, index: string, version: string): Promise<void> {
    try {
      await this.live.prepare(index, version);
      tell({ type: 'prepared', id, error: null });
    } catch (error) {
      tell({ type: 'prepared', id, error: serializeError(error) });
    }
  }

  discard(index: string, version: string): void {
    this.live.discard(index, version);
  }

  /**
   * Answers from these names. Most often they are loaded; a worker that started meanwhile may have missed a `prepare`. What
   * cannot be loaded is told and left out, for neither other indexes nor other names of this one may suffer for it.
   */
  async apply(index: string, names: Names): Promise<void> {
    const unloaded = new Set<string>();
    for (const version of namedVersions(names)) {
      try {
        await this.live.prepare(index, version);
      } catch (error) {
        unloaded.add(version);
        tell({ type: 'unloaded', index, version, error: serializeError(error) });
      }
    }
    this.live.apply(index, withoutVersions(names, unloaded));
  }

  expect(indexes: readonly string[]): void {
    this.expected = indexes;
  }

  unready(): void {
    this.draining = true;
  }

  /** In-flight requests finish, for as long as the limit allows; then the process ends. */
  drain(): void {
    this.draining = true;
    const server = this.app?.server;
    if (server === undefined || !server.listening) process.exit(EXIT.done);
    // Right after the event loop has read what had arrived: a connection whose request lies unread in the kernel looks idle, and
    // to close it would reset that request. `close` closes idle connections too.
    setImmediate(() => server.close(() => process.exit(EXIT.done)));
    setInterval(() => setImmediate(() => server.closeIdleConnections()), IDLE_SWEEP_MS);
    setTimeout(() => {
      this.log.warn('requests were still in flight when the drain timeout passed');
      process.exit(EXIT.done);
    }, this.options.drainTimeoutMs);
  }

  async measure(id: number): Promise<void> {
    tell({ type: 'measured', id, snapshot: await takeSnapshot(this.metrics.registry) });
  }

  page(id: number, text: string): void {
    this.pages.answer(id, text);
  }

  fatal(error: unknown): void {
    this.log.fatal({ err: error }, 'the worker failed');
  }
}

function tell(message: FromWorker): void {
  // The channel is gone when the primary is, and then so is this process, by the handler below.
  if (process.connected) process.send!(message, undefined, undefined, () => undefined);
}

let worker: ServingWorker | null = null;
let order: Promise<void> = Promise.resolve();

/** Runs what changes the worker's state one after the other. A failure here leaves a state that nobody asked for: the worker ends. */
function inOrder(step: () => Promise<void> | void): void {
  order = order.then(step).catch((error: unknown) => {
    process.exitCode = error instanceof ShortlistError ? error.exit : EXIT.bug;
    worker?.fatal(error);
    process.send!({ type: 'failed', error: serializeError(error) } satisfies FromWorker, undefined, undefined, () =>
      process.exit(),
    );
  });
}

function receive(message: ToWorker): void {
  switch (message.type) {
    case 'start':
      worker = new ServingWorker(message.options);
      inOrder(() => worker!.start(message));
      return;
    case 'listen':
      inOrder(() => worker!.listen());
      return;
    case 'prepare':
      inOrder(() => worker!.prepare(message.id, message.index, message.version));
      return;
    case 'discard':
      inOrder(() => worker!.discard(message.index, message.version));
      return;
    case 'apply':
      inOrder(() => worker!.apply(message.index, message.names));
      return;
    case 'expect':
      worker?.expect(message.indexes);
      return;
    case 'unready':
      worker?.unready();
      return;
    case 'drain':
      if (worker === null) process.exit(EXIT.done);
      worker.drain();
      return;
    case 'measure':
      void worker?.measure(message.id);
      return;
    case 'page':
      worker?.page(message.id, message.text);
  }
}

function crash(error: unknown): void {
  worker?.fatal(error);
  process.exit(EXIT.bug);
}

process.on('message', (message) => receive(message as ToWorker));
tell({ type: 'hello' });
// Without its primary nobody tells it what to serve: it must not go on answering from an old version.
process.on('disconnect', () => process.exit(EXIT.done));
// A terminal and an init system signal the whole group. The primary decides what follows.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('uncaughtException', crash);
process.on('unhandledRejection', crash);
