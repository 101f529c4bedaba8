/** Columns of numbers, dates and timestamps: passes over the values, and the sorted rows once they pay. */
import type { AttributeColumn } from '../../version/attribute-column.js';
import { addOrdinals, emptyWords } from './bits.js';
import type { Test } from './filter-plan.js';
import { contains } from './intervals.js';
import { scanIntegers, scanNumbers } from './number-scan.js';
import { findStretches, listPresent, numberAt, sortByNumber, type Stretch } from './row-order.js';
import { SCANS_BEFORE_SORTING, unfit, type IndexBudget, type ValueIndex } from './value-index.js';
import { runAtOnce, type Work } from './work.js';

export class NumberIndex implements ValueIndex {
  private sorted: Uint32Array | null = null;
  private scans = 0;
  private isPrepared = false;
  private readonly found = new WeakMap<Test, readonly Stretch[]>();

  constructor(
    private readonly column: AttributeColumn,
    private readonly presence: () => Uint32Array | null,
    private readonly budget: IndexBudget,
  ) {}

  estimate(test: Test): number | null {
    if (this.sorted === null) return null;
    return this.stretches(test).reduce((sum, { from, to }) => sum + to - from, 0);
  }

  select(test: Test): Uint32Array {
    const words = emptyWords(this.column.count);
    if (!this.isPrepared && ++this.scans > SCANS_BEFORE_SORTING) runAtOnce(this.prepare());
    // A pass costs about as much as setting the bits of half of the rows one by one.
    if (this.sorted !== null && this.estimate(test)! <= this.column.count / 2) {
      for (const { from, to } of this.stretches(test)) addOrdinals(words, this.sorted, from, to);
    } else if (test.kind === 'numbers') scanNumbers(this.column, test.intervals, words);
    else if (test.kind === 'integers') scanIntegers(this.column, test.intervals, words);
    else unfit(test);
    return words;
  }

  matcher(test: Test): (ordinal: number) => boolean {
    const { column } = this;
    if (test.kind === 'numbers') return (ordinal) => contains(test.intervals, numberAt(column, ordinal) as number);
    if (test.kind === 'integers') return (ordinal) => contains(test.intervals, numberAt(column, ordinal) as bigint);
    return unfit(test);
  }

  *prepare(): Work<void> {
    if (this.isPrepared) return;
    this.isPrepared = true;
    if (!this.budget.take(4 * this.column.count)) return;
    const rows = yield* listPresent(this.column.count, this.presence());
    this.sorted = yield* sortByNumber(this.column, rows);
  }

  private stretches(test: Test): readonly Stretch[] {
    const known = this.found.get(test);
    if (known !== undefined) return known;
    const stretches = this.findStretches(test);
    this.found.set(test, stretches);
    return stretches;
  }

  private findStretches(test: Test): Stretch[] {
    const { column, sorted } = this;
    if (test.kind === 'numbers') {
      return findStretches(sorted!, (ordinal) => numberAt(column, ordinal) as number, test.intervals);
    }
    if (test.kind === 'integers') {
      return findStretches(sorted!, (ordinal) => numberAt(column, ordinal) as bigint, test.intervals);
    }
    return unfit(test);
  }
}
