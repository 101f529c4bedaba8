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
import { LazyIndex, type LookupResult, type IndexBudget } from './value-index.js';
import type { Meter, Work } from '../../base/work.js';

export class TextIndex extends LazyIndex<CodedTexts | HashedTexts> {
  constructor(
    private readonly column: AttributeColumn,
    private readonly presence: () => Work<Uint32Array | null>,
    private readonly budget: IndexBudget,
  ) {
    super();
  }

  scan(tests: readonly Test[], rows: Rows, meter: Meter): Work<Uint32Array[]> {
    return scanTexts(this.column, tests, rows, meter);
  }

  protected find(index: CodedTexts | HashedTexts, tests: readonly Test[], meter: Meter): Work<(LookupResult | null)[]> {
    return index.lookUp(tests, meter);
  }

  protected *build(): Work<CodedTexts | HashedTexts | null> {
    const { column, budget } = this;
    if (!budget.reserve(HASHED_BYTES * column.count)) return null;
    const chunks = [...chunksOf(column, 'strings')].map(({ chunk }) => chunk);
    const dictionary = yield* buildDictionary(chunks, column.count);
    if (dictionary !== null) return yield* CodedTexts.ofRows(dictionary);
    return yield* HashedTexts.build(column, yield* this.presence());
  }
}
