/** Metrics of the primary: versions, switches and workers. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ErrorCode } from '../../base/errors.js';
import type { IndexFault } from '../../retrieve/load/live.js';

/** From a small index in the page cache to one of many gigabytes. */
const SWITCH_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

/** Codes of load failures. Their counters exist from the start: Prometheus sees an increase only between two values. */
const LOAD_FAILURE_CODES: readonly ErrorCode[] = [
  'manifest_corrupt', 'format_unsupported', 'file_missing', 'file_unexpected', 'file_corrupt', 'state_corrupt', 'version_not_found',
  'insufficient_memory', 'io_error', 'deadline_exceeded', 'internal',
]; // prettier-ignore

const SOURCE_FAILURE_CODES: readonly ErrorCode[] = [
  'store_unavailable', 'store_refused', 'version_not_found', 'manifest_corrupt', 'file_missing', 'file_corrupt', 'state_corrupt', 'disk_full',
]; // prettier-ignore

/** State of a served index when metrics are collected. Times are seconds since 1970. */
export interface IndexFacts {
  readonly index: string;
  readonly live: {
    readonly version: string;
    readonly engine: string;
    readonly builtAt: number;
    /** When the version's content was first published: earlier than `builtAt` if a rebuild brought nothing new. */
    readonly contentSince: number;
  } | null;
  /** The published version answers. */
  readonly upToDate: boolean;
  /** Why it does not; null if it does, or is being loaded. */
  readonly fault: IndexFault | null;
  readonly newestBuiltAt: number | null;
}

interface PrimaryFacts {
  /** All indexes to serve, including those without a loaded version. */
  readonly watched: readonly string[];
  readonly indexes: readonly IndexFacts[];
  readonly workers: Readonly<Record<'standby' | 'starting' | 'listening', number>>;
  readonly memoryLimitBytes: number;
}

type ReadGauge = (facts: IndexFacts) => { value: number; labels?: Record<string, string> } | null;

export class PrimaryMetrics {
  readonly registry = new Registry();
  private readonly loads: Counter<'index'>;
  private readonly loadFailures: Counter<'index' | 'code'>;
  private readonly switches: Histogram<'index'>;
  private readonly restarts: Counter;
  private readonly scrubbedBytes: Counter;
  private readonly scrubFailures: Counter<'index'>;
  private readonly scrubTimes: Gauge<'index'>;
  private readonly sourceUp: Gauge<'source'>;
  private readonly sourceTimes: Gauge<'source'>;
  private readonly sourceFailures: Counter<'code'>;
  private readonly pulledBytes: Counter<'index'>;

  constructor(facts: () => PrimaryFacts) {
    const registers = [this.registry];
    const perIndex = () => facts().watched.map((index) => ({ index }));
    this.loads = this.addCounter('shortlist_loads_total', 'Versions that all workers have loaded', ['index'], perIndex);
    this.loadFailures = this.addCounter(
      'shortlist_load_failures_total',
      'Versions that could not be verified or loaded, by error code; the previous version stayed live',
      ['index', 'code'],
      () => perIndex().flatMap((labels) => LOAD_FAILURE_CODES.map((code) => ({ ...labels, code }))),
    );
    this.switches = new Histogram({
      name: 'shortlist_switch_duration_seconds',
      help: 'Time from detecting a published version to answering from it',
      labelNames: ['index'],
      buckets: SWITCH_BUCKETS,
      registers,
    });
    this.restarts = this.addCounter('shortlist_worker_restarts_total', 'Workers that died and were replaced');
    this.scrubbedBytes = this.addCounter(
      'shortlist_scrub_bytes_total',
      'Bytes of served versions that the scrub compared with their checksums',
    );
    this.scrubFailures = this.addCounter(
      'shortlist_scrub_failures_total',
      'Number of times that the scrub found a served version to differ from its checksums',
      ['index'],
      perIndex,
    );
    this.scrubTimes = new Gauge({
      name: 'shortlist_scrub_last_finished_timestamp_seconds',
      help: 'Time when all files of a served version last matched their checksums',
      labelNames: ['index'],
      registers,
    });
    this.sourceUp = new Gauge({
      name: 'shortlist_source_up',
      help: '1 if everything that the source publishes is here as of the last look, else 0; what is served stays',
      labelNames: ['source'],
      registers,
    });
    this.sourceTimes = new Gauge({
      name: 'shortlist_source_last_success_timestamp_seconds',
      help: 'Time of the last look after which everything that the source publishes was here',
      labelNames: ['source'],
      registers,
    });
    this.sourceFailures = this.addCounter(
      'shortlist_source_failures_total',
      'Failures of looks at the source and of pulls from it, by error code',
      ['code'],
    );
    this.pulledBytes = this.addCounter(
      'shortlist_source_pulled_bytes_total',
      'Bytes of versions that were transferred from the source',
      ['index'],
      perIndex,
    );
    this.addGauges(facts);
  }

