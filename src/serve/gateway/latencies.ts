/** The 95th percentile of the latest answer times, to decide when an answer is late. */

/** Answer times kept: enough for the percentile, few enough to follow a change within seconds. */
const KEPT = 128;
/** Answers between two computations. */
const RENEW_AFTER = 32;
const FIRST_RENEWAL = 16;

/** Until there are answers. Long for a search, short for a person. */
const UNKNOWN_MS = 200;
/** A timer is no finer. */
const MIN_MS = 2;

export class Latencies {
  private readonly times = new Float64Array(KEPT);
  private count = 0;
  private late = UNKNOWN_MS;

  add(ms: number): void {
    this.times[this.count++ % KEPT] = ms;
    if (this.count % RENEW_AFTER === 0 || this.count === FIRST_RENEWAL) this.renew();
  }

  get lateMs(): number {
    return this.late;
  }

  private renew(): void {
    const sorted = this.times.slice(0, Math.min(this.count, KEPT)).sort();
    this.late = Math.max(MIN_MS, sorted[Math.ceil(0.95 * sorted.length) - 1]!);
  }
}
