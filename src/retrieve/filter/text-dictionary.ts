/**
 * Texts that repeat, as a code of 16 bits for each. Takes chunks of texts; gives codes, 0 where there is none, and each
 * text once. Most categories, brands, shops and tags are such; what has more texts than fit is told by null.
 */
import type { Column, Validity } from '../../arrow/column.js';
import { SLICE_ROWS, type Work } from './work.js';

/** Texts of one dictionary: what 16 bits can name beside none. */
export const MAX_TEXTS = 65_535;

/** Bytes of all texts of one dictionary: with more, it is a copy of the column rather than a list of what repeats. */
const MAX_TEXT_BYTES = 16 * 1024 * 1024;

export type Texts = Column & { readonly shape: 'strings' };

export interface TextDictionary {
  /** Code of each position; 0 for no text. */
  readonly codes: Uint16Array;
  /** The text of each code; that of code 0 is empty and means nothing. */
  readonly texts: readonly string[];
  readonly codeOf: ReadonlyMap<string, number>;
  /** How often each code stands in `codes`. */
  readonly counts: Uint32Array;
}

/** Null where the texts are too many. @param size positions of all chunks */
export function* buildDictionary(chunks: readonly Texts[], size: number): Work<TextDictionary | null> {
  const table = new TextTable();
  const codes = new Uint16Array(size);
  let position = 0;
  for (const { offsets, bytes, valid, rows } of chunks) {
    for (let from = 0; from < rows; from += SLICE_ROWS) {
      const to = Math.min(from + SLICE_ROWS, rows);
      if (!addCodes(table, { offsets, bytes, valid }, from, to, codes, position)) return null;
      yield;
    }
    position += rows;
  }
  return table.finish(codes);
}

interface TextBytes {
  readonly offsets: Uint32Array;
  readonly bytes: Uint8Array;
  readonly valid: Validity;
}

/** @returns false where the dictionary is full */
function addCodes(
  table: TextTable,
  { offsets, bytes, valid }: TextBytes,
  from: number,
  to: number,
  codes: Uint16Array,
  position: number,
): boolean {
  for (let row = from; row < to; row++) {
    if (valid !== null && valid[row] === 0) continue;
    const code = table.code(bytes, offsets[row]!, offsets[row + 1]!);
    if (code === 0) return false;
    codes[position + row] = code;
  }
  return true;
}

/** FNV-1a. */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** At most half full, so that probes stay short. */
const SLOTS = 4 * (MAX_TEXTS + 1);

/** Open addressing over the bytes of texts: making strings of a million rows to look them up takes three times as long. */
class TextTable {
  private readonly slots = new Uint16Array(SLOTS);
  private bytes = new Uint8Array(4_096);
  /** Where the text of each code ends, which is where the next one begins; code 0 has none. */
  private readonly ends = [0];

  /** The code of a text, a new one where it is new; 0 where there is no room. */
  code(source: Uint8Array, start: number, end: number): number {
    let slot = hashBytes(source, start, end) & (SLOTS - 1);
    for (; this.slots[slot] !== 0; slot = (slot + 1) & (SLOTS - 1)) {
      if (this.isText(this.slots[slot]!, source, start, end)) return this.slots[slot]!;
    }
    const code = this.ends.length;
    const textStart = this.ends[code - 1]!;
    const textBytes = textStart + end - start;
    if (code > MAX_TEXTS || textBytes > MAX_TEXT_BYTES) return 0;
    this.grow(textBytes);
    this.bytes.set(source.subarray(start, end), textStart);
    this.ends.push(textBytes);
    this.slots[slot] = code;
    return code;
  }

  finish(codes: Uint16Array): TextDictionary {
    const buffer = Buffer.from(this.bytes.buffer);
    const texts = this.ends.map((end, code) => (code === 0 ? '' : buffer.toString('utf8', this.ends[code - 1], end)));
    const codeOf = new Map(texts.map((text, code) => [text, code] as const).slice(1));
    const counts = new Uint32Array(texts.length);
    for (let i = 0; i < codes.length; i++) counts[codes[i]!]!++;
    return { codes, texts, codeOf, counts };
  }

  private isText(code: number, source: Uint8Array, start: number, end: number): boolean {
    const from = this.ends[code - 1]!;
    if (this.ends[code]! - from !== end - start) return false;
    for (let i = start, at = from; i < end; i++, at++) if (source[i] !== this.bytes[at]) return false;
    return true;
  }

  private grow(needed: number): void {
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.bytes.length));
    grown.set(this.bytes);
    this.bytes = grown;
  }
}