  /** @param isUp whether everything that the source publishes is here */
  sourceChecked(source: string, isUp: boolean): void {
    this.sourceUp.set({ source }, isUp ? 1 : 0);
    if (isUp) this.sourceTimes.set({ source }, Date.now() / 1000);
    for (const code of SOURCE_FAILURE_CODES) this.sourceFailures.inc({ code }, 0);
  }

  sourceFailed(code: ErrorCode): void {
    this.sourceFailures.inc({ code });
  }

  pulled(index: string, bytes: number): void {
    this.pulledBytes.inc({ index }, bytes);
  }

  loaded(index: string): void {
    this.loads.inc({ index });
  }

  loadFailed(index: string, code: ErrorCode): void {
    this.loadFailures.inc({ index, code });
  }

  switched(index: string, seconds: number): void {
    this.switches.observe({ index }, seconds);
  }

  restarted(): void {
    this.restarts.inc();
  }

  scrubbed(bytes: number): void {
    this.scrubbedBytes.inc(bytes);
  }

  scrubFinished(index: string): void {
    this.scrubTimes.set({ index }, Date.now() / 1000);
    this.scrubFailures.inc({ index }, 0); // exists before the first failure
  }

  scrubFailed(index: string): void {
    this.scrubFailures.inc({ index });
  }

  private addGauges(facts: () => PrimaryFacts): void {
    const add = (name: string, help: string, read: ReadGauge, labels: string[] = []) =>
      this.addIndexGauge(name, help, labels, () => facts().indexes, read);
    add(
      'shortlist_live_version_info',
      'The version that answers; always 1',
      ({ live }) => live && { value: 1, labels: { version: live.version, engine: live.engine } },
      ['version', 'engine'],
    );
    add(
      'shortlist_live_version_age_seconds',
      'Time since the version that answers was built',
      ({ live }) => live && { value: Date.now() / 1000 - live.builtAt },
    );
    add(
      'shortlist_live_content_age_seconds',
      'Time since the content of the version that answers was new: a rebuild of the same input does not reset it',
      ({ live }) => live && { value: Date.now() / 1000 - live.contentSince },
    );
    add(
      'shortlist_live_version_timestamp_seconds',
      'Time when the version that answers was built',
      ({ live }) => live && { value: live.builtAt },
    );
    add(
      'shortlist_newest_version_timestamp_seconds',
      'Time when the newest version on disk was built, published or not',
      ({ newestBuiltAt }) => (newestBuiltAt === null ? null : { value: newestBuiltAt }),
    );
    add(
      'shortlist_live_version_is_published',
      '1 if the published version answers, 0 if it is being loaded or could not be loaded',
      ({ upToDate }) => ({ value: upToDate ? 1 : 0 }),
    );
    add(
      'shortlist_index_fault_info',
      'Why the published version does not answer; always 1, absent if nothing is wrong',
      ({ fault }) => fault && { value: 1, labels: { version: fault.version ?? '', code: fault.code } },
      ['version', 'code'],
    );
    new Gauge({
      name: 'shortlist_workers',
      help: 'Workers by state',
      labelNames: ['state'],
      registers: [this.registry],
      collect() {
        for (const [state, count] of Object.entries(facts().workers)) this.set({ state }, count);
      },
    });
    new Gauge({
      name: 'shortlist_memory_limit_bytes',
      help: 'Memory limit for the versions in all workers',
      registers: [this.registry],
      collect() {
        this.set(facts().memoryLimitBytes);
      },
    });
  }

  /** @param known labels that exist before their first event, with the value 0 */
  private addCounter<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[] = [],
    known: () => readonly Record<Label, string>[] = () => [],
  ): Counter<Label> {
    const registers = [this.registry];
    const counter: Counter<Label> = new Counter({
      name,
      help,
      labelNames,
      registers,
      collect: () => known().forEach((labels) => counter.inc(labels, 0)),
    });
    return counter;
  }

  private addIndexGauge(
    name: string,
    help: string,
    labels: string[],
    indexes: () => readonly IndexFacts[],
    read: ReadGauge,
  ): void {
    new Gauge({
      name,
      help,
      labelNames: ['index', ...labels],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const facts of indexes()) {
          const found = read(facts);
          if (found !== null) this.set({ index: facts.index, ...found.labels }, found.value);
        }
      },
    });
  }
}
