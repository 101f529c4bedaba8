/**
 * The table of ids: ordinal -> id and id -> ordinal, for 100 million ids and more. Written once
 * (id-table-builder.ts), then only read: by the build to find duplicates, on disk as it is in memory, and by every
 * search.
 *
 * Ids are kept in two flat arrays, and an open-addressing hash index over them:
 *   integers   `values`   64 bits a row, little-endian, sign-extended where the type is signed strings    `offsets`
 *   uint32, count + 1 of them; `bytes` the UTF-8 of all ids, end to end both       `slots`    uint32, a power of two
 *   of them: ordinal + 1, or 0 where empty. The search for an id starts at slot
 *              murmur3(canonical text) & (slots - 1) and goes up by one, round the end, until the id or an empty slot.
 * Ids enter the index in the order of their ordinals, so equal ids give equal bytes.
 *
 * Memory for one id: 5.7 to 11.4 bytes of slots, and 8 bytes (integers) or 4 + its own length (strings).
 *
 * The canonical text of an id is what JSON carries: an integer in decimal, a string as it is. Ids are unique.
 * The arrays are in the byte order of the host, which must be little-endian (version/ checks).
 */
import { isUtf8 } from 'node:buffer';
import { MAX_DECIMAL_BYTES, formatDecimal, parseDecimal, writeDecimal, MAX_SMALL, writeSmall } from './decimal.js';
import { ShortlistError } from './errors.js';
import { murmur3 } from './hash.js';
import { MAX_ID_BYTES } from './limits.js';

/** An Arrow type that ids have. */
export type IdType =
  { readonly kind: 'int'; readonly bits: 8 | 16 | 32 | 64; readonly signed: boolean } | { readonly kind: 'utf8' };

/**
 * Most ids: their slots fill 2 GiB then, the largest power of two that a byte view of Node 20 (4 GiB) holds with
 * room.
 */
export const MAX_IDS = Math.floor(2 ** 29 * 0.7);

/** Most bytes of all string ids together: their offsets are 32 bits. */
export const MAX_ID_TABLE_BYTES = 2 ** 32 - 1;

/** Ids of one table in Arrow's shape; an arrow/ `Column`, which base/ may not import. */
type IdColumn =
  | { readonly shape: 'numbers'; readonly type: IdType; readonly rows: number; readonly valid: null; readonly values: IntegerArray }
  | { readonly shape: 'strings'; readonly type: IdType; readonly rows: number; readonly valid: null; readonly offsets: Uint32Array; readonly bytes: Uint8Array }; // prettier-ignore

type IntegerArray =
  | Int8Array | Int16Array | Int32Array | BigInt64Array
  | Uint8Array | Uint16Array | Uint32Array | BigUint64Array; // prettier-ignore

/** The ids alone: `words` has two uint32 a row (low, high) for integers; the other two are for strings. */
interface IdValues {
  readonly words: Uint32Array;
  readonly offsets: Uint32Array;
  readonly bytes: Uint8Array;
}

/** Texts of `count` ids, end to end, and where each ends. Valid until the next ones are encoded. */
interface EncodedTexts {
  readonly bytes: Buffer;
  readonly ends: Uint32Array;
  readonly count: number;
}

/** One flat part of a table on disk. */
interface IdSection {
  readonly name: string;
  readonly bytes: Uint8Array;
}

// Scratch for one call at a time; nothing here is asynchronous. A UTF-16 unit takes at most three bytes of UTF-8.
const digits = new Uint8Array(MAX_DECIMAL_BYTES);
/** Texts of several ids, end to end, and where each ends. */
const MAX_TOGETHER = 256;
const together = Buffer.alloc(16 * 1024 + MAX_ID_BYTES);
const ends = new Uint32Array(MAX_TOGETHER);
const encodedTexts = { bytes: together, ends, count: 0 };
/** Of the ids that were fetched: both words of an integer, or where a string starts and ends. */
const lows = new Uint32Array(MAX_TOGETHER);
const highs = new Uint32Array(MAX_TOGETHER);
const encoded = new Uint8Array(MAX_ID_BYTES * 3);
const encoder = new TextEncoder();
/** For `findRepeated`: ordinals + 1, of which 0 is none. */
let seen = new Uint32Array(0);
const LONE_SURROGATE = /\p{Surrogate}/u;

