/**
 * Tokens of a JSON text that stands in bytes, one after the other, each in bounded time. Grammar and values are those
 * of JSON.parse, which reads every token that is more than a stretch of bytes: digits become numbers, and escapes
 * characters, nowhere else.
 *
 * By hand: parsers that stream (stream-json, clarinet) give every number as a value of its own, and a body has
 * millions.
 *
 * Fails with `bad_json` naming the byte, and with `body_too_large` for a text longer than any field takes.
 */
import { ShortlistError } from '../../base/errors.js';

/** `"`, `,`, `:`, `\` and the brackets as bytes. */
export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const COLON = 0x3a;
export const BACKSLASH = 0x5c;
export const LIST_START = 0x5b;
export const LIST_END = 0x5d;
export const OBJECT_START = 0x7b;
export const OBJECT_END = 0x7d;

const SPACE = 0x20;

/** What is looked at in one step: some tens of microseconds. */
export const STEP_BYTES = 16 * 1024;

/**
 * Longest text outside of vectors, as it is sent: one of a filter may have 4,096 characters, each sent as two
 * escapes.
 */
const MAX_TEXT_BYTES = 64 * 1024;

/** Longest number, true, false or null: the exact decimals of a double take at most 1,077 characters. */
const MAX_SCALAR_BYTES = 4_096;

export class JsonScanner {
  /** Position of the next byte. */
  at = 0;

  /** @param bytes valid UTF-8 */
  constructor(readonly bytes: Buffer) {}

  get length(): number {
    return this.bytes.length;
  }

  /** The next byte; NaN at the end. */
  get next(): number {
    return this.bytes[this.at] ?? NaN;
  }

  /** Passes over white space, for one step at most. @returns whether there may be more of it */
  skipSpace(): boolean {
    const { bytes } = this;
    const end = Math.min(bytes.length, this.at + STEP_BYTES);
    let { at } = this;
    while (at < end && isSpace(bytes[at]!)) at++;
    this.at = at;
    return at === end && at < bytes.length;
  }

  /** Passes over this byte. @throws bad_json where another one stands there */
  skip(byte: number): void {
    if (this.next !== byte) throw this.malformed();
    this.at++;
  }

  /** Passes over this byte if it is there. */
  skipIf(byte: number): boolean {
    if (this.next !== byte) return false;
    this.at++;
    return true;
  }

  /** A text, up to behind its closing quote. */
  readText(): string {
    const { bytes } = this;
    const start = this.at;
    let hasEscapes = false;
    let end = start + 1;
    for (; bytes[end] !== QUOTE; end++) {
      const byte = bytes[end] ?? 0;
      if (byte < SPACE) throw this.malformed(end);
      if (end - start > MAX_TEXT_BYTES) throw tooLongText();
      if (byte === BACKSLASH) {
        hasEscapes = true;
        end++;
      }
    }
    this.at = end + 1;
    if (!hasEscapes) return bytes.toString('utf8', start + 1, end);
    return this.parse(bytes.toString('utf8', start, end + 1), start) as string;
  }

  /** A number, true, false or null. */
  readScalar(): unknown {
    const { bytes } = this;
    const start = this.at;
    let end = start;
    while (isScalarByte(bytes[end] ?? 0) && end - start <= MAX_SCALAR_BYTES) end++;
    if (end === start || end - start > MAX_SCALAR_BYTES) throw this.malformed();
    this.at = end;
    return this.parse(bytes.toString('latin1', start, end), start);
  }

  malformed(at = this.at): ShortlistError {
    const where = at >= this.length ? 'it ends too early' : `see byte ${at}`;
    return new ShortlistError('bad_json', `the body is not valid JSON: ${where}`);
  }

  private parse(text: string, start: number): unknown {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      throw this.malformed(start);
    }
  }
}

/** White space of JSON: space, tab, line feed, carriage return. */
function isSpace(byte: number): boolean {
  return byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Digits, letters, signs and the point. */
function isScalarByte(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2e ||
    byte === 0x2d ||
    byte === 0x2b ||
    (byte >= 0x61 && byte <= 0x7a) ||
    byte === 0x45
  );
}

function tooLongText(): ShortlistError {
  const message = `the body has a text of more than ${MAX_TEXT_BYTES} bytes outside of its vectors; no field takes one`;
  return new ShortlistError('body_too_large', message, { limit: MAX_TEXT_BYTES });
}
