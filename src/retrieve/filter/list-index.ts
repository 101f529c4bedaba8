/** Columns of lists of texts or integers: scans of the items at first, then postings of the items once they pay off. */
import type { AttributeColumn } from '../../version/sealed/attribute-column.js';
import { emptyWords, listMembers, countWords, scatterBits } from './bits.js';
import type { ItemsTest, Test } from './filter-plan.js';
import { buildItemPostings, countItems, ITEM_BYTES, type ItemPostings } from './item-postings.js';
import { itemsOf, scanLists } from './list-scan.js';
import { addPostings } from './postings.js';
import { listedRows, type Rows } from './rows.js';
import { LazyIndex, type LookupResult, type IndexBudget } from './value-index.js';
import type { Meter, Work } from '../../base/work.js';

export class ListIndex extends LazyIndex<ItemPostings> {
  constructor(
    private readonly column: AttributeColumn,
    private readonly budget: IndexBudget,
  ) {
    super();
  }

  scan(tests: readonly Test[], rows: Rows, meter: Meter): Work<Uint32Array[]> {
    return scanLists(this.column, tests, rows, meter);
  }

  protected *find(index: ItemPostings, tests: readonly Test[], meter: Meter): Work<LookupResult[]> {
    const found: LookupResult[] = [];
    for (const test of tests) found.push(yield* this.findLists(index, itemsOf(test), meter));
    return found;
  }

  private *findLists({ codeOf, postings }: ItemPostings, test: ItemsTest, meter: Meter): Work<LookupResult> {
    const codes = new Set<number>();
    let isMissing = test.never;
    for (const value of test.values) {
      const code = codeOf(value);
      if (code >= 0) codes.add(code);
      else isMissing = true;
      if (meter.spend(500)) yield;
    }
    const countOf = (code: number) => postings.starts[code + 1]! - postings.starts[code]!;
    if (!test.all) {
      const atMost = [...codes].reduce((sum, code) => sum + countOf(code), 0);
      return { atMost, select: (own) => this.selectCodes(postings, codes, own) };
    }
    if (isMissing) return { atMost: 0, select: (own) => this.selectCodes(postings, [], own) };
    const rarest = [...codes].reduce((a, b) => (countOf(b) < countOf(a) ? b : a));
    return { atMost: countOf(rarest), select: (own) => this.selectAll(postings, rarest, test, own) };
  }

  private *selectCodes(postings: ItemPostings['postings'], codes: Iterable<number>, meter: Meter): Work<Uint32Array> {
    const words = emptyWords(this.column.count);
    yield* addPostings(words, postings, codes, meter);
    return words;
  }

  /** Selects the lists with the rarest item, then tests each. */
  private *selectAll(
    postings: ItemPostings['postings'],
    rarest: number,
    test: ItemsTest,
    meter: Meter,
  ): Work<Uint32Array> {
    const candidates = yield* this.selectCodes(postings, [rarest], meter);
    if (test.values.length === 1) return candidates;
    const list = new Uint32Array(yield* countWords(candidates, meter));
    yield* listMembers(candidates, list, meter);
    const [passing] = yield* this.scan([test], listedRows(list), meter);
    return yield* scatterBits(passing!, list, this.column.count, meter);
  }

  protected *build(): Work<ItemPostings | null> {
    if (!this.budget.reserve(ITEM_BYTES * countItems(this.column))) return null;
    return yield* buildItemPostings(this.column);
  }
}
