/**
 * Passes over texts as they lie in their chunks, for columns with too many texts for a dictionary. Each calls `found` with
 * the positions of the texts that pass; texts of null rows may be among them.
 */
import { isWithin } from './text-order.js';
import type { TextBound } from './filter-plan.js';
import { hashBytes, type Texts } from './text-dictionary.js';

type Found = (row: number) => void;

/** Texts to look for, by their hash. */
export type WantedTexts = ReadonlyMap<number, readonly Buffer[]>;

export function hashTexts(values: readonly string[]): WantedTexts {
  const wanted = new Map<number, Buffer[]>();
  for (const value of values) {
    const bytes = Buffer.from(value);
    const hash = hashBytes(bytes, 0, bytes.length);
    wanted.set(hash, [...(wanted.get(hash) ?? []), bytes]);
  }
  return wanted;
}

/** Rows whose text is one of these. */
export function scanEqual({ offsets, bytes, rows }: Texts, wanted: WantedTexts, found: Found): void {
  const lengths = new Set([...wanted.values()].flat().map((text) => text.length));
  const longest = Math.max(...lengths);
  const isWantedLength = Uint8Array.from({ length: longest + 1 }, (_, length) => Number(lengths.has(length)));
  for (let row = 0; row < rows; row++) {
    const start = offsets[row]!;
    const end = offsets[row + 1]!;
    // Most rows end here: hashing costs as much as ten comparisons of lengths.
    if (end - start > longest || isWantedLength[end - start] === 0) continue;
    const candidates = wanted.get(hashBytes(bytes, start, end));
    if (candidates?.some((text) => isEqual(text, bytes, start, end)) === true) found(row);
  }
}

export function isEqual(text: Buffer, bytes: Uint8Array, start: number, end: number): boolean {
  return text.compare(bytes, start, end) === 0;
}

/** Rows whose text holds this one, which is not empty: one search over all bytes of the chunk. */
export function scanSubstring({ offsets, bytes, rows }: Texts, text: string, found: Found): void {
  const wanted = Buffer.from(text);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = offsets[rows]!;
  let row = 0;
  for (let at = buffer.indexOf(wanted); at >= 0 && at < end;) {
    row = rowAt(offsets, row, rows, at);
    const rowEnd = offsets[row + 1]!;
    const isInside = at + wanted.length <= rowEnd;
    if (isInside) found(row);
    at = buffer.indexOf(wanted, isInside ? rowEnd : at + 1);
  }
}

/** The row whose bytes hold this one: the last one from `from` on that starts at or before it. */
function rowAt(offsets: Uint32Array, from: number, rows: number, at: number): number {
  let low = from;
  let high = rows;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (offsets[middle]! <= at) low = middle;
    else high = middle;
  }
  return low;
}

export function scanTextRange(texts: Texts, low: TextBound | null, high: TextBound | null, found: Found): void {
  const { offsets, bytes, rows } = texts;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let row = 0; row < rows; row++) {
    if (isWithin(buffer.toString('utf8', offsets[row], offsets[row + 1]), low, high)) found(row);
  }
}
