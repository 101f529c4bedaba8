/**
 * Builds an IdTable id by id and finds duplicates on the way.
 *
 * Arrays double as they fill. With the number of rows known they are made once: memory that is never written to is
 * never taken from the machine. At its peak a table of strings needs twice their bytes for a moment.
 */
import { ShortlistError } from './errors.js';
import {
  MAX_IDS,
  MAX_ID_TABLE_BYTES,
  IdTable,
  equalBytes,
  hashId,
  hashInteger,
  slotsFor,
  type IdType,
} from './id-table.js';
import { murmur3 } from './hash.js';

/**
 * What a hint may reserve at most: a file that lies about its rows then costs address space, 1 GiB of it, and no
 * memory.
 */
const MAX_EXPECTED = 2 ** 26;

export class IdTableBuilder {
  readonly type: IdType;
  /** Ids added so far; the next new id gets this ordinal. */
  count = 0;
  /** murmur3 of the canonical text of the id that was added last, whether new or a duplicate. */
  lastHash = 0;
  private readonly signed: boolean;
  private words: Uint32Array = new Uint32Array(0);
  private offsets: Uint32Array = new Uint32Array(0);
  private bytes: Uint8Array = new Uint8Array(0);
  private slots: Uint32Array;

  /** @param expected how many ids will come, where known */
  constructor(type: IdType, expected = 0) {
    const capacity = Math.max(64, Math.min(expected, MAX_EXPECTED));
    this.type = type;
    this.signed = type.kind === 'int' && type.signed;
    this.slots = allocate(Uint32Array, slotsFor(capacity));
    if (type.kind === 'int') this.words = allocate(Uint32Array, 2 * capacity);
    else {
      this.offsets = allocate(Uint32Array, capacity + 1);
      this.bytes = allocate(Uint8Array, capacity * 16);
    }
  }

  /**
   * Adds an integer id, given as the two words of its 64-bit value, sign-extended.
   * @returns its ordinal: `count` as it was before where the id is new, a lower one where it is a duplicate
   */
  addInteger(low: number, high: number): number {
    const hash = hashInteger(low, high, this.signed);
    this.lastHash = hash;
    const { slots, words } = this;
    const mask = slots.length - 1;
    let slot = hash & mask;
    for (let entry = slots[slot]!; entry !== 0; entry = slots[slot]!) {
      if (words[2 * entry - 2] === low && words[2 * entry - 1] === high) return entry - 1;
      slot = (slot + 1) & mask;
    }
    if (2 * this.count === words.length) this.words = grow(Uint32Array, words, words.length + 1, 2 * MAX_IDS);
    this.words[2 * this.count] = low;
    this.words[2 * this.count + 1] = high;
    return this.claim(slot);
  }

  /**
   * Adds a string id, given as its UTF-8.
   * @returns as `addInteger`
   */
  addText(source: Uint8Array, start: number, end: number): number {
    const hash = murmur3(source, start, end);
    this.lastHash = hash;
    const { slots, offsets, bytes } = this;
    const mask = slots.length - 1;
    let slot = hash & mask;
    for (let entry = slots[slot]!; entry !== 0; entry = slots[slot]!) {
      if (equalBytes(bytes, offsets[entry - 1]!, offsets[entry]!, source, start, end)) return entry - 1;
      slot = (slot + 1) & mask;
    }
    this.appendText(source, start, end);
    return this.claim(slot);
  }

  /** The table. The builder is not used again. */
  finish(): IdTable {
    const { count } = this;
    if (this.slots.length !== slotsFor(count)) this.rebuildSlots(slotsFor(count));
    const values =
      this.type.kind === 'int'
        ? { words: this.words.subarray(0, 2 * count), offsets: this.offsets, bytes: this.bytes }
        : {
            words: this.words,
            offsets: this.offsets.subarray(0, count + 1),
            bytes: this.bytes.subarray(0, this.offsets[count]),
          };
    return new IdTable(this.type, count, values, this.slots);
  }

  private appendText(source: Uint8Array, start: number, end: number): void {
    const { count } = this;
    const at = this.offsets[count]!;
    const next = at + (end - start);
    if (next > this.bytes.length) this.bytes = grow(Uint8Array, this.bytes, next, MAX_ID_TABLE_BYTES);
    if (count + 1 === this.offsets.length) {
      this.offsets = grow(Uint32Array, this.offsets, count + 2, MAX_IDS + 1);
    }
    const { bytes } = this;
    for (let from = start, to = at; from < end; from++, to++) bytes[to] = source[from]!;
    this.offsets[count + 1] = next;
  }

  /** Gives the empty slot to the id that was just stored. */
  private claim(slot: number): number {
    const ordinal = this.count++;
    if (this.slots.length * 7 < this.count * 10) this.rebuildSlots(slotsFor(this.count));
    else this.slots[slot] = ordinal + 1;
    return ordinal;
  }

  /** In the order of ordinals, so that the result depends on the ids alone and not on when it grew. */
  private rebuildSlots(length: number): void {
    const slots = allocate(Uint32Array, length);
    const mask = length - 1;
    const values = { words: this.words, offsets: this.offsets, bytes: this.bytes };
    for (let ordinal = 0; ordinal < this.count; ordinal++) {
      let slot = hashId(this.type, values, ordinal) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = ordinal + 1;
    }
    this.slots = slots;
  }
}

interface Maker<T> {
  new (length: number): T;
  readonly BYTES_PER_ELEMENT: number;
}

function grow<T extends Uint32Array | Uint8Array>(make: Maker<T>, old: T, least: number, most: number): T {
  if (least > most) {
    throw new ShortlistError(
      'input_too_large',
      `the ids of one index are limited to ${MAX_IDS} and to ${MAX_ID_TABLE_BYTES} bytes of text: split the input over several indexes`,
      { max_ids: MAX_IDS, max_id_bytes: MAX_ID_TABLE_BYTES },
    );
  }
  const larger = allocate(make, Math.min(most, Math.max(least, 2 * old.length)));
  larger.set(old);
  return larger;
}

function allocate<T>(make: Maker<T>, length: number): T {
  try {
    return new make(length);
  } catch (cause) {
    const bytes = length * make.BYTES_PER_ELEMENT;
    throw new ShortlistError(
      'insufficient_memory',
      `the table of ids needs ${bytes} bytes more memory and there is not that much: build in parts, or on a larger machine`,
      { bytes },
      { cause },
    );
  }
}
