/**
 * The table of ids: ordinal -> id and id -> ordinal, for 100 million ids and more. It is written once
 * (id-table-builder.ts) and then only read, with the same bytes on disk and in memory.
 *
 * Flat arrays hold the ids, with an open-addressing hash index over them:
 *
 *   values    of integers: 64 bits an id, little-endian, sign-extended if the type is signed
 *   offsets   of strings: uint32, count + 1 of them
 *   bytes     of strings: the UTF-8 of all ids, end to end
 *   slots     uint32, a power of two of them: ordinal + 1, or 0 if empty. A lookup starts at slot
 *             murmur3(canonical text) & (slots - 1) and goes up by one, with wraparound, to the id or an empty slot.
 *
 * Ids enter the index in the order of their ordinals, so equal ids give equal bytes. An id takes 5.7 to 11.4 bytes of
 * slots, and 8 bytes (integers) or 4 + its length (strings).
 *
 * A table joined from several (id-table-parts.ts) has its values in one piece, and the slots of each part.
 *
 * The canonical text of an id is what JSON carries: an integer in decimal, a string unchanged. Ids are unique. The
 * arrays have the byte order of the host, which must be little-endian (version/ checks).
 */
import {
  MAX_DECIMAL_BYTES,
  formatDecimal,
  parseDecimal,
  writeDecimal,
  MAX_SMALL_INTEGER,
  writeSmallInteger,
} from './decimal.js';
import { murmur3, shardOf } from './hash.js';
import { checkIntegers, checkSlots, checkTexts, damagedTable, readWords, type GetSection } from './id-table-check.js';
import { MAX_ID_BYTES } from './limits.js';

/** An Arrow type that ids may have. */
export type IdType =
  { readonly kind: 'int'; readonly bits: 8 | 16 | 32 | 64; readonly signed: boolean } | { readonly kind: 'utf8' };

/** Most ids: with them the slots fill 2 GiB, the largest power of two below the 4 GiB of a byte view in Node 20. */
export const MAX_IDS = Math.floor(2 ** 29 * 0.7);

/** Most bytes of all string ids together: offsets have 32 bits. */
export const MAX_ID_TABLE_BYTES = 2 ** 32 - 1;

/** Ids in Arrow's shape: a `Column` of arrow/, which base/ may not import. */
type IdColumn =
  | { readonly shape: 'numbers'; readonly type: IdType; readonly rows: number; readonly valid: null; readonly values: IntegerArray }
  | { readonly shape: 'strings'; readonly type: IdType; readonly rows: number; readonly valid: null; readonly offsets: Uint32Array; readonly bytes: Uint8Array }; // prettier-ignore

type IntegerArray =
  | Int8Array | Int16Array | Int32Array | BigInt64Array
  | Uint8Array | Uint16Array | Uint32Array | BigUint64Array; // prettier-ignore

/** The ids without the index: `words` has two uint32 an id (low, high) for integers; strings use the other two. */
export interface IdValues {
  readonly words: Uint32Array;
  readonly offsets: Uint32Array;
  readonly bytes: Uint8Array;
}

/** A hash index over some of the ids: those whose hash belongs to one part. */
export interface IdSlots {
  readonly slots: Uint32Array;
  /** Ordinal of each number in the slots, less 1; null if equal. */
  readonly ordinals: Uint32Array | null;
}

/** One array of a table on disk. */
interface IdSection {
  readonly name: string;
  readonly bytes: Uint8Array;
}

// Scratch memory for one call at a time; nothing here is asynchronous.
const digits = new Uint8Array(MAX_DECIMAL_BYTES);
/** Most ids that are encoded or fetched together. */
const MAX_BATCH_IDS = 256;
/** Texts of several ids, end to end, and where each ends. */
const textBuffer = Buffer.alloc(16 * 1024 + MAX_ID_BYTES);
const textEnds = new Uint32Array(MAX_BATCH_IDS);
/** Of fetched ids: both words of an integer, or the start and end of a string. */
const lows = new Uint32Array(MAX_BATCH_IDS);
const highs = new Uint32Array(MAX_BATCH_IDS);
/** One id to look up: a UTF-16 unit takes at most three bytes of UTF-8. */
const encoded = new Uint8Array(MAX_ID_BYTES * 3);
const encoder = new TextEncoder();
/** For `findRepeated`: ordinals + 1, or 0 if empty. */
let seen = new Uint32Array(0);
const LONE_SURROGATE = /\p{Surrogate}/u;

