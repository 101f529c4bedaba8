/** Float16, written by hand, since Node 20 and 22 have no Float16Array. */
import { float16ToNumber } from '../base/float32.js';

let halves: Float32Array | null = null;

/** With a table of all 65,536 halves (256 KiB): ten times as fast as computing each. */
export function widenHalves(bits: Uint16Array): Float32Array {
  halves ??= Float32Array.from({ length: 65_536 }, (_, half) => float16ToNumber(half));
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = halves[bits[i]!]!;
  return values;
}

const words = new Uint32Array(1);
const singles = new Float32Array(words.buffer);

/** The float16 nearest to a float32, ties to even. */
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
