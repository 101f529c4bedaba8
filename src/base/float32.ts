/** Float16 and float32 as numbers and as text. */

/** The float16 of these 16 bits. */
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
 * The double that prints as the shortest decimal which rounds to the same float32: 0.30000001192092896 becomes 0.3.
 * Six digits always survive a normal float32 and nine always restore it, so rounding to six, seven, eight, nine finds it.
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
  // Far from 1, and subnormal values, which carry fewer than six digits.
  for (let digits = 1; digits <= 9; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return rounded;
  }
  return value;
}