export class IdTable {
  private readonly textBytes: Buffer;

  /**
   * For `fromSections` and the files beside this one, which make sure that everything fits together.
   * @param values of all ids, by ordinal
   * @param parts an id is looked up in the part `shardOf` its hash; null: none of its ids are here
   */
  constructor(
    readonly type: IdType,
    readonly count: number,
    readonly values: IdValues,
    readonly parts: readonly (IdSlots | null)[],
  ) {
    this.textBytes = Buffer.from(values.bytes.buffer, values.bytes.byteOffset, values.bytes.length);
  }

  /** Memory of the arrays, in bytes. */
  get residentBytes(): number {
    const { words, offsets, bytes } = this.values;
    const slots = this.parts.reduce((sum, part) => sum + (part?.slots.byteLength ?? 0), 0);
    return words.byteLength + offsets.byteLength + bytes.byteLength + slots;
  }

  /** The canonical text of the id at an ordinal below `count`. */
  text(ordinal: number): string {
    this.assertOrdinal(ordinal);
    const { words, offsets } = this.values;
    if (this.type.kind === 'utf8') return this.textBytes.toString('utf8', offsets[ordinal], offsets[ordinal + 1]);
    return formatDecimal(words[2 * ordinal]!, words[2 * ordinal + 1]!, this.type.signed);
  }

  /** The canonical texts of many ids, cut from one decoded string: decoding each by itself takes longer. */
  texts(ordinals: Uint32Array): string[] {
    const texts = new Array<string>(ordinals.length);
    for (let from = 0; from < ordinals.length;) {
      const count = this.encode(ordinals, from);
      const all = textBuffer.toString('latin1', 0, textEnds[count - 1]);
      let start = 0;
      for (let i = 0; i < count; i++) {
        const end = textEnds[i]!;
        const isOneByte = this.type.kind === 'int' || isAscii(textBuffer, start, end);
        texts[from + i] = isOneByte ? all.substring(start, end) : this.text(ordinals[from + i]!);
        start = end;
      }
      from += count;
    }
    return texts;
  }

  /** Fills `textBuffer` with ids from `from` on, as UTF-8. @returns how many there was space for */
  private encode(ordinals: Uint32Array, from: number): number {
    const fetched = this.fetch(ordinals, from);
    let end = 0;
    let count = 0;
    for (; count < fetched && end + MAX_ID_BYTES <= textBuffer.length; count++) {
      end = this.writeFetched(count, textBuffer, end);
      textEnds[count] = end;
    }
    return count;
  }

  /**
   * Fetches ids from position `from` on for `writeFetched`. The loops are so short that the processor loads several ids
   * from memory at once; one after the other, these waits would cost more than the rest of an answer.
   * @returns how many ids `writeFetched` can write, until the next `fetch`
   */
  fetch(ordinals: Uint32Array, from: number): number {
    const { words, offsets } = this.values;
    const count = Math.min(ordinals.length - from, MAX_BATCH_IDS);
    if (this.type.kind === 'int') {
      for (let i = 0; i < count; i++) {
        const ordinal = ordinals[from + i]!;
        this.assertOrdinal(ordinal);
        lows[i] = words[2 * ordinal]!;
        highs[i] = words[2 * ordinal + 1]!;
      }
      return count;
    }
    for (let i = 0; i < count; i++) {
      const ordinal = ordinals[from + i]!;
      this.assertOrdinal(ordinal);
      lows[i] = offsets[ordinal]!;
      highs[i] = offsets[ordinal + 1]!;
    }
    return count;
  }

  /**
   * Writes the canonical text of a fetched id as UTF-8, without making a string.
   * @param out has space for MAX_ID_BYTES from `at` on
   * @returns where the text ends
   */
  writeFetched(position: number, out: Uint8Array, at: number): number {
    if (this.type.kind === 'int') return this.writeInteger(lows[position]!, highs[position]!, out, at);
    return copyBytes(this.values.bytes, lows[position]!, highs[position]!, out, at);
  }

  private writeInteger(low: number, high: number, out: Uint8Array, at: number): number {
    if (low <= MAX_SMALL_INTEGER && high === 0) return writeSmallInteger(low, out, at);
    const start = writeDecimal(low, high, this.type.kind === 'int' && this.type.signed, digits);
    return copyBytes(digits, start, MAX_DECIMAL_BYTES, out, at);
  }

