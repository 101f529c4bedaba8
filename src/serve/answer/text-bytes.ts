/**
 * A writer of text as bytes. An answer is written once, while strings would be joined, flattened and encoded. Ids and
 * texts of Arrow columns, which are bytes already, are copied without becoming strings.
 */
import { MAX_DECIMAL_BYTES, MAX_SMALL_INTEGER, writeSmallInteger } from '../../base/decimal.js';
import { MAX_NUMBER_BYTES, writeFloat32 } from '../../base/float32.js';

/** Enough for 1,000 candidates; most answers have 100. */
const FIRST_BYTES = 64 * 1024;

/** Longer ASCII is written by Node; for shorter text the call costs more than the characters. */
const SHORT_CHARACTERS = 32;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;

export class TextBytes {
  /** `bytes[0 .. length)` is the text. Code that writes here directly calls `reserve` first and updates `length`. */
  bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  view = new DataView(this.bytes.buffer);
  length = 0;

  reserve(bytes: number): void {
    const wanted = this.length + bytes;
    if (wanted <= this.bytes.length) return;
    const old = this.bytes;
    this.allocate(Math.max(wanted, 2 * old.length));
    old.copy(this.bytes, 0, 0, this.length);
  }

  ascii(text: string): void {
    this.reserve(text.length);
    if (text.length > SHORT_CHARACTERS) {
      this.length += this.bytes.write(text, this.length, 'latin1');
      return;
    }
    const { bytes, length } = this;
    for (let i = 0; i < text.length; i++) bytes[length + i] = text.charCodeAt(i);
    this.length = length + text.length;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  utf8(text: string): void {
    this.reserve(3 * text.length);
    this.length += this.bytes.write(text, this.length);
  }

  integer(value: number): void {
    if (value < 0 || value > MAX_SMALL_INTEGER) {
      this.ascii(String(value));
      return;
    }
    this.reserve(MAX_DECIMAL_BYTES);
    this.length = writeSmallInteger(value, this.bytes, this.length);
  }

  /** Writes what `shortestFloat32` returns. @param value a finite float32 */
  float32(value: number): void {
    this.reserve(MAX_NUMBER_BYTES);
    this.length = writeFloat32(value, this.bytes, this.length);
  }

  /** Writes UTF-8 bytes as a JSON string. They rarely contain anything to escape. */
  quote(source: Uint8Array, from: number, to: number): void {
    if (needsEscapes(source, from, to)) {
      this.utf8(JSON.stringify(Buffer.from(source.buffer, source.byteOffset + from, to - from).toString('utf8')));
      return;
    }
    this.reserve(to - from + 2);
    const { bytes } = this;
    let at = this.length;
    bytes[at++] = QUOTE;
    for (let i = from; i < to; i++) bytes[at++] = source[i]!;
    bytes[at++] = QUOTE;
    this.length = at;
  }

  /** Writes bytes that are text already. */
  append(source: Uint8Array, from: number, to: number): void {
    this.reserve(to - from);
    this.bytes.set(source.subarray(from, to), this.length);
    this.length += to - from;
  }

  /**
   * Copies the text and empties the writer. A large buffer is not kept.
   * @param before bytes of space before the text @param after bytes of space after it
   * @param allocate returns the memory for the copy
   */
  copy(before = 0, after = 0, allocate: (bytes: number) => Buffer = (bytes) => Buffer.allocUnsafe(bytes)): Buffer {
    const text = allocate(before + this.length + after);
    this.bytes.copy(text, before, 0, this.length);
    this.length = 0;
    if (this.bytes.length > FIRST_BYTES) this.allocate(FIRST_BYTES);
    return text;
  }

  private allocate(bytes: number): void {
    this.bytes = Buffer.allocUnsafeSlow(bytes);
    this.view = new DataView(this.bytes.buffer);
  }
}

/** Whether the JSON string of a UTF-8 text differs from its bytes in quotes. */
export function needsEscapes(source: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const byte = source[i]!;
    if (byte < SPACE || byte === QUOTE || byte === BACKSLASH) return true;
  }
  return false;
}
