/**
 * Joins the metrics of all processes into one page. Workers send their registries as JSON; prom-client joins them by
 * the aggregator of each metric. The counts of dead workers are kept, so that counters never fall.
 */
import { AggregatorRegistry, Registry, type MetricObjectWithValues, type MetricValue } from 'prom-client';

/** A registry as JSON, which can be sent between processes. */
export type MetricsSnapshot = MetricObjectWithValues<MetricValue<string>>[];

export async function takeSnapshot(registry: Registry): Promise<MetricsSnapshot> {
  return registry.getMetricsAsJSON();
}

export class JoinedMetrics {
  private readonly latest = new Map<number, MetricsSnapshot>();
  private retired: MetricsSnapshot = [];
  /** Workers are retired one after the other, since each adds to the result of the one before. */
  private retiring: Promise<void> = Promise.resolve();

  update(worker: number, snapshot: MetricsSnapshot): void {
    this.latest.set(worker, snapshot);
  }

  /** A worker is gone: its counts are kept, its gauges removed. */
  retire(worker: number): Promise<void> {
    this.retiring = this.retiring.then(() => this.moveCounts(worker));
    return this.retiring;
  }

  private async moveCounts(worker: number): Promise<void> {
    const counts = (this.latest.get(worker) ?? []).filter((metric) => isCount(metric));
    const retired = await takeSnapshot(join([this.retired, counts]));
    // In one step, so that every page has the counts of the worker exactly once.
    this.latest.delete(worker);
    this.retired = retired;
  }

  /** The page for Prometheus. @param own registry of this process */
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
