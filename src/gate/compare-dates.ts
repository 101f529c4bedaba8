/**
 * Compares the dates of an attribute with those of the live version, as distributions: dates that are all equal, that
 * are years off, or that lie in 1970 since milliseconds were read as microseconds. Takes columns of dates and
 * timestamps; adds the checks `date_shift` and `date_repeats`.
 */
import type { ColumnType } from '../arrow/column.js';
import type { EventLoopYielder } from '../base/event-loop-yielder.js';
import { sampleDistinct } from '../base/random.js';
import type { AttributeColumn } from '../version/sealed/attribute-column.js';
import { chanceOfDifference } from './chance.js';
import { mostRepeated, quantile } from './compare-numbers.js';
import type { Report } from './report.js';

const SAMPLE = 20_000;
const SEED = 42;
const ROWS_PER_STEP = 1_000;
/** Fewer dates say nothing. */
const MIN_DATES = 50;
/** The ends are left out: a few dates may be wrong. */
const QUANTILES = [0.05, 0.5, 0.95];

interface ColumnPair {
  readonly name: string;
  readonly fresh: AttributeColumn;
  readonly live: AttributeColumn;
}

export async function compareDates(
  columns: readonly ColumnPair[],
  report: Report,
  turns: EventLoopYielder,
): Promise<void> {
  const shifts: { value: number; detail: string }[] = [];
  const repeats: { value: number; live: number; chance: number; detail: string }[] = [];
  for (const { name, fresh, live } of columns) {
    const perDay = unitsPerDay(fresh.field.type);
    if (perDay === null) continue;
    const [days, oldDays] = [await sampleDays(fresh, perDay, turns), await sampleDays(live, perDay, turns)];
    // One date in all rows is that of the night.
    if (Math.min(days.length, oldDays.length) < MIN_DATES || oldDays[0] === oldDays.at(-1)) continue;
    const moves = QUANTILES.map((share) => Math.abs(quantile(days, share) - quantile(oldDays, share)));
    const median = (of: Float64Array): string => dayText(quantile(of, 0.5));
    shifts.push({ value: Math.max(...moves), detail: `${name}: median ${median(days)}, in the live version ${median(oldDays)}` }); // prettier-ignore
    const [most, old] = [mostRepeated(days)!, mostRepeated(oldDays)!];
    const chance = chanceOfDifference(most.share, days.length, old.share, oldDays.length);
    repeats.push({ value: most.share, live: old.share, chance, detail: `${name} = ${dayText(most.number)}` });
  }
  const [shift] = shifts.sort((a, b) => b.value - a.value);
  if (shift !== undefined) report.add('date_shift', shift);
  const [repeat] = repeats.sort((a, b) => b.value - b.live - b.chance - (a.value - a.live - a.chance));
  if (repeat !== undefined) report.add('date_repeats', repeat);
}

const SECONDS_PER_DAY = 86_400;
const PER_SECOND = { s: 1, ms: 1e3, us: 1e6, ns: 1e9 } as const;

/** Null for other types. */
function unitsPerDay(type: ColumnType): number | null {
  if (type.kind === 'timestamp') return SECONDS_PER_DAY * PER_SECOND[type.unit];
  if (type.kind === 'date') return type.unit === 'day' ? 1 : SECONDS_PER_DAY * PER_SECOND.ms;
  return null;
}

/** Days since 1970 of sampled rows, ascending. */
async function sampleDays(column: AttributeColumn, perDay: number, turns: EventLoopYielder): Promise<Float64Array> {
  const days: number[] = [];
  for (const [i, ordinal] of sampleDistinct(column.count, SAMPLE, SEED).entries()) {
    const position = column.positionOf(ordinal);
    const { column: chunk, first } = column.chunks[column.chunkOf(position)]!;
    const row = position - first;
    if (chunk.shape === 'numbers' && chunk.valid?.[row] !== 0) days.push(Number(chunk.values[row]!) / perDay);
    if (i % ROWS_PER_STEP === 0) await turns.yieldIfDue();
  }
  return Float64Array.from(days).sort();
}

/** Years that a Date cannot hold are told as days. */
function dayText(day: number): string {
  const date = new Date(Math.floor(day) * SECONDS_PER_DAY * PER_SECOND.ms);
  return Number.isNaN(date.getTime()) ? `day ${Math.floor(day)}` : date.toISOString().split('T', 1)[0]!;
}
