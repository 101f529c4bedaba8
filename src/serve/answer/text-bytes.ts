/**
 * Text as bytes, as it is put together: an answer is written once, where strings would be joined, flattened and
 * encoded. What is here already in bytes, ids and texts of Arrow columns, is copied without becoming a string.
 */
import { MAX_DECIMAL_BYTES, MAX_SMALL_INTEGER, writeSmallInteger } from '../../base/decimal.js';
import { MAX_NUMBER_BYTES, writeFloat32 } from '../../base/float32.js';

/** An answer of 1,000 candidates; most have 100. */
const FIRST_BYTES = 64 * 1024;

/** Longer ASCII is written by a call into Node; below, the call costs more than the characters. */
const SHORT_CHARACTERS = 32;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;

export class TextBytes {
  /** `bytes[0 .. length)` is the text. Whoever writes there directly calls `reserve` first and moves `length`. */
  bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  /** The same, for values of several bytes. */
  view = new DataView(this.bytes.buffer);
  length = 0;

  /** Makes room for so many bytes more. */
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

  /** As `shortestFloat32` prints. @param value a finite float32 */
  float32(value: number): void {
    this.reserve(MAX_NUMBER_BYTES);
    this.length = writeFloat32(value, this.bytes, this.length);
  }

  /** The bytes of a UTF-8 text as a JSON string. Nearly always they hold nothing that JSON escapes. */
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

  /**
   * A copy of the text; the writer is empty then. A large buffer is not kept for the next one.
   * @param before bytes of room in front of it @param after and behind it, for whoever knows what belongs there
   * @param allocate gives the copy's memory
   */
  take(before = 0, after = 0, allocate: (bytes: number) => Buffer = (bytes) => Buffer.allocUnsafe(bytes)): Buffer {
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

/** Whether a UTF-8 text as a JSON string differs from its own bytes between quotes. */
export function needsEscapes(source: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const byte = source[i]!;
    if (byte < SPACE || byte === QUOTE || byte === BACKSLASH) return true;
  }
  return false;
}
