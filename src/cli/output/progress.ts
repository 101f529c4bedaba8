/**
 * Progress on stderr: rate, time left and memory. At a terminal a bar, redrawn in place; elsewhere a line every few
 * seconds.
 *
 * Written by hand, since cli-progress writes its bars into log files too, without timestamps.
 */
import type { WriteStream } from 'node:tty';
import { writeLine, type LineForm } from './log-line.js';
import { formatBytes } from '../../base/byte-size.js';
import { formatNumber } from '../../base/number-text.js';

export { formatBytes };

const BAR_WIDTH = 10;
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
    private readonly form: LineForm = 'text',
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
    const { startedMs, firstDone } = this.stage!;
    const seconds = Math.max(0.001, (this.now() - startedMs) / 1000);
    // A rate over less than a tenth of a second is meaningless.
    const rate = seconds < 0.1 ? null : (done - firstDone) / seconds;
    const left = total === null || done >= total || rate === null || rate <= 0 ? null : (total - done) / rate;
    const state = { done, total, unit, rate, seconds, left };
    if (this.stream.isTTY === true) this.redraw(state);
    else this.writeLine(state);
  }

  private redraw(state: State): void {
    const { done, total } = state;
    const filled = total === null ? 0 : Math.round(shareOf(done, total) * BAR_WIDTH);
    const bar = total === null ? '' : `${'█'.repeat(filled).padEnd(BAR_WIDTH, '░')} `;
    const line = `${this.stage!.name.padEnd(9)} ${bar}${describe(state)}`;
    const room = (this.stream.columns ?? 120) - 1;
    const memory = `  ${describeMemory()}`;
    this.stream.write(`\r\x1b[2K${line.length + memory.length <= room ? line + memory : line.slice(0, room)}`);
    this.isDrawn = true;
    if (total !== null && done >= total) this.finish();
  }

  private writeLine(state: State): void {
    const { name } = this.stage!;
    const { done, total, unit, rate, seconds, left } = state;
    const round = (value: number | null) => (value === null ? null : Math.round(value * 10) / 10);
    const members = { stage: name, done, total, unit, rate: round(rate), seconds: round(seconds), eta_seconds: round(left), rss_bytes: process.memoryUsage.rss() }; // prettier-ignore
    const text = `${name}: ${describe(state).trim()}${this.form === 'text' ? `  ${describeMemory()}` : ''}`;
    writeLine(this.stream, this.form, { level: 'info', text, members });
  }
}

/** A moment of a stage. */
interface State {
  readonly done: number;
  /** Null if it is not known. */
  readonly total: number | null;
  readonly unit: string;
  /** Per second; null if it is not known yet. */
  readonly rate: number | null;
  /** Since the stage began. */
  readonly seconds: number;
  /** Seconds until its end; null if that is not known. */
  readonly left: number | null;
}

/** Share, counts, rate, and the time left; at the end, the time it took. */
function describe({ done, total, unit, rate, seconds, left }: State): string {
  const amount = unit === 'bytes' ? formatBytes : formatShort;
  const speed = rate === null ? '' : `  ${amount(rate)}/s`;
  const units = unit === 'bytes' ? '' : ` ${unit}`;
  if (total === null) return `${amount(done)}${units}${speed}  ${formatDuration(seconds)}`;
  const time = done >= total ? formatDuration(seconds) : left === null ? '' : `${formatDuration(left)} left`;
  const percent = `${String(Math.floor(shareOf(done, total) * 100)).padStart(3)}%`;
  return `${percent}  ${amount(done)}/${amount(total)}${units}${speed}  ${time}`;
}

function shareOf(done: number, total: number): number {
  return total > 0 ? Math.min(1, done / total) : 1;
}

/** Memory of this process, mapped files included. */
function describeMemory(): string {
  return `memory ${formatBytes(process.memoryUsage.rss())}`;
}

export function formatCount(value: number): string {
  return formatNumber(value, 0);
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
