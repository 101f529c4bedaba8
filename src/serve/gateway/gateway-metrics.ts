/** Metrics of a gateway about the servers behind it. Those of requests are the same as a server's. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { OPERATIONS, type Operation } from '../fleet/message-head.js';
import type { CallObserver } from './replica-group.js';
import type { Fleet } from './fleet.js';

/** From a search of a small shard over a fast network to the time limit. */
const CALL_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const REASONS = ['hedge', 'retry', 'denied'] as const;

export class GatewayMetrics implements CallObserver {
  /** By operation: finding a series by its labels takes as long as counting. */
  private readonly calls: ReadonlyMap<Operation, { observe(seconds: number): void }>;
  private readonly failures: Counter<'operation'>;
  private readonly again: Counter<'reason'>;

  constructor(private readonly registry: Registry) {
    const registers = [registry];
    const calls = new Histogram({
      name: 'shortlist_fleet_call_duration_seconds',
      help: 'Time from a message to a server until its answer, of messages that were answered',
      labelNames: ['operation'],
      buckets: CALL_BUCKETS,
      registers,
    });
    this.calls = new Map(OPERATIONS.map((operation) => [operation, calls.labels(operation)]));
    this.failures = new Counter({
      name: 'shortlist_fleet_call_failures_total',
      help: 'Messages that a server did not answer',
      labelNames: ['operation'],
      registers,
    });
    this.again = new Counter({
      name: 'shortlist_fleet_calls_again_total',
      help: 'Messages sent to a second server since the first was late (`hedge`) or failed (`retry`); `denied`: not sent, since the budget was used up',
      labelNames: ['reason'],
      registers,
    });
    for (const operation of OPERATIONS) this.failures.inc({ operation }, 0);
    for (const reason of REASONS) this.again.inc({ reason }, 0);
  }

  /** Adds gauges that are read from the fleet at collection. */
  watch(fleet: Pick<Fleet, 'counts' | 'names' | 'namesOf'>): void {
    const registers = [this.registry];
    new Gauge({
      name: 'shortlist_fleet_servers',
      help: 'Servers that hold shards, by state: `ready`, `ejected` after failures, or `unreachable`',
      labelNames: ['state'],
      registers,
      collect() {
        for (const [state, count] of Object.entries(fleet.counts())) this.set({ state }, count);
      },
    });
    new Gauge({
      name: 'shortlist_fleet_version_info',
      help: 'The version that answers; always 1',
      labelNames: ['index', 'version'],
      registers,
      collect() {
        this.reset();
        for (const index of fleet.names()) {
          const { current } = fleet.namesOf(index);
          if (current !== null) this.set({ index, version: current }, 1);
        }
      },
    });
  }

  answered(operation: Operation, ms: number): void {
    this.calls.get(operation)!.observe(ms / 1000);
  }

  failed(operation: Operation): void {
    this.failures.inc({ operation });
  }

  sentAgain(reason: (typeof REASONS)[number]): void {
    this.again.inc({ reason });
  }
}
