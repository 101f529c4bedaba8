/**
 * Reads flatbuffers whose bytes may be hostile.
 *
 * Takes the bytes of one buffer; returns tables whose fields are read by slot number. Every offset and length is
 * checked against the bytes before it is used, so wrong bytes can only cause an `input_corrupt` fault. Offsets lead
 * only forward, so a table cannot contain itself; but tables can be shared, so whoever walks a tree must bound the
 * walk.
 *
 * Written by hand: the package flatbuffers, which apache-arrow uses, follows offsets without a check.
 */
import { corrupt } from '../fault.js';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A vector of fixed-size structs, read by position with `FlatBytes`. */
export interface StructVector {
  readonly count: number;
  readonly position: number;
}

const NO_STRUCTS: StructVector = { count: 0, position: 0 };

export class FlatBytes {
  readonly length: number;
  private readonly view: DataView;

  constructor(private readonly bytes: Uint8Array) {
    this.length = bytes.length;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  rootTable(): FlatTable {
    return new FlatTable(this, this.uint32(0));
  }

  uint8(position: number): number {
    return this.view.getUint8(this.check(position, 1));
  }

  uint16(position: number): number {
    return this.view.getUint16(this.check(position, 2), true);
  }

  int16(position: number): number {
    return this.view.getInt16(this.check(position, 2), true);
  }

  uint32(position: number): number {
    return this.view.getUint32(this.check(position, 4), true);
  }

  int32(position: number): number {
    return this.view.getInt32(this.check(position, 4), true);
  }

  /** A 64-bit integer that a double must hold exactly: no position or count is larger. */
  int64(position: number): number {
    const value = this.view.getBigInt64(this.check(position, 8), true);
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw corrupt(`the metadata holds ${value} where a position or count belongs`);
    return number;
  }

  text(position: number, maxBytes: number): string {
    const length = this.uint32(position);
    if (length > maxBytes) throw corrupt(`the metadata has a name of ${length} bytes; it may have at most ${maxBytes}`);
    const start = this.check(position + 4, length);
    try {
      return utf8.decode(this.bytes.subarray(start, start + length));
    } catch {
      throw corrupt('a name in the metadata is not valid UTF-8');
    }
  }

  /** @returns the position, if `width` bytes from there on exist */
  check(position: number, width: number): number {
    if (position < 0 || position + width > this.length) throw corrupt('the metadata points outside of itself');
    return position;
  }
}

export class FlatTable {
  private readonly vtable: number;
  private readonly vtableBytes: number;
  private readonly tableBytes: number;

  constructor(
    readonly bytes: FlatBytes,
    private readonly position: number,
  ) {
    this.vtable = position - bytes.int32(position);
    this.vtableBytes = bytes.uint16(this.vtable);
    this.tableBytes = bytes.uint16(this.vtable + 2);
    if (this.vtableBytes < 4 || this.tableBytes < 4) throw corrupt('a table of the metadata has no proper header');
    bytes.check(this.vtable, this.vtableBytes);
    bytes.check(position, this.tableBytes);
  }

  bool(slot: number, absent: boolean): boolean {
    return this.uint8(slot, absent ? 1 : 0) !== 0;
  }

  uint8(slot: number, absent: number): number {
    const at = this.field(slot, 1);
    return at === 0 ? absent : this.bytes.uint8(at);
  }

  int16(slot: number, absent: number): number {
    const at = this.field(slot, 2);
    return at === 0 ? absent : this.bytes.int16(at);
  }

  int32(slot: number, absent: number): number {
    const at = this.field(slot, 4);
    return at === 0 ? absent : this.bytes.int32(at);
  }

  int64(slot: number, absent: number): number {
    const at = this.field(slot, 8);
    return at === 0 ? absent : this.bytes.int64(at);
  }

  text(slot: number, maxBytes: number): string | null {
    const at = this.target(slot);
    return at === null ? null : this.bytes.text(at, maxBytes);
  }

  /** Whether the slot has this ASCII text; compares the lengths before it decodes. */
  hasText(slot: number, expected: string): boolean {
    const at = this.target(slot);
    return (
      at !== null && this.bytes.uint32(at) === expected.length && this.bytes.text(at, expected.length) === expected
    );
  }

  table(slot: number): FlatTable | null {
    const at = this.target(slot);
    return at === null ? null : new FlatTable(this.bytes, at);
  }

  /** The table of a slot that the format requires. */
  requireTable(slot: number, name: string): FlatTable {
    const table = this.table(slot);
    if (table === null) throw corrupt(`the metadata lacks ${name}`);
    return table;
  }

  structs(slot: number, structBytes: number): StructVector {
    const at = this.target(slot);
    if (at === null) return NO_STRUCTS;
    const count = this.bytes.uint32(at);
    return { count, position: this.bytes.check(at + 4, count * structBytes) };
  }

  *tables(slot: number): Generator<FlatTable, void, undefined> {
    const { count, position } = this.structs(slot, 4);
    for (let i = 0; i < count; i++) {
      const at = position + 4 * i;
      yield new FlatTable(this.bytes, at + this.bytes.uint32(at));
    }
  }

  /** Where the slot's offset leads; null if the slot is absent. */
  private target(slot: number): number | null {
    const at = this.field(slot, 4);
    return at === 0 ? null : at + this.bytes.uint32(at);
  }

  /** Where the slot's `width` bytes are; 0 if the slot is absent. */
  private field(slot: number, width: number): number {
    const entry = 4 + 2 * slot;
    if (entry + 2 > this.vtableBytes) return 0;
    const offset = this.bytes.uint16(this.vtable + entry);
    if (offset === 0) return 0;
    if (offset + width > this.tableBytes) throw corrupt('a field of the metadata lies outside of its table');
    return this.position + offset;
  }
}
