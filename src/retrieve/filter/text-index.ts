/**
 * Columns of texts: scans of the bytes at first, then an index once it pays off. Texts that repeat get a dictionary
 * with postings. Others get rows sorted by hash, which answers equality; everything else is still scanned.
 */
import type { AttributeColumn } from '../../version/sealed/attribute-column.js';
import { chunksOf } from './column-blocks.js';
import { CodedTexts } from './coded-texts.js';
import type { Test } from './filter-plan.js';
import { HASHED_BYTES, HashedTexts } from './hashed-texts.js';
import type { Rows } from './rows.js';
import { buildDictionary } from './text-dictionary.js';
import { scanTexts } from './text-scan.js';
import {
  ResumableWork,
  SCANS_BEFORE_SORTING,
  type LookupResult,
  type IndexBudget,
  type ValueIndex,
} from './value-index.js';
import type { Meter, Work } from '../../base/work.js';

export class TextIndex implements ValueIndex {
  private index: CodedTexts | HashedTexts | null = null;
  private scans = 0;
  private readonly indexing = new ResumableWork(() => this.build());

  constructor(
    private readonly column: AttributeColumn,
    private readonly presence: () => Work<Uint32Array | null>,
    private readonly budget: IndexBudget,
  ) {}

  *lookUp(tests: readonly Test[], meter: Meter): Work<(LookupResult | null)[]> {
    for (const test of tests) this.scans += scansFor(test);
    if (this.scans > SCANS_BEFORE_SORTING) yield* this.prepare();
    return this.index === null ? tests.map(() => null) : yield* this.index.lookUp(tests, meter);
  }

  scan(tests: readonly Test[], rows: Rows, meter: Meter): Work<Uint32Array[]> {
    return scanTexts(this.column, tests, rows, meter);
  }

  prepare(): Work<void> {
    return this.indexing.finish();
  }

  private *build(): Work<void> {
    const { column, budget } = this;
    if (!budget.reserve(HASHED_BYTES * column.count)) return;
    const chunks = [...chunksOf(column, 'strings')].map(({ chunk }) => chunk);
    const dictionary = yield* buildDictionary(chunks, column.count);
    if (dictionary !== null) this.index = yield* CodedTexts.ofRows(dictionary);
    else this.index = yield* HashedTexts.build(column, yield* this.presence());
  }
}

/**
 * Cost of a scan in scans of numbers: one text is compared by its length first; several texts, and ranges, justify an
 * index at once.
 */
function scansFor(test: Test): number {
  const isQuick = test.kind === 'substrings' || (test.kind === 'texts' && test.values.length === 1);
  return isQuick ? 1 : SCANS_BEFORE_SORTING + 1;
}
