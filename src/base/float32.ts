/** Float16 and float32 values as numbers and as text. */

export function float16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const POWERS_OF_TEN = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);

/**
 * The double that prints as the shortest decimal of the same float32: 0.30000001192092896 becomes 0.3. Six digits
 * survive in every normal float32 and nine always restore it, so this tries six, seven, eight and nine.
 * @param value a finite float32 value
 */
export function shortestFloat32(value: number): number {
  const magnitude = Math.abs(value);
  if (Number.isInteger(value) && magnitude < 2 ** 24) return value;
  if (magnitude >= 1e-9 && magnitude < 1e9) {
    const exponent = Math.floor(Math.log10(magnitude));
    for (let digits = 6; digits <= 9; digits++) {
      const decimals = digits - 1 - exponent;
      if (decimals < 0 || decimals > 22) continue;
      // Both operands are exact doubles, so the quotient is the double nearest to the decimal.
      const rounded = Math.round(value * POWERS_OF_TEN[decimals]!) / POWERS_OF_TEN[decimals]!;
      if (Math.fround(rounded) === value) return rounded;
    }
  }
  // Values far from 1, and subnormal ones, which have fewer than six digits.
  for (let digits = 1; digits <= 9; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return rounded;
  }
  return value;
}

/** Space that `writeFloat32` needs: JSON's longest number is -1.2345678901234567e-308. */
export const MAX_NUMBER_BYTES = 25;

/**
 * Writes `shortestFloat32(value)` as JSON does, in ASCII. Where rounding finds the digits, they are already a whole
 * number; writing that takes a fifth of the time of printing a double.
 * @param value a finite float32 value
 * @param out has space for MAX_NUMBER_BYTES from `at` on
 * @returns where the text ends
 */
export function writeFloat32(value: number, out: Uint8Array, at: number): number {
  const magnitude = Math.abs(value);
  // Below 1e-6 JSON writes an exponent; from 10 on there is more than one digit before the point.
  if (magnitude >= 1e-6 && magnitude < 10) {
    const decimals = 5 - exponentOf(magnitude);
    // From 0.1 on, rounding to seven digits also finds six: the float32 lies within half a unit of the seventh.
    for (let more = decimals <= 6 ? 1 : 0; more <= 3; more++) {
      const power = POWERS_OF_TEN[decimals + more]!;
      const scaled = Math.round(value * power);
      if (Math.fround(scaled / power) === value) return writeScaled(scaled, decimals + more, out, at);
    }
  }
  return writeAscii(String(shortestFloat32(value)), out, at);
}

/** floor(log10(magnitude)) from 1e-6 to below 10. Scores are near 1, so this takes one or two comparisons. */
function exponentOf(magnitude: number): number {
  if (magnitude >= 1) return 0;
  let exponent = -1;
  while (magnitude * POWERS_OF_TEN[-exponent]! < 1) exponent--;
  return exponent;
}

/** Writes scaled / 10^decimals without trailing zeros. @param scaled not 0, at most nine digits, so an int32 */
function writeScaled(scaled: number, decimals: number, out: Uint8Array, at: number): number {
  let rest = scaled < 0 ? -scaled | 0 : scaled | 0;
  let places = decimals;
  for (let tenth = (rest / 10) | 0; tenth * 10 === rest && places > 0; tenth = (rest / 10) | 0) {
    rest = tenth;
    places--;
  }
  if (scaled < 0) out[at++] = 45;
  const end = at + (places === 0 ? 1 : places + 2);
  let to = end;
  for (; places > 0; places--) {
    const tenth = (rest / 10) | 0;
    out[--to] = 48 + rest - tenth * 10;
    rest = tenth;
  }
  if (to !== end) out[--to] = 46;
  out[--to] = 48 + rest;
  return end;
}

function writeAscii(text: string, out: Uint8Array, at: number): number {
  for (let i = 0; i < text.length; i++) out[at++] = text.charCodeAt(i);
  return at;
}
