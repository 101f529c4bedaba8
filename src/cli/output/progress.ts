/**
 * Progress on stderr: at a terminal a bar with rate and time left, redrawn in place; elsewhere a line every few
 * seconds.
 *
 * Written by hand, since cli-progress writes its bars into log files too, without timestamps.
 */
import type { WriteStream } from 'node:tty';
import { writeLines } from './log-line.js';

const BAR_WIDTH = 16;
const REDRAW_MS = 100;
const LINE_EVERY_MS = 5_000;

/** process.stderr, or a substitute in tests. */
interface ProgressStream {
  write(text: string): boolean;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

interface Stage {
  readonly name: string;
  readonly startedMs: number;
  readonly firstDone: number;
}

export class Progress {
  private stage: Stage | null = null;
  private shownMs = 0;
  private isDrawn = false;
  /** The stage that has finished, so that its end is printed once. */
  private ended: string | null = null;

  constructor(
    private readonly stream: ProgressStream | WriteStream,
    private readonly enabled: boolean,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** @param total null if it is not known @param unit of the counts, plural: `rows` */
  update(name: string, done: number, total: number | null, unit: string): void {
    const isDone = total !== null && done >= total;
    if (!this.enabled || (name === this.ended && isDone)) return;
    if (this.stage?.name !== name) this.start(name, done);
    const dueMs = this.stream.isTTY === true ? REDRAW_MS : LINE_EVERY_MS;
    if (this.now() - this.shownMs < dueMs && !isDone) return;
    this.shownMs = this.now();
    this.show(done, total, unit);
    this.ended = isDone ? name : null;
  }

  /** Ends the current stage, so that the next output begins on a new line. */
  finish(): void {
    if (this.isDrawn) this.stream.write('\n');
    this.isDrawn = false;
    this.stage = null;
  }

  private start(name: string, done: number): void {
    this.finish();
    this.stage = { name, startedMs: this.now(), firstDone: done };
    this.shownMs = this.stream.isTTY === true ? 0 : this.now();
  }

  private show(done: number, total: number | null, unit: string): void {
    const { name, startedMs, firstDone } = this.stage!;
    const seconds = Math.max(0.001, (this.now() - startedMs) / 1000);
    const rate = (done - firstDone) / seconds;
    const amount = unit === 'bytes' ? formatBytes : formatShort;
    // A rate over less than a tenth of a second is meaningless.
    const speed = seconds >= 0.1 ? `  ${amount(rate)}/s` : '';
    const units = unit === 'bytes' ? '' : ` ${unit}`;
    if (total === null) this.write(name, '', `${amount(done)}${units}${speed}  ${formatDuration(seconds)}`, false);
    else {
      const left = done >= total ? formatDuration(seconds) : rate > 0 ? `${formatDuration((total - done) / rate)} left` : ''; // prettier-ignore
      const share = total > 0 ? Math.min(1, done / total) : 1;
      const bar = '█'.repeat(Math.round(share * BAR_WIDTH)).padEnd(BAR_WIDTH, '░');
      const percent = `${String(Math.floor(share * 100)).padStart(3)}%`;
      const counts = `${percent}  ${amount(done)}/${amount(total)}${units}${speed}  ${left}`;
      this.write(name, `${bar} `, counts, done >= total);
    }
  }

  private write(name: string, bar: string, counts: string, isDone: boolean): void {
    if (this.stream.isTTY === true) {
      const line = `${name.padEnd(9)} ${bar}${counts}`;
      this.stream.write(`\r\x1b[2K${line.slice(0, (this.stream.columns ?? 120) - 1)}`);
      this.isDrawn = true;
      if (isDone) this.finish();
    } else {
      writeLines(this.stream, `${name}: ${counts.trim()}`);
    }
  }
}

export function formatCount(value: number): string {
  return value.toLocaleString('en-US');
}

/** Three digits: 7, 0.4, 12.5k, 1.5M. A progress line must fit into 80 columns. */
function formatShort(value: number): string {
  if (value >= 999_500) return `${(value / 1e6).toPrecision(3)}M`;
  if (value >= 10_000) return `${(value / 1e3).toPrecision(3)}k`;
  return value < 10 && !Number.isInteger(value) ? value.toFixed(1) : formatCount(Math.round(value));
}

export function formatDuration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 100) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `1 row`, `2,000 rows`. */
export function formatPlural(count: number, singular: string, plural = `${singular}s`): string {
  return `${formatCount(count)} ${count === 1 ? singular : plural}`;
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${Math.round(bytes)} B` : `${value.toFixed(value < 10 ? 2 : 1)} ${BYTE_UNITS[unit]!}`;
}
