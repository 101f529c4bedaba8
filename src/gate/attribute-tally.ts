/**
 * What an attribute holds, in numbers: how many rows have a value, the mean of numbers, and how many rows have each
 * value if there are few different ones. One pass over the column; a column with many different values is given up
 * after some thousand rows.
 */
import type { Column } from '../arrow/column.js';
import type { EventLoopYielder } from '../base/event-loop-yielder.js';
import type { AttributeColumn } from '../version/sealed/attribute-column.js';

/** More different values are not categories. */
const MAX_CATEGORIES = 1_000;

/** Integers with more different values are quantities, not categories. */
const MAX_INTEGER_CATEGORIES = 100;

export interface AttributeTally {
  readonly rows: number;
  /** Rows with a value. */
  readonly filled: number;
  /** Of numbers: their mean and standard deviation. Null for other types. */
  readonly numbers: { readonly mean: number; readonly deviation: number } | null;
  /** Rows by value, lists counted under each item; null if there are too many values, or values are dates. */
  readonly counts: ReadonlyMap<string, number> | null;
}

const ROWS_PER_STEP = 20_000;

export async function tallyAttribute(column: AttributeColumn, turns: EventLoopYielder): Promise<AttributeTally> {
  const tally = new Tally(column);
  for (const { column: chunk, firstOrdinal } of column.chunks) {
    for (let from = 0; from < chunk.rows; from += ROWS_PER_STEP) {
      tally.add(chunk, firstOrdinal, from, Math.min(chunk.rows, from + ROWS_PER_STEP));
      await turns.yieldIfDue();
    }
  }
  return tally.result();
}

class Tally {
  private filled = 0;
  private counts: Map<string, number> | null;
  private readonly maxCategories: number;
  private readonly isNumeric: boolean;
  private sum = 0;
  private squares = 0;
  /** The first number: sums are taken relative to it, so that large numbers close together keep their spread. */
  private origin: number | null = null;

  constructor(private readonly column: AttributeColumn) {
    const { type } = column.field;
    this.isNumeric = type.kind === 'int' || type.kind === 'float';
    const isCategorical = type.kind === 'utf8' || type.kind === 'bool' || type.kind === 'int' || (type.kind === 'list' && type.item.kind === 'utf8'); // prettier-ignore
    this.counts = isCategorical ? new Map() : null;
    this.maxCategories = type.kind === 'int' ? MAX_INTEGER_CATEGORIES : MAX_CATEGORIES;
  }

  add(chunk: Column, firstOrdinal: number, from: number, to: number): void {
    if (this.isNumeric && chunk.shape === 'numbers') this.addNumbers(chunk, from, to);
    else for (let row = from; row < to; row++) if (hasValue(chunk, row)) this.filled++;
    for (let row = from; row < to && this.counts !== null; row++) {
      if (!hasValue(chunk, row)) continue;
      const value = this.column.value(firstOrdinal + row);
      if (Array.isArray(value)) for (const item of new Set(value)) this.count(String(item));
      else this.count(String(value));
    }
  }

  private count(value: string): void {
    const { counts } = this;
    if (counts === null) return;
    counts.set(value, (counts.get(value) ?? 0) + 1);
    if (counts.size > this.maxCategories || DATE.test(value)) this.counts = null;
  }

  private addNumbers({ values, valid }: Column & { readonly shape: 'numbers' }, from: number, to: number): void {
    for (let row = from; row < to; row++) {
      if (valid !== null && valid[row] === 0) continue;
      const value = Number(values[row]!);
      if (!Number.isFinite(value)) continue; // NaN is a missing value
      this.filled++;
      this.origin ??= value;
      const offset = value - this.origin;
      this.sum += offset;
      this.squares += offset * offset;
    }
  }

  result(): AttributeTally {
    const { filled, sum, squares, origin } = this;
    const mean = sum / filled;
    const deviation = Math.sqrt(Math.max(0, squares / filled - mean * mean));
    return {
      rows: this.column.count,
      filled,
      numbers: origin === null ? null : { mean: origin + mean, deviation },
      counts: this.counts,
    };
  }
}

function hasValue({ valid }: Column, row: number): boolean {
  return valid === null || valid[row] === 1;
}

/** A date as text: rows by date shift every night. */
const DATE = /^\d{4}-\d\d-\d\d/;