  /** murmur3 of the canonical text, for `shardOf`. */
  hash(ordinal: number): number {
    this.assertOrdinal(ordinal);
    return hashId(this.type, this.values, ordinal);
  }

  /** The ordinal of the id with this canonical text, or -1. '007' and '+7' do not find the integer 7. */
  find(text: string): number {
    return this.type.kind === 'utf8' ? this.findText(text) : this.findInteger(text, this.type.bits, this.type.signed);
  }

  /**
   * Finds the ids of another table.
   * @param ordinals of `other`
   * @returns for each, the ordinal of the same id here, or -1; ids of another type are other ids
   */
  match(other: IdTable, ordinals: Uint32Array): Int32Array {
    const found = new Int32Array(ordinals.length).fill(-1);
    if (!isSameKind(this.type, other.type)) return found;
    let wanted = 0;
    const holds = (here: number): boolean => this.equals(here, other.values, wanted);
    for (let i = 0; i < ordinals.length; i++) {
      wanted = ordinals[i]!;
      found[i] = this.probe(other.hash(wanted), holds);
    }
    return found;
  }

  /** The ids at these ordinals, in their own Arrow type. */
  column(ordinals: Uint32Array): IdColumn {
    for (let row = 0; row < ordinals.length; row++) this.assertOrdinal(ordinals[row]!);
    return this.type.kind === 'utf8' ? this.gatherTexts(ordinals) : this.gatherIntegers(this.type, ordinals);
  }

  /** The table as it is written to disk: views of its memory, not copies. Not of a joined table. */
  sections(): IdSection[] {
    const { words, offsets, bytes } = this.values;
    const [part] = this.parts;
    if (this.parts.length !== 1 || part?.ordinals !== null) throw new Error('a joined table has no sections');
    const slots = { name: 'slots', bytes: bytesOf(part.slots) };
    if (this.type.kind === 'int') return [{ name: 'values', bytes: bytesOf(words) }, slots];
    return [{ name: 'offsets', bytes: bytesOf(offsets) }, { name: 'bytes', bytes }, slots];
  }

  /**
   * The first position whose id is also at an earlier one, or -1. Answers are checked with it, since their files may be
   * unverified. Its own small hash table takes nanoseconds an id; a lookup in `slots` takes a hundred.
   */
  findRepeated(ordinals: Uint32Array): number {
    let size = 8;
    while (size < 2 * ordinals.length) size *= 2;
    if (seen.length < size) seen = new Uint32Array(size);
    seen.fill(0, 0, size);
    for (let position = 0; position < ordinals.length; position++) {
      const ordinal = ordinals[position]!;
      this.assertOrdinal(ordinal);
      for (let slot = this.quickHash(ordinal) & (size - 1); ; slot = (slot + 1) & (size - 1)) {
        const earlier = seen[slot]! - 1;
        if (earlier < 0) {
          seen[slot] = ordinal + 1;
          break;
        }
        if (this.sameId(earlier, ordinal)) return position;
      }
    }
    return -1;
  }

  /** Equal for equal ids. Of a string it uses the length and the last bytes, where numbered ids differ. */
  private quickHash(ordinal: number): number {
    const { words, offsets, bytes } = this.values;
    let sum: number;
    if (this.type.kind === 'int') sum = words[2 * ordinal]! ^ words[2 * ordinal + 1]!;
    else {
      const [start, end] = [offsets[ordinal]!, offsets[ordinal + 1]!];
      sum = end - start;
      for (let at = Math.max(start, end - 8); at < end; at++) sum = Math.imul(sum, 31) + bytes[at]!;
    }
    sum = Math.imul(sum ^ (sum >>> 16), 0x9e3779b1);
    return (sum ^ (sum >>> 15)) >>> 0;
  }

  /**
   * The first fault of the hash index for the ordinals [from .. to), or null. `fromSections` has proved that every
   * lookup ends; this proves that each finds its id, at the cost of one lookup an id.
   */
  findIndexProblem(from = 0, to = this.count): string | null {
    for (let ordinal = from; ordinal < Math.min(to, this.count); ordinal++) {
      const found = this.probe(this.hash(ordinal), (other) => other === ordinal || this.sameId(ordinal, other));
      if (found !== ordinal) {
        const why = found === -1 ? 'is not found by its hash' : `has the same id as ordinal ${found}`;
        return `the id at ordinal ${ordinal}, ${JSON.stringify(this.text(ordinal))}, ${why}`;
      }
    }
    return null;
  }

