/**
 * Numbers as people read them: in bounded length, whatever the value. From 1e15 on, and for tiny numbers, in exponent
 * form: 300 digits say less than `1e+300`.
 */

/** From here on a double does not hold every tenth, and few people count the digits. */
const MIN_EXPONENT_FORM = 1e15;

/** `1,234.5`: at most so many decimals, and at least two significant digits of a small number. */
export function formatNumber(value: number, decimals = 3): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return String(value);
  if (size >= MIN_EXPONENT_FORM) return Number(value.toPrecision(6)).toExponential();
  if (size !== 0 && decimals > 0 && size < 10 ** -decimals) return value.toPrecision(2);
  // + 0: no sign of a zero.
  return (Number(value.toFixed(decimals)) + 0).toLocaleString('en-US', { maximumFractionDigits: decimals });
}

/** `0.9500`: exactly so many decimals, so that numbers below each other can be compared. */
export function formatFixed(value: number, decimals: number): string {
  if (!Number.isFinite(value) || Math.abs(value) >= MIN_EXPONENT_FORM) return formatNumber(value);
  return (Number(value.toFixed(decimals)) + 0).toFixed(decimals);
}
