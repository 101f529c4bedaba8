/**
 * The query server: a primary process and N workers.
 *
 * `startServer` resolves when the server has stopped, and rejects with a coded error if it could not start. The primary
 * answers no requests: it distributes connections, decides which versions are live and replaces workers.
 */
import { statSync } from 'node:fs';
import { TOOL_VERSION } from '../../base/tool-version.js';
import { EXIT, ShortlistError, errnoOf, ioError } from '../../base/errors.js';
import { requireIndex } from '../../version/state/catalog.js';
import { ensureDirectory } from '../../version/disk/durable.js';
import { nodeFiles } from '../../version/disk/files.js';
import { Acceptor } from './acceptor.js';
import { JoinedMetrics } from '../channel/joined-metrics.js';
import { createLogger, type Logger } from '../channel/logger.js';
import type { ServeOptions } from '../channel/options.js';
import { DamageWatch } from './damage-watch.js';
import { reservePort } from './ports.js';
import type { Manifest } from '../../version/sealed/manifest.js';
import { PrimaryMetrics, type IndexFacts } from './primary-metrics.js';
import { Rollout } from './rollout.js';
import type { Source } from './source.js';
import { VerifiedVersions } from './verified-versions.js';
import { Watcher, type Observation } from './watcher.js';
import { WorkerPool } from './worker-pool.js';

/** Deaths per worker before the first request: more than a temporary lack of memory explains. */
const MAX_DEATHS_AT_START = 3;

/**
 * @param ignoredVariables not meant for this server; logged
 * @param releaseSignals removes the caller's signal handlers; if it throws, so does the server
 * @throws usage, index_not_found, io_error, and the load error if no other version can be served
 */
export async function startServer(
  given: ServeOptions,
  ignoredVariables: readonly string[],
  releaseSignals: () => void,
): Promise<void> {
  if (given.source !== '') await ensureDirectory(given.root, nodeFiles);
  checkRoot(given);
  if (given.source === '') await requireIndexes(given);
  const options = { ...given, port: await reservePort(given.host, given.port) };
  await new Primary(options, ignoredVariables).run(releaseSignals);
}

function checkRoot({ root }: ServeOptions): void {
  let isFolder: boolean;
  try {
    isFolder = statSync(root).isDirectory();
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw ioError('open', root, error);
    throw new ShortlistError(
      'index_not_found',
      `the root ${root} does not exist; give the folder of the indexes as --root`,
      { file: root },
    );
  }
  if (!isFolder)
    throw new ShortlistError('io_error', `the root ${root} is not a folder; give the folder of the indexes as --root`, {
      file: root,
    });
}

async function requireIndexes({ root, index }: ServeOptions): Promise<void> {
  for (const name of index) await requireIndex(root, name, nodeFiles);
}

class Primary {
  private readonly log: Logger;
  private readonly metrics: PrimaryMetrics;
  private readonly joined = new JoinedMetrics();
  private readonly pool: WorkerPool;
  private readonly rollout: Rollout;
  private readonly watcher: Watcher;
  private readonly acceptor: Acceptor;
  /** The bound address; null before the server listens. */
  private listening: { readonly address: string; readonly port: number } | null = null;
  private readonly damage: DamageWatch;
  /** Null without --source, and until it is opened. */
  private source: Source | null = null;
  /** Indexes published when the server started, and still: it is not ready without them. */
  private expected: readonly string[] = [];
  private reconciling = false;
  private announced = false;
  private deathsAtStart = 0;
  private stopping = false;
  private completion: { resolve: () => void; reject: (error: unknown) => void } | null = null;

