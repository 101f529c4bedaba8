/**
 * Reads the tokens of a JSON text in bytes, one after the other, each in limited time. Grammar and values are those of
 * JSON.parse, which converts all numbers and escapes.
 *
 * Written by hand: streaming parsers (stream-json, clarinet) return every number as a value, and a body has millions.
 *
 * Fails with `bad_json`, naming the byte, and with `body_too_large` for a text that is longer than any field allows.
 */
import { ShortlistError } from '../../base/errors.js';

export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const COLON = 0x3a;
export const BACKSLASH = 0x5c;
export const LIST_START = 0x5b;
export const LIST_END = 0x5d;
export const OBJECT_START = 0x7b;
export const OBJECT_END = 0x7d;

const SPACE = 0x20;

/** Bytes read in one step: some tens of microseconds. */
export const STEP_BYTES = 16 * 1024;

/** Longest text outside of vectors as it is sent: a filter text may have 4,096 characters, each sent as two escapes. */
const MAX_TEXT_BYTES = 64 * 1024;

/** Longest number, true, false or null: the exact decimals of a double have at most 1,077 characters. */
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

  /** Skips white space, for at most one step. @returns whether there may be more */
  skipSpace(): boolean {
    const { bytes } = this;
    const end = Math.min(bytes.length, this.at + STEP_BYTES);
    let { at } = this;
    while (at < end && isSpace(bytes[at]!)) at++;
    this.at = at;
    return at === end && at < bytes.length;
  }

  /** @throws bad_json if another byte is next */
  skip(byte: number): void {
    if (this.next !== byte) throw this.malformed();
    this.at++;
  }

  /** @returns whether the byte was next */
  skipIf(byte: number): boolean {
    if (this.next !== byte) return false;
    this.at++;
    return true;
  }

  /** Reads a text and skips its closing quote. */
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

  /** Reads a number, true, false or null. */
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

function isSpace(byte: number): boolean {
  return byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Digits, letters, signs and the decimal point. */
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
  const message = `the body has a text of more than ${MAX_TEXT_BYTES} bytes outside of its vectors; no field allows that`;
  return new ShortlistError('body_too_large', message, { limit: MAX_TEXT_BYTES });
}
