/** Rows of a column of many texts, sorted by the hash of their text: equality is a binary search for each text. */
import type { AttributeColumn } from '../../version/attribute-column.js';
import type { Column } from '../../arrow/column.js';
import { emptyWords } from './bits.js';
import { chunksOf } from './column-blocks.js';
import type { Test } from './filter-plan.js';
import { listPresent, lowerBound, sortByKeys } from './row-order.js';
import { hashBytes, type Texts } from './text-dictionary.js';
import { textMatcher } from './text-matcher.js';
import { hashTexts, isEqual } from './text-scan.js';
import { SLICE_ROWS, type Work } from './work.js';

export class HashedTexts {
  private readonly found = new WeakMap<Test, readonly number[]>();

  private constructor(
    private readonly column: AttributeColumn,
    private readonly sorted: Uint32Array,
  ) {}

  static *build(column: AttributeColumn, presence: Uint32Array | null): Work<HashedTexts> {
    const hashes = new Uint32Array(column.count);
    for (const { firstOrdinal, chunk } of chunksOf(column, 'strings')) {
      for (let row = 0; row < chunk.rows; row++) {
        hashes[firstOrdinal + row] = hashBytes(chunk.bytes, chunk.offsets[row]!, chunk.offsets[row + 1]!);
        if (row % SLICE_ROWS === SLICE_ROWS - 1) yield;
      }
    }
    const rows = yield* listPresent(column.count, presence);
    return new HashedTexts(column, yield* sortByKeys(rows, hashes));
  }

  /** Rows that pass; null where only a pass over the texts can tell. */
  estimate(test: Test): number | null {
    return test.kind === 'texts' ? this.find(test, test.values).length : null;
  }

  select(test: Test): Uint32Array | null {
    if (test.kind !== 'texts') return null;
    const words = emptyWords(this.column.count);
    for (const ordinal of this.find(test, test.values)) words[ordinal >>> 5]! |= 1 << (ordinal & 31);
    return words;
  }

  matcher(test: Test): (ordinal: number) => boolean {
    const passes = textMatcher(test);
    return (ordinal) => passes(this.column.value(ordinal) as string);
  }

  private find(test: Test, values: readonly string[]): readonly number[] {
    const known = this.found.get(test);
    if (known !== undefined) return known;
    const ordinals: number[] = [];
    for (const [hash, texts] of hashTexts(values)) {
      let at = lowerBound(this.sorted, (ordinal) => this.hashAt(ordinal) < hash);
      for (; at < this.sorted.length && this.hashAt(this.sorted[at]!) === hash; at++) {
        const ordinal = this.sorted[at]!;
        if (texts.some((text) => this.isTextAt(ordinal, text))) ordinals.push(ordinal);
      }
    }
    this.found.set(test, ordinals);
    return ordinals;
  }

  private hashAt(ordinal: number): number {
    const { chunk, row } = this.locate(ordinal);
    return hashBytes(chunk.bytes, chunk.offsets[row]!, chunk.offsets[row + 1]!);
  }

  private isTextAt(ordinal: number, text: Buffer): boolean {
    const { chunk, row } = this.locate(ordinal);
    return isEqual(text, chunk.bytes, chunk.offsets[row]!, chunk.offsets[row + 1]!);
  }

  private locate(ordinal: number): { readonly chunk: Texts; readonly row: number } {
    const { firstOrdinal, column } = this.column.chunks[this.column.chunkOf(ordinal)]!;
    return { chunk: column as Column & { readonly shape: 'strings' }, row: ordinal - firstOrdinal };
  }
}