  constructor(
    private readonly options: ServeOptions,
    private readonly ignoredVariables: readonly string[],
  ) {
    this.log = createLogger(options, 'primary');
    this.metrics = new PrimaryMetrics(() => this.facts());
    this.watcher = new Watcher(options.root, options.index, () => void this.reconcile());
    this.pool = new WorkerPool(options, TOOL_VERSION, this.log, {
      waitUntilVerified: () => this.damage.waitUntilVerified(),
      state: (worker) => this.rollout.stateFor(worker),
      expected: () => this.expected,
      restarted: () => this.handleRestart(),
      renderMetrics: () => this.renderMetrics(),
      measured: (worker, snapshot) => this.joined.update(worker, snapshot),
      signalled: (pid, signal) => this.damage.handleSignal(pid, signal),
      gone: (worker) => {
        void this.joined.retire(worker);
        this.rollout.handleGone(worker);
      },
      unloaded: (worker, index, version, error) => this.rollout.handleUnloaded(worker, index, version, error),
      inRotation: () => this.handleInRotation(),
      failed: (error) => this.handleFailedWorker(error),
    });
    this.acceptor = new Acceptor(() => this.pool.targets());
    const { metrics, log, pool } = this;
    const verified = new VerifiedVersions(options.root, options.shards);
    const rollout = new Rollout({ options, pool, metrics, verified, log });
    this.rollout = rollout;
    const { root, shards, scrubRate } = options;
    const damageTools = { root, shards, scrubRate, verified, metrics, log };
    this.damage = new DamageWatch(damageTools, rollout, () => pool.count('listening'));
  }

  /** Resolves when the server has stopped. */
  run(releaseSignals: () => void): Promise<void> {
    const ended = new Promise<void>((resolve, reject) => {
      this.completion = { resolve, reject };
    });
    this.handleSignals();
    releaseSignals(); // only now: Node drops a pending signal that has no handler
    this.start().catch((error: unknown) => this.fail(error));
    return ended;
  }

  private async start(): Promise<void> {
    const { options, log } = this;
    log.info(
      { root: options.root, workers: options.workers, indexes: options.index, memory_limit: options.memoryLimit },
      'starting',
    );
    if (this.ignoredVariables.length > 0)
      log.info({ variables: this.ignoredVariables }, 'ignoring variables of a Kubernetes Service');
    const sourceFailure = await this.followSource();
    if (this.isStopping()) return;
    this.pool.start();
    await this.watcher.poll();
    this.expect(publishedIndexes(this.watcher.latest));
    await this.reconcile();
    if (this.stopping) return;
    this.requireServedVersion(sourceFailure);
    this.listening = await this.acceptor.listen(options.host, options.port);
    this.announce();
    this.watcher.start();
    this.damage.start();
    this.source?.start();
  }

  /** A signal may have come during an await. */
  private isStopping(): boolean {
    return this.stopping;
  }

  /** Brings what the source publishes into the root. @returns why it could not; what the root has is then served */
  private async followSource(): Promise<ShortlistError | null> {
    const { options, metrics, log } = this;
    if (options.source === '') return null;
    const isInUse = (index: string, version: string): boolean =>
      this.rollout.served().some((served) => served.index === index && served.version === version);
    const { Source: Follower } = await import('./source.js');
    this.source = await Follower.open(options.source, { options, metrics, log, isInUse });
    const failure = await this.source.begin();
    if (this.isStopping()) return null;
    await requireIndexes(options).catch((error: unknown) => {
      throw failure ?? error;
    });
    return failure;
  }

  private handleInRotation(): void {
    this.announce();
    this.acceptor.wake();
  }

  /** If no version can be served, the failure of the source or the first of a load is the error of the start. */
  private requireServedVersion(sourceFailure: ShortlistError | null): void {
    const serves = Object.values(this.rollout.state).some(({ current }) => current !== null);
    const failure = sourceFailure ?? this.rollout.standingFailures[0] ?? null;
    if (!serves && failure !== null) throw failure;
  }

  private expect(indexes: readonly string[]): void {
    this.expected = indexes;
    this.pool.broadcast({ type: 'expect', indexes });
  }

  private async reconcile(): Promise<void> {
    if (this.reconciling || this.stopping) return;
    this.reconciling = true;
    const published = publishedIndexes(this.watcher.latest);
    const expected = this.expected.filter((index) => published.includes(index));
    if (expected.length < this.expected.length) this.expect(expected);
    try {
      await this.rollout.reconcile(() => this.watcher.latest);
    } finally {
      this.reconciling = false;
    }
  }

  private announce(): void {
    if (this.announced || this.listening === null || this.pool.count('listening') < this.options.workers) return;
    this.announced = true;
    const { address, port } = this.listening;
    const live = Object.entries(this.rollout.state).map(([index, { current }]) => ({ index, version: current }));
    this.log.info(
      { address, port, workers: this.options.workers, indexes: live, worker_pids: this.pool.pids() },
      'listening',
    );
  }

