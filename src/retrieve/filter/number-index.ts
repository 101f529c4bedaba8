/** Columns of numbers, dates and timestamps: scans of the values at first, then sorted rows once they pay off. */
import type { AttributeColumn } from '../../version/sealed/attribute-column.js';
import { addOrdinals, emptyWords } from './bits.js';
import type { Test } from './filter-plan.js';
import { scanNumbers } from './number-scan.js';
import { findRanges, listPresent, sortByNumber } from './row-order.js';
import type { Rows } from './rows.js';
import { LazyIndex, throwUnsupported, type LookupResult, type IndexBudget } from './value-index.js';
import type { Meter, Work } from '../../base/work.js';

export class NumberIndex extends LazyIndex<Uint32Array> {
  constructor(
    private readonly column: AttributeColumn,
    private readonly presence: () => Work<Uint32Array | null>,
    private readonly budget: IndexBudget,
  ) {
    super();
  }

  scan(tests: readonly Test[], rows: Rows, meter: Meter): Work<Uint32Array[]> {
    return scanNumbers(this.column, tests, rows, meter);
  }

  protected *find(sorted: Uint32Array, tests: readonly Test[], meter: Meter): Work<LookupResult[]> {
    const found: LookupResult[] = [];
    for (const test of tests) found.push(yield* this.findRows(sorted, test, meter));
    return found;
  }

  private *findRows(sorted: Uint32Array, test: Test, meter: Meter): Work<LookupResult> {
    const { column } = this;
    if (test.kind !== 'numbers' && test.kind !== 'integers') return throwUnsupported(test);
    const ranges = yield* findRanges(column, sorted, test.intervals, meter);
    const atMost = ranges.reduce((sum, { from, to }) => sum + to - from, 0);
    const select = function* (own: Meter): Work<Uint32Array> {
      // A scan costs about as much as setting the bits of half of the rows one by one.
      if (atMost > column.count / 2) {
        return (yield* scanNumbers(column, [test], { count: column.count, list: null }, own))[0]!;
      }
      const words = emptyWords(column.count);
      for (const { from, to } of ranges) yield* addOrdinals(words, sorted, from, to, own);
      return words;
    };
    return { atMost, select };
  }

  protected *build(): Work<Uint32Array | null> {
    if (!this.budget.reserve(4 * this.column.count)) return null;
    const rows = yield* listPresent(this.column.count, yield* this.presence());
    return yield* sortByNumber(this.column, rows);
  }
}