  /**
   * A table over sections as `sections` returned them, used in place, so they may be shared memory. Lengths, offsets
   * and slots are checked, since the bytes may be hostile.
   * @param get the bytes of a section by name
   * @throws file_corrupt; the caller adds the file
   */
  static fromSections(type: IdType, count: number, get: GetSection): IdTable {
    if (!Number.isSafeInteger(count) || count < 0 || count > MAX_IDS) {
      throw damagedTable(`the count ${count} is out of range`);
    }
    const slots = readWords(get, 'slots', slotsFor(count));
    const values = readIdValues(type, count, get);
    checkSlots(slots, count);
    return new IdTable(type, count, values, [{ slots, ordinals: null }]);
  }

  private assertOrdinal(ordinal: number): void {
    if (!(ordinal >= 0 && ordinal < this.count)) throw new Error(`ordinal ${ordinal} of a table of ${this.count} ids`);
  }

  private findText(text: string): number {
    if (text.length > MAX_ID_BYTES) return -1;
    const { written } = encoder.encodeInto(text, encoded);
    // Encoding turns half a surrogate pair into U+FFFD, which must not find an id that really holds U+FFFD.
    if (written !== text.length && LONE_SURROGATE.test(text)) return -1;
    const { offsets, bytes } = this.values;
    return this.probe(murmur3(encoded, 0, written), (other) =>
      equalBytes(bytes, offsets[other]!, offsets[other + 1]!, encoded, 0, written),
    );
  }

  private findInteger(text: string, bits: number, signed: boolean): number {
    const id = parseDecimal(text, bits, signed);
    if (id === null) return -1;
    const { words } = this.values;
    const { written } = encoder.encodeInto(text, encoded);
    return this.probe(
      murmur3(encoded, 0, written),
      (other) => words[2 * other] === id.low && words[2 * other + 1] === id.high,
    );
  }

  /** At most 70 % of the slots are filled, each with an ordinal below `count`, so the loop meets an empty one. */
  private probe(hash: number, matches: (ordinal: number) => boolean): number {
    const { parts } = this;
    const part = parts[parts.length === 1 ? 0 : shardOf(hash, parts.length)] ?? null;
    if (part === null) return -1;
    const { slots, ordinals } = part;
    const mask = slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot]!;
      if (entry === 0) return -1;
      const ordinal = ordinals === null ? entry - 1 : ordinals[entry - 1]!;
      if (matches(ordinal)) return ordinal;
    }
  }

  private sameId(a: number, b: number): boolean {
    return this.equals(a, this.values, b);
  }

  /** Whether the id at ordinal `a` is the one at ordinal `b` of values of the same kind. */
  private equals(a: number, other: IdValues, b: number): boolean {
    const { words, offsets, bytes } = this.values;
    if (this.type.kind === 'int')
      return words[2 * a] === other.words[2 * b] && words[2 * a + 1] === other.words[2 * b + 1];
    return equalBytes(bytes, offsets[a]!, offsets[a + 1]!, other.bytes, other.offsets[b]!, other.offsets[b + 1]!);
  }

  private gatherTexts(ordinals: Uint32Array): IdColumn {
    const { offsets, bytes } = this.values;
    const ends = new Uint32Array(ordinals.length + 1);
    let total = 0;
    ordinals.forEach((ordinal, row) => {
      total += offsets[ordinal + 1]! - offsets[ordinal]!;
      ends[row + 1] = total;
    });
    const gathered = new Uint8Array(total);
    ordinals.forEach((ordinal, row) => gathered.set(bytes.subarray(offsets[ordinal], offsets[ordinal + 1]), ends[row]));
    return { shape: 'strings', type: this.type, rows: ordinals.length, valid: null, offsets: ends, bytes: gathered };
  }

  private gatherIntegers(type: IdType & { kind: 'int' }, ordinals: Uint32Array): IdColumn {
    const { words } = this.values;
    const rows = ordinals.length;
    if (type.bits === 64) {
      const pairs = new Uint32Array(2 * rows);
      for (let row = 0; row < rows; row++) {
        pairs[2 * row] = words[2 * ordinals[row]!]!;
        pairs[2 * row + 1] = words[2 * ordinals[row]! + 1]!;
      }
      const values = type.signed ? new BigInt64Array(pairs.buffer) : new BigUint64Array(pairs.buffer);
      return { shape: 'numbers', type, rows, valid: null, values };
    }
    // The low word is the whole value; assigning it to a typed array keeps its bits.
    const values = new NARROW[type.signed ? 'signed' : 'unsigned'][type.bits](rows);
    for (let row = 0; row < rows; row++) values[row] = words[2 * ordinals[row]!]!;
    return { shape: 'numbers', type, rows, valid: null, values };
  }
}

