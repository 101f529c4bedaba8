/**
 * Columns of texts. At first, passes over the bytes. Once an index pays: of texts that repeat a dictionary with postings;
 * of others the rows sorted by the hash of their text, which serves equality, while the rest stays with passes.
 */
import type { AttributeColumn } from '../../version/attribute-column.js';
import { emptyWords } from './bits.js';
import { chunksOf } from './column-blocks.js';
import { CodedTexts } from './coded-texts.js';
import type { Test } from './filter-plan.js';
import { HashedTexts } from './hashed-texts.js';
import { buildDictionary } from './text-dictionary.js';
import { hashTexts, scanEqual, scanSubstring, scanTextRange } from './text-scan.js';
import { textMatcher } from './text-matcher.js';
import { SCANS_BEFORE_SORTING, unfit, type IndexBudget, type ValueIndex } from './value-index.js';
import { runAtOnce, type Work } from './work.js';

export class TextIndex implements ValueIndex {
  private index: CodedTexts | HashedTexts | null = null;
  private scans = 0;
  private isPrepared = false;

  constructor(
    private readonly column: AttributeColumn,
    private readonly presence: () => Uint32Array | null,
    private readonly budget: IndexBudget,
  ) {}

  estimate(test: Test): number | null {
    return this.index?.estimate(test) ?? null;
  }

  select(test: Test): Uint32Array {
    this.scans += scansFor(test);
    if (!this.isPrepared && this.scans > SCANS_BEFORE_SORTING) runAtOnce(this.prepare());
    return this.index?.select(test) ?? this.scan(test);
  }

  matcher(test: Test): (ordinal: number) => boolean {
    if (this.index !== null) return this.index.matcher(test);
    const passes = textMatcher(test);
    return (ordinal) => passes(this.column.value(ordinal) as string);
  }

  *prepare(): Work<void> {
    const { column, budget } = this;
    if (this.isPrepared) return;
    this.isPrepared = true;
    if (!budget.take(6 * column.count)) return;
    const chunks = [...chunksOf(column, 'strings')].map(({ chunk }) => chunk);
    const dictionary = yield* buildDictionary(chunks, column.count);
    if (dictionary !== null) this.index = yield* CodedTexts.ofRows(dictionary);
    else this.index = yield* HashedTexts.build(column, this.presence());
  }

  private scan(test: Test): Uint32Array {
    const words = emptyWords(this.column.count);
    const wanted = test.kind === 'texts' ? hashTexts(test.values) : null;
    for (const { firstOrdinal, chunk } of chunksOf(this.column, 'strings')) {
      const found = (row: number): void => {
        words[(firstOrdinal + row) >>> 5]! |= 1 << ((firstOrdinal + row) & 31);
      };
      if (wanted !== null) scanEqual(chunk, wanted, found);
      else if (test.kind === 'substring') scanSubstring(chunk, test.text, found);
      else if (test.kind === 'text_range') scanTextRange(chunk, test.low, test.high, found);
      else unfit(test);
    }
    return words;
  }
}

/** What a pass costs in passes over numbers: one text is told apart by its length; several, and ranges, cost an index at once. */
function scansFor(test: Test): number {
  const isQuick = test.kind === 'substring' || (test.kind === 'texts' && test.values.length === 1);
  return isQuick ? 1 : SCANS_BEFORE_SORTING + 1;
}
