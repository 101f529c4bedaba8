/**
 * 64-bit integers as decimal text and back, without a BigInt for each. A value is two unsigned 32-bit words, low and
 * high, in two's complement if its type is signed. Written by hand: packages for such words (long) return strings, and
 * answers are written as bytes.
 */

/** Length of the longest text: 18446744073709551615 or -9223372036854775808. */
export const MAX_DECIMAL_BYTES = 20;

/** Largest integer that V8 stores without a heap number, and its number of digits. */
export const MAX_SMALL_INTEGER = 2 ** 30 - 1;
const MAX_SMALL_DIGITS = 10;

/** Largest power of ten p for which (p - 1) * 2^32 + 2^32 - 1 is an exact double. */
const CHUNK = 1_000_000;
const CHUNK_DIGITS = 6;

const TWO_32 = 2 ** 32;

/** Writes the decimal text as ASCII to the end of `out`, MAX_DECIMAL_BYTES long. @returns where the text starts */
export function writeDecimal(low: number, high: number, signed: boolean, out: Uint8Array): number {
  const negative = signed && high >= 0x80000000;
  let lo = low;
  let hi = high;
  if (negative) {
    lo = (~low + 1) >>> 0;
    hi = (~high + (lo === 0 ? 1 : 0)) >>> 0;
  }
  let at = MAX_DECIMAL_BYTES;
  while (hi !== 0) {
    // At least 2^32 is left, so the quotient is not 0 and all six digits of the remainder are written.
    const quotient = Math.floor(hi / CHUNK);
    const rest = (hi - quotient * CHUNK) * TWO_32 + lo;
    hi = quotient;
    lo = Math.floor(rest / CHUNK);
    let digits = rest - lo * CHUNK;
    for (let i = 0; i < CHUNK_DIGITS; i++) {
      const tenth = (digits / 10) | 0;
      out[--at] = 48 + digits - tenth * 10;
      digits = tenth;
    }
  }
  do {
    const tenth = (lo / 10) >>> 0; // on a uint32, a third of the time of Math.floor
    out[--at] = 48 + lo - tenth * 10;
    lo = tenth;
  } while (lo !== 0);
  if (negative) out[--at] = 45;
  return at;
}

/** Writes an integer up to MAX_SMALL_INTEGER, which nearly all ids are, as ASCII. @returns where the text ends */
export function writeSmallInteger(value: number, out: Uint8Array, at: number): number {
  let rest = value | 0;
  let end = at + 1;
  for (let power = 10; power <= rest && end < at + MAX_SMALL_DIGITS; power *= 10) end++;
  for (let i = end - 1; i >= at; i--) {
    const tenth = (rest / 10) | 0;
    out[i] = 48 + rest - tenth * 10;
    rest = tenth;
  }
  return end;
}

export function formatDecimal(low: number, high: number, signed: boolean): string {
  const value = (signed ? high | 0 : high) * TWO_32 + low;
  if (Number.isSafeInteger(value)) return String(value);
  const bits = (BigInt(high) << 32n) | BigInt(low);
  return String(signed ? BigInt.asIntN(64, bits) : bits);
}

const CANONICAL = /^(?:0|-?[1-9][0-9]{0,19})$/;

/** The words of a decimal text; null if it is not canonical ('007', '+7', '-0') or does not fit into `bits`. */
export function parseDecimal(text: string, bits: number, signed: boolean): { low: number; high: number } | null {
  if (!CANONICAL.test(text)) return null;
  const value = BigInt(text);
  const wrapped = signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
  if (wrapped !== value) return null;
  const words = BigInt.asUintN(64, value);
  return { low: Number(words & 0xffffffffn), high: Number(words >> 32n) };
}
