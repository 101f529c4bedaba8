/**
 * The index of a text column with many distinct texts: rows sorted by the hash of their text. Equality is a binary
 * search for each text.
 */
import type { AttributeColumn } from '../../version/sealed/attribute-column.js';
import { addBit, emptyWords } from './bits.js';
import { chunksOf } from './column-blocks.js';
import type { Test } from './filter-plan.js';
import { listPresent, lowerBound, sortByKeys } from './row-order.js';
import { hashBytes, isEqual } from './text-hash.js';
import { textAt } from './text-scan.js';
import { TextSet } from './text-set.js';
import type { LookupResult } from './value-index.js';
import { Meter, SLICE_ROWS, type Work } from '../../base/work.js';

/** Bytes per row: its ordinal and its hash. */
export const HASHED_BYTES = 8;

export class HashedTexts {
  private constructor(
    private readonly column: AttributeColumn,
    private readonly sorted: Uint32Array,
    /** Hashes of the sorted rows, ascending. */
    private readonly hashes: Uint32Array,
  ) {}

  static *build(column: AttributeColumn, presence: Uint32Array | null): Work<HashedTexts> {
    const meter = new Meter();
    const hashOf = new Uint32Array(column.count);
    for (const { first, chunk } of chunksOf(column, 'strings')) {
      for (let row = 0; row < chunk.rows; row++) {
        const [start, end] = [chunk.offsets[row]!, chunk.offsets[row + 1]!];
        hashOf[first + row] = hashBytes(chunk.bytes, start, end);
        if (meter.spend(10 + 2 * (end - start))) yield;
      }
    }
    const sorted = yield* sortByKeys(yield* listPresent(column.count, presence), hashOf);
    const hashes = new Uint32Array(sorted.length);
    for (let from = 0; from < sorted.length; from += SLICE_ROWS) {
      const to = Math.min(from + SLICE_ROWS, sorted.length);
      for (let i = from; i < to; i++) hashes[i] = hashOf[sorted[i]!]!;
      yield;
    }
    return new HashedTexts(column, sorted, hashes);
  }

  /** For each test, its rows; null if only a scan can tell. */
  *lookUp(tests: readonly Test[], meter: Meter): Work<(LookupResult | null)[]> {
    const found: (LookupResult | null)[] = [];
    for (const test of tests) found.push(test.kind === 'texts' ? yield* this.find(test.values, meter) : null);
    return found;
  }

  private *find(values: readonly string[], meter: Meter): Work<LookupResult> {
    const { column } = this;
    const ordinals: number[] = [];
    const wanted = yield* TextSet.build([values], meter);
    for (const text of wanted.texts()) {
      const hash = hashBytes(text, 0, text.length);
      const first = lowerBound(this.hashes.length, (at) => this.hashes[at]! < hash);
      for (let at = first; this.hashes[at] === hash; at++) {
        const ordinal = this.sorted[at]!;
        const { texts, row } = textAt(column, ordinal);
        if (isEqual(text, 0, text.length, texts.bytes, texts.offsets[row]!, texts.offsets[row + 1]!)) {
          ordinals.push(ordinal);
        }
        if (meter.spend(200 + text.length)) yield;
      }
      if (meter.spend(1_000 + 2 * text.length)) yield;
    }
    const select = function* (own: Meter): Work<Uint32Array> {
      const words = emptyWords(column.count);
      for (const ordinal of ordinals) {
        addBit(words, ordinal);
        if (own.spend(4)) yield;
      }
      return words;
    };
    return { atMost: ordinals.length, select };
  }
}
