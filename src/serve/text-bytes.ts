/**
 * Text as bytes, as it is put together: an answer is written once, where strings would be joined, flattened and encoded.
 * What is here already in bytes, ids for instance, is copied without becoming a string.
 */

/** An answer of 1,000 candidates; most have 100. */
const FIRST_BYTES = 64 * 1024;

/** Longer ASCII is written by a call into Node; below, the call costs more than the characters. */
const SHORT_CHARACTERS = 32;

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
    for (let i = 0; i < text.length; i++) this.bytes[this.length++] = text.charCodeAt(i);
  }

  utf8(text: string): void {
    this.reserve(3 * text.length);
    this.length += this.bytes.write(text, this.length);
  }

  /** A copy of the text; the writer is empty then. A large buffer is not kept for the next one. */
  take(): Buffer {
    const text = Buffer.from(this.bytes.subarray(0, this.length));
    this.length = 0;
    if (this.bytes.length > FIRST_BYTES) this.bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
    return text;
  }
}
