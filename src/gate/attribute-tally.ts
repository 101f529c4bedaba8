/**
 * What an attribute holds, in numbers: how many rows have a value, how many have each value if there are few different
 * ones, and a sorted sample of numbers. One pass over the column; counting the values of a column with many different
 * ones is given up after some thousand rows.
 */
import type { Column } from '../arrow/column.js';
import type { EventLoopYielder } from '../base/event-loop-yielder.js';
import { sampleDistinct } from '../base/random.js';
import type { AttributeColumn } from '../version/sealed/attribute-column.js';

/** More different values are not categories. */
const MAX_CATEGORIES = 1_000;

/** Integers with more different values are quantities, not categories. */
const MAX_INTEGER_CATEGORIES = 100;

/** Rows whose numbers are compared: the standard error of a share is at most 0.4 %. */
const SAMPLE = 20_000;
const SEED = 42;

export interface AttributeTally {
  readonly rows: number;
  /** Rows with a value. NaN, empty texts and empty lists are none. */
  readonly filled: number;
  /** Null for other types. */
  readonly numbers: NumberTally | null;
  /** Rows by value, lists counted under each item; null if there are too many values, or values are dates. */
  readonly counts: ReadonlyMap<string, number> | null;
}

interface NumberTally {
  /** Rows with another number than 0. */
  readonly nonzero: number;
  /** The numbers of sampled rows, ascending. */
  readonly sample: Float64Array;
}

const ROWS_PER_STEP = 20_000;

export async function tallyAttribute(column: AttributeColumn, turns: EventLoopYielder): Promise<AttributeTally> {
  const tally = new Tally(column);
  for (const { column: chunk, first } of column.chunks) {
    for (let from = 0; from < chunk.rows; from += ROWS_PER_STEP) {
      tally.add(chunk, first, from, Math.min(chunk.rows, from + ROWS_PER_STEP));
      await turns.yieldIfDue();
    }
  }
  return tally.result();
}

class Tally {
  private filled = 0;
  private nonzero = 0;
  private counts: Map<string, number> | null;
  private readonly maxCategories: number;
  private readonly isNumeric: boolean;

  constructor(private readonly column: AttributeColumn) {
    const { type } = column.field;
    this.isNumeric = type.kind === 'int' || type.kind === 'float';
    const isCategorical = type.kind === 'utf8' || type.kind === 'bool' || type.kind === 'int' || (type.kind === 'list' && type.item.kind === 'utf8'); // prettier-ignore
    this.counts = isCategorical ? new Map() : null;
    this.maxCategories = type.kind === 'int' ? MAX_INTEGER_CATEGORIES : MAX_CATEGORIES;
  }

  add(chunk: Column, first: number, from: number, to: number): void {
    if (this.isNumeric && chunk.shape === 'numbers') this.addNumbers(chunk, from, to);
    else for (let row = from; row < to; row++) if (isFilled(chunk, row)) this.filled++;
    for (let row = from; row < to && this.counts !== null; row++) {
      if (isNull(chunk, row)) continue;
      const value = this.column.valueAt(first + row);
      if (Array.isArray(value)) for (const item of new Set(value)) this.count(String(item));
      else this.count(String(value));
    }
  }

  private count(value: string): void {
    const { counts } = this;
    if (counts === null) return;
    counts.set(value, (counts.get(value) ?? 0) + 1);
    if (counts.size > this.maxCategories || isDateText(value)) this.counts = null;
  }

  private addNumbers(chunk: Column & { readonly shape: 'numbers' }, from: number, to: number): void {
    for (let row = from; row < to; row++) {
      const value = Number(chunk.values[row]!);
      if (isNull(chunk, row) || !Number.isFinite(value)) continue; // NaN is a missing value
      this.filled++;
      if (value !== 0) this.nonzero++;
    }
  }

  result(): AttributeTally {
    const { filled, nonzero, counts, column } = this;
    const numbers = this.isNumeric ? { nonzero, sample: sampleNumbers(column) } : null;
    return { rows: column.count, filled, numbers, counts };
  }
}

function sampleNumbers(column: AttributeColumn): Float64Array {
  const numbers: number[] = [];
  for (const ordinal of sampleDistinct(column.count, SAMPLE, SEED)) {
    const value = column.value(ordinal);
    if (value !== null && Number.isFinite(Number(value))) numbers.push(Number(value));
  }
  return Float64Array.from(numbers).sort();
}

function isNull({ valid }: Column, row: number): boolean {
  return valid !== null && valid[row] === 0;
}

/** An empty text or list says as little as null, and is what some writers make of null. */
function isFilled(column: Column, row: number): boolean {
  if (isNull(column, row)) return false;
  return !('offsets' in column) || column.offsets[row + 1]! > column.offsets[row]!;
}

/** A date as text: rows by date shift every night. */
const DATE = /^\d{4}-\d\d-\d\d/;

export function isDateText(value: unknown): boolean {
  return typeof value === 'string' && DATE.test(value);
}