export class IdTable {
  readonly type: IdType;
  readonly count: number;
  private readonly values: IdValues;
  private readonly slots: Uint32Array;
  private readonly text8: Buffer;

  /** For the builder and `fromSections`, which vouch that the parts fit together. */
  constructor(type: IdType, count: number, values: IdValues, slots: Uint32Array) {
    this.type = type;
    this.count = count;
    this.values = values;
    this.slots = slots;
    this.text8 = Buffer.from(values.bytes.buffer, values.bytes.byteOffset, values.bytes.length);
  }

  /** Memory of the arrays, in bytes. */
  get residentBytes(): number {
    return this.sections().reduce((sum, section) => sum + section.bytes.length, 0);
  }

  /** The canonical text of the id at an ordinal below `count`. */
  text(ordinal: number): string {
    this.assertOrdinal(ordinal);
    const { words, offsets } = this.values;
    if (this.type.kind === 'utf8') return this.text8.toString('utf8', offsets[ordinal], offsets[ordinal + 1]);
    return formatDecimal(words[2 * ordinal]!, words[2 * ordinal + 1]!, this.type.signed);
  }

  /**
   * The canonical texts of many ids, cut from one string that is decoded at once: a conversion for each takes longer.
   */
  texts(ordinals: Uint32Array): string[] {
    const texts = new Array<string>(ordinals.length);
    for (let from = 0; from < ordinals.length;) {
      const { bytes, ends, count } = this.encode(ordinals, from);
      const all = bytes.toString('latin1', 0, ends[count - 1]);
      let start = 0;
      for (let i = 0; i < count; i++) {
        const end = ends[i]!;
        const isOneByte = this.type.kind === 'int' || isAscii(bytes, start, end);
        texts[from + i] = isOneByte ? all.substring(start, end) : this.text(ordinals[from + i]!);
        start = end;
      }
      from += count;
    }
    return texts;
  }

  /** Canonical texts as UTF-8, of as many ids as there is room for, from one on. */
  private encode(ordinals: Uint32Array, from: number): EncodedTexts {
    const most = this.fetch(ordinals, from);
    let end = 0;
    let count = 0;
    for (; count < most && end + MAX_ID_BYTES <= together.length; count++) {
      end = this.writeFetched(count, together, end);
      ends[count] = end;
    }
    encodedTexts.count = count;
    return encodedTexts;
  }

