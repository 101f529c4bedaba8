/** Metrics of a worker; the primary joins those of all workers (joined-metrics.ts). No label by id or user. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { instructionSetOf } from '../../engine/engines.js';
import { searchTotals } from '../../engine/native/open.js';
import { SHORT_REASONS, type Quality } from '../../wire/answers.js';
import type { Admission } from './admission.js';

/** From an empty request (20 us in the framework) to the time limit. */
const REQUEST_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** From a graph search of a small index (50 us) to an exact search of a large one. */
const SEARCH_BUCKETS = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
];

/** Gauges of prom-client with names of counters. The same numbers exist by type under names without `_total`. */
const MISNAMED_METRICS = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

/** Series that exist from the start, since Prometheus sees an increase only between two values. */
const SEARCH_STATUSES = [200, 500, 503, 504];
const SEARCH_ROUTE = '/v1/indexes/:index/search';

/** Sampling interval of the event loop delay; searches are shorter. */
const DELAY_RESOLUTION_MS = 5;

/** The indexes that are served, and the versions in this process's memory. */
interface WatchedVersions {
  names(): readonly string[];
  loaded(): readonly { readonly index: string; readonly version: string; readonly residentBytes: number }[];
}

export class WorkerMetrics {
  readonly registry = new Registry();
  private readonly requests: Histogram<'route' | 'method' | 'status'>;
  private readonly searches: Histogram<'index' | 'path'>;
  private readonly candidates: Counter<'index'>;
  private readonly short: Counter<'index' | 'reason'>;
  private readonly overloads: Counter;
  private indexes: () => readonly string[] = () => [];

  constructor() {
    const registers = [this.registry];
    this.requests = new Histogram({
      name: 'shortlist_http_request_duration_seconds',
      help: 'Time from the arrival of the headers to the last byte of the answer',
      labelNames: ['route', 'method', 'status'],
      buckets: REQUEST_BUCKETS,
      registers,
    });
    for (const status of SEARCH_STATUSES) this.requests.zero({ route: SEARCH_ROUTE, method: 'POST', status });
    this.searches = new Histogram({
      name: 'shortlist_search_duration_seconds',
      help: 'Time of the search of one query, without waiting, reading and writing',
      labelNames: ['index', 'path'],
      buckets: SEARCH_BUCKETS,
      registers,
    });
    this.candidates = new Counter({
      name: 'shortlist_candidates_returned_total',
      help: 'Candidates returned in answers',
      labelNames: ['index'],
      registers,
      collect: () => this.indexes().forEach((index) => this.candidates.inc({ index }, 0)),
    });
    this.short = new Counter({
      name: 'shortlist_short_answers_total',
      help: 'Answers with fewer than k candidates, by reason',
      labelNames: ['index', 'reason'],
      registers,
      collect: () =>
        this.indexes().forEach((index) => SHORT_REASONS.forEach((reason) => this.short.inc({ index, reason }, 0))),
    });
    this.overloads = new Counter({
      name: 'shortlist_overloaded_total',
      help: 'Requests refused because the worker was overloaded',
      registers,
    });
    this.describeEngine();
    collectDefaultMetrics({ register: this.registry });
    for (const name of MISNAMED_METRICS) this.registry.removeSingleMetric(name);
    this.measureEventLoop();
  }

  requestDone(route: string, method: string, status: number, seconds: number): void {
    this.requests.observe({ route, method, status }, seconds);
  }

  searchDone(index: string, quality: Quality, candidates: number, seconds: number): void {
    this.searches.observe({ index, path: quality.path }, seconds);
    this.candidates.inc({ index }, candidates);
    if (quality.short !== null) this.short.inc({ index, reason: quality.short });
  }

  refused(requests: number): void {
    this.overloads.inc(requests);
  }

  /** Adds gauges that are read from the worker's state at collection. */
  watch(live: WatchedVersions, admission: Admission): void {
    this.indexes = () => live.names();
    this.addGauge('shortlist_requests_in_flight', 'Searches and item requests in flight', () => admission.inFlight);
    this.addGauge('shortlist_buffered_bytes', 'Memory of request bodies and answers', () => admission.bufferedBytes);
    new Gauge({
      name: 'shortlist_resident_bytes',
      help: 'Memory of the loaded versions in all workers',
      labelNames: ['index', 'version'],
      registers: [this.registry],
      aggregator: 'sum',
      collect() {
        this.reset();
        for (const { index, version, residentBytes } of live.loaded()) this.set({ index, version }, residentBytes);
      },
    });
  }

  /** The instruction set of the native engine, and the work of its searches in this process over all versions. */
  private describeEngine(): void {
    new Gauge({
      name: 'shortlist_engine_info',
      help: 'Instruction set that the native engine uses on this machine: `avx512`, `avx2` or `generic`; always 1',
      labelNames: ['engine', 'isa'],
      registers: [this.registry],
      aggregator: 'max',
      collect() {
        const isa = instructionSetOf('native');
        if (isa !== null) this.set({ engine: 'native', isa }, 1);
      },
    });
    this.countSearchWork(
      'shortlist_graph_nodes_visited_total',
      'Graph nodes expanded by searches of the native engine',
      () => searchTotals.visited,
    );
    this.countSearchWork(
      'shortlist_graph_distances_total',
      'Distances computed by graph searches of the native engine. Divide it by the number of searches to get the cost of a search',
      () => searchTotals.computed,
    );
  }

  private addGauge(name: string, help: string, read: () => number): void {
    const registers = [this.registry];
    const gauge: Gauge = new Gauge({ name, help, registers, aggregator: 'sum', collect: () => gauge.set(read()) });
  }

  private countSearchWork(name: string, help: string, total: () => number): void {
    let counted = 0;
    new Counter({
      name,
      help,
      registers: [this.registry],
      collect() {
        const now = total();
        this.inc(now - counted);
        counted = now;
      },
    });
  }

  private measureEventLoop(): void {
    const delays = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
    delays.enable();
    new Gauge({
      name: 'shortlist_event_loop_delay_seconds',
      help: 'Delay of timers since /metrics was last read, of the slowest worker',
      labelNames: ['percentile'],
      registers: [this.registry],
      aggregator: 'max',
      collect() {
        const seconds = (nanoseconds: number) =>
          Number.isFinite(nanoseconds) ? Math.max(0, nanoseconds / 1e9 - DELAY_RESOLUTION_MS / 1e3) : 0;
        this.set({ percentile: '50' }, seconds(delays.percentile(50)));
        this.set({ percentile: '99' }, seconds(delays.percentile(99)));
        this.set({ percentile: '100' }, seconds(delays.max));
        delays.reset();
      },
    });
  }
}
