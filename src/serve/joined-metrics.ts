/**
 * The metrics of all processes as one page. Each worker's registry comes as JSON; prom-client joins them by each metric's
 * aggregator. What dead workers had counted is kept, as of their last collection, so that counters never fall.
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

  /** Keeps what a worker last said. */
  update(worker: number, snapshot: MetricsSnapshot): void {
    this.latest.set(worker, snapshot);
  }

  /** A worker is gone: its counts stay, its gauges go. */
  async retire(worker: number): Promise<void> {
    const last = this.latest.get(worker);
    if (!this.latest.delete(worker) || last === undefined) return;
    const counts = last.filter((metric) => isCount(metric));
    this.retired = await takeSnapshot(join([this.retired, counts]));
  }

  /** The page that Prometheus reads. @param own the registry of the process that joins */
  async render(own: Registry): Promise<string> {
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