const NARROW = {
  signed: { 8: Int8Array, 16: Int16Array, 32: Int32Array },
  unsigned: { 8: Uint8Array, 16: Uint16Array, 32: Uint32Array },
} as const;

/** Slots of a table of `count` ids: the smallest power of two that they fill to at most 70 %. */
export function slotsFor(count: number): number {
  let slots = 8;
  while (slots * 7 < count * 10) slots *= 2;
  return slots;
}

/** Enters ids in the order of their ordinals. @param slots empty, `slotsFor(count)` of them */
export function fillSlots(type: IdType, values: IdValues, count: number, slots: Uint32Array): Uint32Array {
  const mask = slots.length - 1;
  for (let ordinal = 0; ordinal < count; ordinal++) {
    let slot = hashId(type, values, ordinal) & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = ordinal + 1;
  }
  return slots;
}

function hashId(type: IdType, values: IdValues, ordinal: number): number {
  if (type.kind === 'utf8') return murmur3(values.bytes, values.offsets[ordinal]!, values.offsets[ordinal + 1]!);
  return hashInteger(values.words[2 * ordinal]!, values.words[2 * ordinal + 1]!, type.signed);
}

export function hashInteger(low: number, high: number, signed: boolean): number {
  return murmur3(digits, writeDecimal(low, high, signed, digits), MAX_DECIMAL_BYTES);
}

/** Whether equal words or bytes mean equal ids. Integers of several widths have the same words, signed ones others. */
function isSameKind(a: IdType, b: IdType): boolean {
  if (a.kind === 'utf8' || b.kind === 'utf8') return a.kind === b.kind;
  return a.signed === b.signed;
}

/** Byte by byte: ids are short, and a call for each costs more. */
function isAscii(bytes: Uint8Array, from: number, to: number): boolean {
  let all = 0;
  for (let i = from; i < to; i++) all |= bytes[i]!;
  return all < 0x80;
}

/** Byte by byte, as `isAscii`. @returns where the copy ends */
function copyBytes(source: Uint8Array, from: number, to: number, out: Uint8Array, at: number): number {
  for (let i = from; i < to; i++) out[at++] = source[i]!;
  return at;
}

/** Compares from the end, where numbered ids differ. */
export function equalBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  const length = aEnd - aStart;
  if (length !== bEnd - bStart) return false;
  for (let i = length - 1; i >= 0; i--) if (a[aStart + i] !== b[bStart + i]) return false;
  return true;
}

/** Memory of a table, in bytes. @param idBytes mean length of a string id; default that of a UUID */
export function estimateIdTableBytes(type: IdType, rows: number, idBytes = 36): number {
  return slotsFor(rows) * 4 + rows * (type.kind === 'int' ? 8 : 4 + idBytes);
}

function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

/** Checked values of a table. @throws file_corrupt */
export function readIdValues(type: IdType, count: number, get: GetSection): IdValues {
  return type.kind === 'int' ? readIntegers(type, count, get) : readTexts(count, get);
}

function readIntegers(type: IdType & { kind: 'int' }, count: number, get: GetSection): IdValues {
  const words = readWords(get, 'values', 2 * count);
  checkIntegers(words, type.bits, type.signed);
  return { words, offsets: new Uint32Array(0), bytes: new Uint8Array(0) };
}

function readTexts(count: number, get: GetSection): IdValues {
  const offsets = readWords(get, 'offsets', count + 1);
  const bytes = get('bytes');
  checkTexts(offsets, bytes, count);
  return { words: new Uint32Array(0), offsets, bytes };
}
