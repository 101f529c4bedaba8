/**
 * The metrics of all processes as one page. Each worker's registry comes as JSON; prom-client joins them by each
 * metric's aggregator. What dead workers had counted is kept, as of their last collection, so that counters never
 * fall.
 */
import { AggregatorRegistry, Registry, type MetricObjectWithValues, type MetricValue } from 'prom-client';

/** A registry as JSON, which crosses processes. */
export type MetricsSnapshot = MetricObjectWithValues<MetricValue<string>>[];

export async function takeSnapshot(registry: Registry): Promise<MetricsSnapshot> {
  return registry.getMetricsAsJSON();
}

export class JoinedMetrics {
  private readonly latest = new Map<number, MetricsSnapshot>();
  private retired: MetricsSnapshot = [];
  /** Workers are retired one after the other: each adds to what the one before has left. */
  private retiring: Promise<void> = Promise.resolve();

  /** Keeps what a worker last said. */
  update(worker: number, snapshot: MetricsSnapshot): void {
    this.latest.set(worker, snapshot);
  }

  /** A worker is gone: its counts stay, its gauges go. */
  retire(worker: number): Promise<void> {
    this.retiring = this.retiring.then(() => this.moveCounts(worker));
    return this.retiring;
  }

  private async moveCounts(worker: number): Promise<void> {
    const counts = (this.latest.get(worker) ?? []).filter((metric) => isCount(metric));
    const retired = await takeSnapshot(join([this.retired, counts]));
    // In one step: a page has a worker's counts once, never twice or not at all.
    this.latest.delete(worker);
    this.retired = retired;
  }

  /** The page that Prometheus reads. @param own the registry of the process that joins */
  async render(own: Registry): Promise<string> {
    await this.retiring;
    return join([await takeSnapshot(own), this.retired, ...this.latest.values()]).metrics();
  }
}

export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

function isCount(metric: MetricObjectWithValues<MetricValue<string>>): boolean {
  const type = String(metric.type);
  return type === 'counter' || type === 'histogram';
}

function join(snapshots: readonly MetricsSnapshot[]): Registry {
  return AggregatorRegistry.aggregate(snapshots.filter((snapshot) => snapshot.length > 0));
}
