/**
 * A dictionary of texts that repeat, with codes of 16 bits. Takes chunks of texts; returns a code per row (0 for no
 * text) and each text once, or null if there are too many. Most categories, brands, shops and tags fit.
 */
import type { Column, Validity } from '../../arrow/column.js';
import { hashBytes, isEqual } from './text-hash.js';
import { Meter, type Work } from '../../base/work.js';

/** Maximum number of texts: 16 bits, without 0. */
const MAX_TEXTS = 65_535;

/** Maximum bytes of all texts: more would be a copy of the column rather than a list of what repeats. */
const MAX_TEXT_BYTES = 16 * 1024 * 1024;

export type Texts = Column & { readonly shape: 'strings' };

export interface TextDictionary {
  /** Code of each position; 0 for no text. */
  readonly codes: Uint16Array;
  /** The text of each code; that of code 0 is unused. */
  readonly texts: Texts;
  readonly counts: Uint32Array;
  /** The code of a text; 0 if it is unknown. */
  readonly codeOf: (text: Uint8Array) => number;
}

/** Returns null if there are too many texts. @param size positions of all chunks */
export function* buildDictionary(chunks: readonly Texts[], size: number): Work<TextDictionary | null> {
  const meter = new Meter();
  const table = new TextTable();
  const codes = new Uint16Array(size);
  let position = 0;
  for (const { offsets, bytes, valid, rows } of chunks) {
    for (let row = 0; row < rows; row++) {
      if (!isPresent(valid, row)) {
        table.addMissing();
        continue;
      }
      const [start, end] = [offsets[row]!, offsets[row + 1]!];
      // A text above the limit for all texts need not be read.
      const code = end - start > MAX_TEXT_BYTES ? 0 : table.addText(bytes, start, end);
      if (code === 0) return null;
      codes[position + row] = code;
      if (meter.spend(20 + 2 * (end - start))) yield;
    }
    position += rows;
  }
  return table.finish(codes);
}

function isPresent(valid: Validity, row: number): boolean {
  return valid === null || valid[row] === 1;
}

/** At most a quarter full, so that probes stay short. */
const SLOTS = 4 * (MAX_TEXTS + 1);

/** Open addressing over the bytes of texts: creating strings for a million rows would take three times as long. */
class TextTable {
  private readonly slots = new Uint16Array(SLOTS);
  private bytes = new Uint8Array(4_096);
  /** Where the text of each code ends, which is where the next one begins. */
  private readonly ends = [0];
  private readonly counts = [0];

  /** Counts a text and returns its code; 0 if there is no room for a new one. */
  addText(source: Uint8Array, start: number, end: number): number {
    const slot = this.slotOf(source, start, end);
    const known = this.slots[slot]!;
    if (known !== 0) {
      this.counts[known]!++;
      return known;
    }
    const code = this.ends.length;
    const textStart = this.ends[code - 1]!;
    const textEnd = textStart + end - start;
    if (code > MAX_TEXTS || textEnd > MAX_TEXT_BYTES) return 0;
    this.grow(textEnd);
    this.bytes.set(source.subarray(start, end), textStart);
    this.ends.push(textEnd);
    this.counts.push(1);
    this.slots[slot] = code;
    return code;
  }

  addMissing(): void {
    this.counts[0]!++;
  }

  finish(codes: Uint16Array): TextDictionary {
    const rows = this.ends.length;
    const offsets = Uint32Array.from({ length: rows + 1 }, (_, code) => (code === 0 ? 0 : this.ends[code - 1]!));
    const texts: Texts = { shape: 'strings', type: { kind: 'utf8' }, rows, valid: null, offsets, bytes: this.bytes };
    const codeOf = (text: Uint8Array) => this.slots[this.slotOf(text, 0, text.length)]!;
    return { codes, texts, counts: Uint32Array.from(this.counts), codeOf };
  }

  /** The slot of a text, or the free slot for it. */
  private slotOf(source: Uint8Array, start: number, end: number): number {
    let slot = hashBytes(source, start, end) & (SLOTS - 1);
    for (; this.slots[slot] !== 0; slot = (slot + 1) & (SLOTS - 1)) {
      const code = this.slots[slot]!;
      if (isEqual(this.bytes, this.ends[code - 1]!, this.ends[code]!, source, start, end)) break;
    }
    return slot;
  }

  private grow(needed: number): void {
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.bytes.length));
    grown.set(this.bytes);
    this.bytes = grown;
  }
}