  /** During the start, the failure of a worker is that of the server; later the worker is replaced. */
  private handleFailedWorker(error: ShortlistError): void {
    if (this.announced) this.log.error({ code: error.code, error: error.message }, 'a worker could not start');
    else this.fail(error);
  }

  /** Workers that die before the server ever listened would do so forever. */
  private handleRestart(): void {
    this.metrics.restarted();
    if (this.announced || ++this.deathsAtStart <= MAX_DEATHS_AT_START * this.options.workers) return;
    this.fail(
      new ShortlistError(
        'internal',
        'workers died before they could serve; their exit codes or signals are in the log',
      ),
    );
  }

  private async renderMetrics(): Promise<string> {
    await this.pool.measure();
    return this.joined.render(this.metrics.registry);
  }

  private facts() {
    const state = this.rollout.state;
    return {
      watched: [...this.watcher.latest.keys()],
      indexes: Object.keys(state).map((index) => this.indexFacts(index)),
      workers: {
        standby: this.pool.standbyCount(),
        starting: this.pool.count('booting', 'starting'),
        listening: this.pool.count('listening'),
      },
      memoryLimitBytes: this.options.memoryLimit,
    };
  }

  private indexFacts(index: string): IndexFacts {
    const manifest = this.rollout.liveManifest(index);
    const published = this.watcher.latest.get(index)?.names?.current ?? null;
    const live = manifest === null ? null : this.liveFacts(index, manifest);
    return {
      index,
      live,
      upToDate: published === (live?.version ?? null),
      fault: this.rollout.state[index]?.fault ?? null,
      newestBuiltAt: this.watcher.newestBuiltAt(index),
    };
  }

  private liveFacts(index: string, manifest: Manifest): NonNullable<IndexFacts['live']> {
    const builtAt = Date.parse(manifest.created_at) / 1000;
    const contentSince = this.rollout.liveContentSince(index) ?? builtAt;
    return { version: manifest.version, engine: manifest.engine.name, builtAt, contentSince };
  }

  private handleSignals(): void {
    for (const [signal, number] of [
      ['SIGHUP', 1],
      ['SIGINT', 2],
      ['SIGTERM', 15],
    ] as const) {
      process.on(signal, () => {
        if (this.stopping) this.abort(128 + number);
        else void this.stop(signal);
      });
    }
    // Workers end when their primary does.
    process.on('uncaughtException', (error) => {
      this.log.fatal({ err: error }, 'the primary failed');
      this.abort(EXIT.bug);
    });
  }

  /** First /readyz returns 503; after the delay no connections are accepted; then requests in flight finish. */
  private async stop(signal: string): Promise<void> {
    this.stopping = true;
    const { drainDelayMs, drainTimeoutMs } = this.options;
    const delayMs = signal === 'SIGTERM' ? drainDelayMs : 0; // only SIGTERM comes from an orchestrator, whose balancers need time
    this.log.info({ signal, delay_ms: delayMs, timeout_ms: drainTimeoutMs }, 'draining');
    this.watcher.stop();
    this.damage.stop();
    const sourceStopped = this.source?.stop();
    this.pool.unready();
    if (this.announced) await new Promise((resolve) => setTimeout(resolve, delayMs));
    this.acceptor.close();
    await this.pool.drain();
    await sourceStopped;
    this.log.info('stopped');
    this.completion?.resolve();
  }

  private fail(error: unknown): void {
    this.stopping = true;
    this.watcher.stop();
    this.damage.stop();
    void this.source?.stop();
    this.pool.kill();
    this.completion?.reject(error);
  }

  private abort(exit: number): void {
    this.pool.kill();
    process.exit(exit);
  }
}

/** Indexes that should answer, including those whose CURRENT cannot be read. */
function publishedIndexes(latest: Watcher['latest']): string[] {
  const isPublished = ({ names, error }: Observation) => error !== null || names?.current != null;
  return [...latest].flatMap(([index, observation]) => (isPublished(observation) ? [index] : []));
}
