/**
 * Text as bytes, as it is put together: an answer is written once, where strings would be joined, flattened and encoded.
 * What is here already in bytes, ids and texts of Arrow columns, is copied without becoming a string.
 */
import { MAX_NUMBER_BYTES, writeFloat32 } from '../base/float32.js';

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
  length = 0;

  /** Makes room for so many bytes more. */
  reserve(bytes: number): void {
    const wanted = this.length + bytes;
    if (wanted <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(wanted, 2 * this.bytes.length));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
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

  /** A few bytes that are always the same. */
  copy(source: Uint8Array): void {
    this.reserve(source.length);
    const { bytes, length } = this;
    for (let i = 0; i < source.length; i++) bytes[length + i] = source[i]!;
    this.length = length + source.length;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  utf8(text: string): void {
    this.reserve(3 * text.length);
    this.length += this.bytes.write(text, this.length);
  }

  /** As `shortestFloat32` prints. @param value a finite float32 */
  float32(value: number): void {
    this.reserve(MAX_NUMBER_BYTES);
    this.length = writeFloat32(value, this.bytes, this.length);
  }

  /** The bytes of a UTF-8 text as a JSON string. Nearly always they hold nothing that JSON escapes. */
  quote(source: Uint8Array, from: number, to: number): void {
    this.reserve(to - from + 2);
    const { bytes } = this;
    let at = this.length;
    bytes[at++] = QUOTE;
    for (let i = from; i < to; i++) {
      const byte = source[i]!;
      if (byte < SPACE || byte === QUOTE || byte === BACKSLASH) {
        this.utf8(JSON.stringify(Buffer.from(source.buffer, source.byteOffset + from, to - from).toString('utf8')));
        return;
      }
      bytes[at++] = byte;
    }
    bytes[at++] = QUOTE;
    this.length = at;
  }

  /** A copy of the text; the writer is empty then. A large buffer is not kept for the next one. */
  take(): Buffer {
    const text = Buffer.from(this.bytes.subarray(0, this.length));
    this.length = 0;
    if (this.bytes.length > FIRST_BYTES) this.bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
    return text;
  }
}
