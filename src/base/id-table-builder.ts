/**
 * Builds an IdTable id by id and finds duplicates. Arrays double when they are full; with a known number of rows they
 * are allocated once, since memory that is never written costs nothing. Growing needs the old and the new array at
 * once.
 */
import { ShortlistError } from './errors.js';
import {
  MAX_IDS,
  MAX_ID_TABLE_BYTES,
  IdTable,
  equalBytes,
  fillSlots,
  hashInteger,
  slotsFor,
  type IdType,
} from './id-table.js';
import { murmur3 } from './hash.js';

/** Largest size hint used: a file with a wrong row count then reserves 1 GiB of address space, and no memory. */
const MAX_EXPECTED = 2 ** 26;

export class IdTableBuilder {
  /** Ids added; the next new id gets this ordinal. */
  count = 0;
  /** murmur3 of the canonical text of the last id added, new or duplicate. */
  lastHash = 0;
  private readonly signed: boolean;
  private words: Uint32Array = new Uint32Array(0);
  private offsets: Uint32Array = new Uint32Array(0);
  private bytes: Uint8Array = new Uint8Array(0);
  private slots: Uint32Array;

  /** @param expected number of ids to come, if known */
  constructor(
    readonly type: IdType,
    expected = 0,
  ) {
    const capacity = Math.max(64, Math.min(expected, MAX_EXPECTED));
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
   * @returns its ordinal: the `count` before the call if the id is new, a lower one if it is a duplicate
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
    return this.fillSlot(slot);
  }

  /** Adds a string id, given as UTF-8. @returns as `addInteger` */
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
    return this.fillSlot(slot);
  }

  /** Returns the table. The builder must not be used afterwards. */
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
    return new IdTable(this.type, count, values, [{ slots: this.slots, ordinals: null }]);
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

  /** Gives the empty slot to the id that was just stored. @returns its ordinal */
  private fillSlot(slot: number): number {
    const ordinal = this.count++;
    if (this.slots.length * 7 < this.count * 10) this.rebuildSlots(slotsFor(this.count));
    else this.slots[slot] = ordinal + 1;
    return ordinal;
  }

  /** In the order of ordinals, so that the bytes depend on the ids alone, not on when the table grew. */
  private rebuildSlots(length: number): void {
    const values = { words: this.words, offsets: this.offsets, bytes: this.bytes };
    this.slots = fillSlots(this.type, values, this.count, allocate(Uint32Array, length));
  }
}

interface TypedArrayConstructor<T> {
  new (length: number): T;
  readonly BYTES_PER_ELEMENT: number;
}

function grow<T extends Uint32Array | Uint8Array>(type: TypedArrayConstructor<T>, old: T, min: number, max: number): T {
  if (min > max) {
    const message = `one index holds at most ${MAX_IDS} ids and ${MAX_ID_TABLE_BYTES} bytes of id text: split the input over several indexes`;
    throw new ShortlistError('input_too_large', message, { max_ids: MAX_IDS, max_id_bytes: MAX_ID_TABLE_BYTES });
  }
  const larger = allocate(type, Math.min(max, Math.max(min, 2 * old.length)));
  larger.set(old);
  return larger;
}

function allocate<T>(type: TypedArrayConstructor<T>, length: number): T {
  try {
    return new type(length);
  } catch (cause) {
    const bytes = length * type.BYTES_PER_ELEMENT;
    const message = `the id table needs ${bytes} more bytes of memory, which are not available: build in parts, or on a larger machine`;
    throw new ShortlistError('insufficient_memory', message, { bytes }, { cause });
  }
}
