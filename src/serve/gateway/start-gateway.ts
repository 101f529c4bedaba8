/**
 * The gateway: one process that answers the same HTTP as a server, from servers that hold shards. It has no workers: a
 * request costs it a fraction of a search, and several gateways behind a load balancer need nothing of each other.
 */
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { EXIT, ShortlistError, errnoOf } from '../../base/errors.js';
import { TOOL_VERSION } from '../../base/tool-version.js';
import { createLogger, type Logger } from '../channel/logger.js';
import { TimeSlicer } from '../request/time-slicer.js';
import { Admission } from '../worker/admission.js';
import { buildApp } from '../worker/app.js';
import type { AppContext } from '../worker/context.js';
import { WorkerMetrics } from '../worker/worker-metrics.js';
import { Discovery } from './discovery.js';
import { Fleet } from './fleet.js';
import { GatewayBackend } from './gateway-backend.js';
import { GatewayMetrics } from './gateway-metrics.js';
import type { GatewayOptions } from './gateway-options.js';

/** How often idle connections are closed while draining. */
const IDLE_SWEEP_MS = 50;

/**
 * Resolves when the gateway has stopped.
 * @param releaseSignals removes the caller's signal handlers; if it throws, so does the gateway
 * @throws usage without addresses; io_error if it cannot listen
 */
export async function startGateway(options: GatewayOptions, releaseSignals: () => void): Promise<void> {
  if (options.leaves.length === 0) {
    const message =
      'no servers are named; give their addresses as --leaves, such as --leaves shards-0:8080 shards-1:8080';
    throw new ShortlistError('usage', message, { option: '--leaves' });
  }
  const gateway = new Gateway(options);
  gateway.handleSignals();
  releaseSignals();
  await gateway.run();
}

class Gateway {
  private readonly log: Logger;
  private readonly fleet: Fleet;
  private readonly metrics = new WorkerMetrics();
  private readonly admission: Admission;
  private app: FastifyInstance | null = null;
  private isDraining = false;
  private finish: () => void = () => undefined;
  private readonly finished = new Promise<void>((resolve) => (this.finish = resolve));

  constructor(private readonly options: GatewayOptions) {
    this.log = createLogger(options, 'gateway');
    const { maxInFlight, maxBuffered, leaves, index } = options;
    this.admission = new Admission(maxInFlight, maxBuffered, () => this.metrics.refused(1));
    const metrics = new GatewayMetrics(this.metrics.registry);
    this.fleet = new Fleet(new Discovery(leaves, this.log), index, metrics, this.log);
    this.metrics.watch(this.fleet, this.admission);
    metrics.watch(this.fleet);
  }

  async run(): Promise<void> {
    this.log.info({ leaves: this.options.leaves, indexes: this.options.index }, 'starting');
    await this.fleet.start();
    if (!this.isDraining) await this.listen();
    await this.finished;
  }

  handleSignals(): void {
    for (const [signal, number] of [['SIGHUP', 1], ['SIGINT', 2], ['SIGTERM', 15]] as const) {
      process.on(signal, () => {
        if (this.isDraining) process.exit(128 + number);
        void this.stop(signal);
      });
    } // prettier-ignore
    process.on('uncaughtException', (error) => {
      this.log.fatal({ err: error }, 'the gateway failed');
      process.exit(EXIT.bug);
    });
  }

  private async listen(): Promise<void> {
    const { host, port, keepAliveTimeoutMs } = this.options;
    const app = await buildApp(this.makeContext(), TOOL_VERSION);
    this.app = app;
    // A connection without a request is idle, however long ago it was opened.
    app.server.on('connection', (socket) => socket.setTimeout(keepAliveTimeoutMs));
    try {
      await app.listen({ host, port });
    } catch (error) {
      this.fleet.stop();
      const problem = errnoOf(error) ?? (error as Error).message;
      throw new ShortlistError('io_error', `cannot listen on ${host}:${port} (${problem}); choose another --port`, { errno: errnoOf(error) }); // prettier-ignore
    }
    const { address, port: bound } = app.server.address() as AddressInfo;
    const indexes = this.fleet.names().map((index) => ({ index, version: this.fleet.namesOf(index).current }));
    this.log.info({ address, port: bound, indexes }, 'listening');
  }

  private makeContext(): AppContext {
    const { metrics, log, admission, options } = this;
    const slicer = new TimeSlicer();
    const observer = { metrics, log, admission };
    return {
      options,
      backend: new GatewayBackend(this.fleet, slicer, options.requestTimeoutMs),
      slicer,
      guard: { admits: () => true, refuse: () => undefined }, // admission is the only limit
      requestEnded: () => undefined,
      observerOf: () => observer,
      joinedMetrics: () => metrics.registry.metrics(),
      isDraining: () => this.isDraining,
      expected: () => [],
    };
  }

  /** First /readyz returns 503; after the delay no connections are accepted; then requests in flight finish. */
  private async stop(signal: string): Promise<void> {
    this.isDraining = true;
    const { drainDelayMs, drainTimeoutMs } = this.options;
    const delayMs = signal === 'SIGTERM' ? drainDelayMs : 0; // only SIGTERM comes from an orchestrator
    this.log.info({ signal, delay_ms: delayMs, timeout_ms: drainTimeoutMs }, 'draining');
    await new Promise((resolve) => setTimeout(resolve, this.app === null ? 0 : delayMs));
    await this.closeConnections(drainTimeoutMs);
    this.fleet.stop();
    this.log.info('stopped');
    this.finish();
  }

  private closeConnections(timeoutMs: number): Promise<void> {
    const server = this.app?.server;
    if (server === undefined) return Promise.resolve();
    const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
    const timer = setTimeout(() => server.closeAllConnections(), timeoutMs);
    return new Promise((resolve) => {
      server.close(() => {
        clearInterval(sweep);
        clearTimeout(timer);
        resolve();
      });
      server.closeIdleConnections();
    });
  }
}
