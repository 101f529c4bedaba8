/** Columns of lists of texts: passes over the items, and postings of the items once they pay. */
import type { Column } from '../../arrow/column.js';
import type { AttributeColumn } from '../../version/attribute-column.js';
import { emptyWords } from './bits.js';
import { chunksOf } from './column-blocks.js';
import type { Test } from './filter-plan.js';
import { addPostings, buildPostings, type Postings } from './postings.js';
import { buildDictionary, type TextDictionary, type Texts } from './text-dictionary.js';
import { hashTexts, scanEqual } from './text-scan.js';
import { SCANS_BEFORE_SORTING, unfit, type IndexBudget, type ValueIndex } from './value-index.js';
import { runAtOnce, type Work } from './work.js';

type Lists = Column & { readonly shape: 'lists' };

export class ListIndex implements ValueIndex {
  private index: { readonly items: TextDictionary; readonly postings: Postings } | null = null;
  private scans = 0;
  /** Whether an index was tried: where the items are too many for one, it is not tried again. */
  private isPrepared = false;

  constructor(
    private readonly column: AttributeColumn,
    private readonly budget: IndexBudget,
  ) {}

  /** Upper bound: a list may have an item twice. */
  estimate(test: Test): number | null {
    if (this.index === null) return null;
    const { items } = this.index;
    const code = items.codeOf.get(itemOf(test));
    return code === undefined ? 0 : items.counts[code]!;
  }

  select(test: Test): Uint32Array {
    if (!this.isPrepared && ++this.scans > SCANS_BEFORE_SORTING) runAtOnce(this.prepare());
    const words = emptyWords(this.column.count);
    if (this.index === null) this.scan(itemOf(test), words);
    else {
      const code = this.index.items.codeOf.get(itemOf(test));
      if (code !== undefined) addPostings(words, this.index.postings, [code]);
    }
    return words;
  }

  matcher(test: Test): (ordinal: number) => boolean {
    const item = itemOf(test);
    return (ordinal) => (this.column.value(ordinal) as readonly string[]).includes(item);
  }

  *prepare(): Work<void> {
    if (this.isPrepared) return;
    this.isPrepared = true;
    const lists = [...chunksOf(this.column, 'lists')];
    const size = lists.reduce((sum, { chunk }) => sum + itemsOf(chunk).rows, 0);
    if (!this.budget.take(4 * size)) return;
    const items = yield* buildDictionary(
      lists.map(({ chunk }) => itemsOf(chunk)),
      size,
    );
    if (items === null) return;
    const ordinals = new Uint32Array(size);
    let position = 0;
    for (const { firstOrdinal, chunk } of lists) {
      for (let row = 0; row < chunk.rows; row++) {
        ordinals.fill(firstOrdinal + row, position + chunk.offsets[row]!, position + chunk.offsets[row + 1]!);
      }
      position += itemsOf(chunk).rows;
      yield;
    }
    const postings = yield* buildPostings(items.codes, items.counts, ordinals);
    this.index = { items: { ...items, codes: new Uint16Array(0) }, postings };
  }

  private scan(item: string, words: Uint32Array): void {
    const wanted = hashTexts([item]);
    for (const { firstOrdinal, chunk } of chunksOf(this.column, 'lists')) {
      const { valid } = itemsOf(chunk);
      let row = 0;
      scanEqual(itemsOf(chunk), wanted, (position) => {
        if (valid !== null && valid[position] === 0) return;
        while (chunk.offsets[row + 1]! <= position) row++;
        words[(firstOrdinal + row) >>> 5]! |= 1 << ((firstOrdinal + row) & 31);
      });
    }
  }
}

function itemsOf({ items }: Lists): Texts {
  if (items.shape !== 'strings') throw new TypeError(`attributes have no lists of ${items.shape}`);
  return items;
}

function itemOf(test: Test): string {
  return test.kind === 'item' ? test.text : unfit(test);
}
