/** The float16 nearest to a float32, ties to even. Written by hand, since Node 20 and 22 have no Float16Array. */
const words = new Uint32Array(1);
const singles = new Float32Array(words.buffer);

export function numberToFloat16(value: number): number {
  singles[0] = value;
  const bits = words[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x7f800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00); // NaN or infinity
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65,520 and more round to infinity
  if (magnitude < 0x38800000) return sign | roundEven(Math.abs(value) * 2 ** 24); // subnormal: multiples of 2^-24
  // Rebiases the exponent and drops 13 bits of the fraction; a carry out of the fraction is the next exponent.
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded >>> 13) - (112 << 10));
}

function roundEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