  /**
   * Collects ids to be written, from one on, in loops so short that they come from memory several at a time: for
   * answers, where their waits one after the other would cost more than all the rest.
   * @returns how many `writeFetched` knows then, until the next ones are fetched
   */
  fetch(ordinals: Uint32Array, from: number): number {
    const { words, offsets } = this.values;
    const count = Math.min(ordinals.length - from, MAX_TOGETHER);
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
   * Writes the canonical text of a fetched id as UTF-8: a string for each would cost as much as the rest.
   * @param out has room for MAX_ID_BYTES from `at` on
   * @returns where the text ends
   */
  writeFetched(position: number, out: Uint8Array, at: number): number {
    if (this.type.kind === 'int') return this.writeInteger(lows[position]!, highs[position]!, out, at);
    return copyBytes(this.values.bytes, lows[position]!, highs[position]!, out, at);
  }

  private writeInteger(low: number, high: number, out: Uint8Array, at: number): number {
    if (low <= MAX_SMALL && high === 0) return writeSmall(low, out, at);
    const start = writeDecimal(low, high, this.type.kind === 'int' && this.type.signed, digits);
    return copyBytes(digits, start, MAX_DECIMAL_BYTES, out, at);
  }

  /** murmur3 of the canonical text: what `shardOf` takes. */
  hash(ordinal: number): number {
    this.assertOrdinal(ordinal);
    return hashId(this.type, this.values, ordinal);
  }

  /** The ordinal of the id with this canonical text, or -1. '007' and '+7' are not the integer 7. */
  find(text: string): number {
    return this.type.kind === 'utf8' ? this.findText(text) : this.findInteger(text, this.type.bits, this.type.signed);
  }

  /** The ids at these ordinals, in their own Arrow type. */
  column(ordinals: Uint32Array): IdColumn {
    for (let row = 0; row < ordinals.length; row++) this.assertOrdinal(ordinals[row]!);
    return this.type.kind === 'utf8' ? this.gatherTexts(ordinals) : this.gatherIntegers(this.type, ordinals);
  }

  /** The table as it goes to disk: views of its own memory, not copies. */
  sections(): IdSection[] {
    const { words, offsets, bytes } = this.values;
    const slots = { name: 'slots', bytes: bytesOf(this.slots) };
    if (this.type.kind === 'int') return [{ name: 'values', bytes: bytesOf(words) }, slots];
    return [{ name: 'offsets', bytes: bytesOf(offsets) }, { name: 'bytes', bytes }, slots];
  }

  /**
   * The first position whose id an earlier one has too, or -1: an answer from files that nobody has verified must not
   * have an id twice. A table of the answer's own size, which takes nanoseconds an id where a lookup in `slots` takes
   * a hundred.
   */
  findRepeated(ordinals: Uint32Array): number {
    let size = 8;
    while (size < 2 * ordinals.length) size *= 2;
    if (seen.length < size) seen = new Uint32Array(size);
    seen.fill(0, 0, size);
    for (let position = 0; position < ordinals.length; position++) {
      const ordinal = ordinals[position]!;
      this.assertOrdinal(ordinal);
      for (let slot = this.mix(ordinal) & (size - 1); ; slot = (slot + 1) & (size - 1)) {
        const before = seen[slot]! - 1;
        if (before < 0) {
          seen[slot] = ordinal + 1;
          break;
        }
        if (this.sameId(before, ordinal)) return position;
      }
    }
    return -1;
  }

  /**
   * A number that equal ids share: of a string its length and its last bytes, which differ where ids are made by
   * counting.
   */
  private mix(ordinal: number): number {
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
   * What is wrong with the hash index, for a full check; null when nothing is. `fromSections` has proved that no
   * lookup leaves the arrays or runs forever; this proves that each one finds what it must, at the price of one
   * lookup an id.
   * @param from the first ordinal to look up @param to the one after the last
   */
  indexProblem(from = 0, to = this.count): string | null {
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
   * A table over sections as `sections` gave them; they are used in place, so they may be shared memory. Lengths,
   * offsets and slots are checked, so that hostile bytes end here.
   * @param get the bytes of a section by name
   * @throws file_corrupt; the caller adds the file
   */
  static fromSections(type: IdType, count: number, get: (name: string) => Uint8Array): IdTable {
    if (!Number.isSafeInteger(count) || count < 0 || count > MAX_IDS)
      throw damaged(`the count ${count} is out of range`);
    const slots = readWords(get, 'slots', slotsFor(count));
    const values = type.kind === 'int' ? readIntegers(type, count, get) : readTexts(count, get);
    checkSlots(slots, count);
    return new IdTable(type, count, values, slots);
  }

  private assertOrdinal(ordinal: number): void {
    if (!(ordinal >= 0 && ordinal < this.count)) throw new Error(`ordinal ${ordinal} of a table of ${this.count} ids`);
  }

  private findText(text: string): number {
    if (text.length > MAX_ID_BYTES) return -1;
    const { written } = encoder.encodeInto(text, encoded);
    // Encoding writes U+FFFD for half a surrogate pair, which must not find the id that really holds U+FFFD.
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

  /** Slots hold at most 70 % ordinals, each below `count`: the loop ends at an empty one at the latest. */
  private probe(hash: number, matches: (ordinal: number) => boolean): number {
    const { slots } = this;
    const mask = slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot]!;
      if (entry === 0) return -1;
      if (matches(entry - 1)) return entry - 1;
    }
  }

  private sameId(a: number, b: number): boolean {
    const { words, offsets, bytes } = this.values;
    if (this.type.kind === 'int') return words[2 * a] === words[2 * b] && words[2 * a + 1] === words[2 * b + 1];
    return equalBytes(bytes, offsets[a]!, offsets[a + 1]!, bytes, offsets[b]!, offsets[b + 1]!);
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
    // The low word is the whole value, and a typed array keeps the bits of what it is given.
    const values = new NARROW[type.signed ? 'signed' : 'unsigned'][type.bits](rows);
    for (let row = 0; row < rows; row++) values[row] = words[2 * ordinals[row]!]!;
    return { shape: 'numbers', type, rows, valid: null, values };
  }
}

const NARROW = {
  signed: { 8: Int8Array, 16: Int16Array, 32: Int32Array },
  unsigned: { 8: Uint8Array, 16: Uint16Array, 32: Uint32Array },
} as const;

/** Slots of a table of that many ids: the smallest power of two of which they fill at most 70 %. */
export function slotsFor(count: number): number {
  let slots = 8;
  while (slots * 7 < count * 10) slots *= 2;
  return slots;
}

/** murmur3 of the canonical text of the id at an ordinal. */
export function hashId(type: IdType, values: IdValues, ordinal: number): number {
  if (type.kind === 'utf8') return murmur3(values.bytes, values.offsets[ordinal]!, values.offsets[ordinal + 1]!);
  return hashInteger(values.words[2 * ordinal]!, values.words[2 * ordinal + 1]!, type.signed);
}

/** murmur3 of an integer's decimal text. */
export function hashInteger(low: number, high: number, signed: boolean): number {
  return murmur3(digits, writeDecimal(low, high, signed, digits), MAX_DECIMAL_BYTES);
}

/** Byte by byte: ids are short, and a call for each costs more. @returns where the copy ends */
function isAscii(bytes: Uint8Array, from: number, to: number): boolean {
  let all = 0;
  for (let i = from; i < to; i++) all |= bytes[i]!;
  return all < 0x80;
}

function copyBytes(source: Uint8Array, from: number, to: number, out: Uint8Array, at: number): number {
  for (let i = from; i < to; i++) out[at++] = source[i]!;
  return at;
}

/** Compares from the end: ids made by counting differ there. */
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

/**
 * Memory of a table, in bytes.
 * @param idBytes mean length of a string id; without it a UUID's
 */
export function estimateIdTableBytes(type: IdType, rows: number, idBytes = 36): number {
  return slotsFor(rows) * 4 + rows * (type.kind === 'int' ? 8 : 4 + idBytes);
}

function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

function damaged(problem: string): ShortlistError {
  return new ShortlistError('file_corrupt', `the table of ids is damaged: ${problem}`);
}

function readWords(get: (name: string) => Uint8Array, name: string, length: number): Uint32Array {
  const bytes = get(name);
  if (bytes.length !== length * 4) throw damaged(`section ${name} has ${bytes.length} bytes, not ${length * 4}`);
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Uint32Array(aligned.buffer, aligned.byteOffset, length);
}

function readIntegers(type: IdType & { kind: 'int' }, count: number, get: (name: string) => Uint8Array): IdValues {
  const words = readWords(get, 'values', 2 * count);
  if (type.bits < 64) {
    const spare = 32 - type.bits;
    for (let i = 0; i < words.length; i += 2) {
      const low = words[i]!;
      const kept = type.signed ? (low << spare) >> spare : (low << spare) >>> spare;
      const sign = type.signed && kept < 0 ? 0xffffffff : 0;
      if (kept >>> 0 !== low || words[i + 1] !== sign) {
        throw damaged(`the id at ordinal ${i / 2} is beyond ${type.bits} bits`);
      }
    }
  }
  return { words, offsets: EMPTY_WORDS, bytes: EMPTY_BYTES };
}

function readTexts(count: number, get: (name: string) => Uint8Array): IdValues {
  const offsets = readWords(get, 'offsets', count + 1);
  const bytes = get('bytes');
  if (offsets[0] !== 0 || offsets[count] !== bytes.length) throw damaged('its offsets do not span its bytes');
  for (let ordinal = 0; ordinal < count; ordinal++) {
    const length = offsets[ordinal + 1]! - offsets[ordinal]!;
    if (length <= 0 || length > MAX_ID_BYTES) throw damaged(`the id at ordinal ${ordinal} has ${length} bytes`);
    if ((bytes[offsets[ordinal]!]! & 0xc0) === 0x80)
      throw damaged(`the id at ordinal ${ordinal} starts inside a character`);
  }
  // Other bytes would be shown as U+FFFD, so that two ids could have one text. Whole, and no id starts inside a
  // character: then each is.
  if (!isUtf8(bytes)) throw damaged('its bytes are not UTF-8');
  return { words: EMPTY_WORDS, offsets, bytes };
}

function checkSlots(slots: Uint32Array, count: number): void {
  let filled = 0;
  for (let slot = 0; slot < slots.length; slot++) {
    const entry = slots[slot]!;
    if (entry !== 0) filled++;
    if (entry > count) throw damaged(`slot ${slot} names ordinal ${entry - 1} of ${count}`);
  }
  if (filled !== count) throw damaged(`${filled} of its slots are filled, not ${count}`);
}

const EMPTY_WORDS = new Uint32Array(0);
const EMPTY_BYTES = new Uint8Array(0);
