/**
 * What a score is. Takes float32 vectors; returns float32 scores, higher is better, with equal bits on every machine.
 *
 * A product of two float32 is exact in float64, so sums are float64 and rounded to float32 once, at the end. The order
 * of addition is fixed: eight lanes, lane j sums components j, j+8, j+16, ..., then the lanes are added pairwise. Eight
 * float64 fill one AVX-512 register or two AVX2 registers, so C++ can follow the same order at full speed.
 */

/** `cosine`: similarity of directions. `ip`: inner product. `l2`: minus the Euclidean distance. */
export type Metric = 'cosine' | 'ip' | 'l2';
export const METRICS: readonly Metric[] = ['cosine', 'ip', 'l2'];

const FLOAT32_MAX = 3.4028234663852886e38;

/** Sum over j of a[aOffset + j] * b[bOffset + j], float64. */
export function dot(a: Float32Array, aOffset: number, b: Float32Array, bOffset: number, dim: number): number {
  let s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0; // prettier-ignore
  let i = aOffset;
  let j = bOffset;
  const whole = aOffset + (dim & ~7);
  for (; i < whole; i += 8, j += 8) {
    s0 += a[i]! * b[j]!;
    s1 += a[i + 1]! * b[j + 1]!;
    s2 += a[i + 2]! * b[j + 2]!;
    s3 += a[i + 3]! * b[j + 3]!;
    s4 += a[i + 4]! * b[j + 4]!;
    s5 += a[i + 5]! * b[j + 5]!;
    s6 += a[i + 6]! * b[j + 6]!;
    s7 += a[i + 7]! * b[j + 7]!;
  }
  const rest = dim & 7;
  if (rest > 0) s0 += a[i]! * b[j]!;
  if (rest > 1) s1 += a[i + 1]! * b[j + 1]!;
  if (rest > 2) s2 += a[i + 2]! * b[j + 2]!;
  if (rest > 3) s3 += a[i + 3]! * b[j + 3]!;
  if (rest > 4) s4 += a[i + 4]! * b[j + 4]!;
  if (rest > 5) s5 += a[i + 5]! * b[j + 5]!;
  if (rest > 6) s6 += a[i + 6]! * b[j + 6]!;
  return s0 + s4 + (s2 + s6) + (s1 + s5 + (s3 + s7));
}

/** Sum over j of (a[aOffset + j] - b[bOffset + j])^2, float64, lanes and order as in `dot`. */
export function squaredL2(a: Float32Array, aOffset: number, b: Float32Array, bOffset: number, dim: number): number {
  let s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0, d = 0; // prettier-ignore
  let i = aOffset;
  let j = bOffset;
  const whole = aOffset + (dim & ~7);
  for (; i < whole; i += 8, j += 8) {
    d = a[i]! - b[j]!;
    s0 += d * d;
    d = a[i + 1]! - b[j + 1]!;
    s1 += d * d;
    d = a[i + 2]! - b[j + 2]!;
    s2 += d * d;
    d = a[i + 3]! - b[j + 3]!;
    s3 += d * d;
    d = a[i + 4]! - b[j + 4]!;
    s4 += d * d;
    d = a[i + 5]! - b[j + 5]!;
    s5 += d * d;
    d = a[i + 6]! - b[j + 6]!;
    s6 += d * d;
    d = a[i + 7]! - b[j + 7]!;
    s7 += d * d;
  }
  const rest = dim & 7;
  if (rest > 0) s0 += (d = a[i]! - b[j]!) * d;
  if (rest > 1) s1 += (d = a[i + 1]! - b[j + 1]!) * d;
  if (rest > 2) s2 += (d = a[i + 2]! - b[j + 2]!) * d;
  if (rest > 3) s3 += (d = a[i + 3]! - b[j + 3]!) * d;
  if (rest > 4) s4 += (d = a[i + 4]! - b[j + 4]!) * d;
  if (rest > 5) s5 += (d = a[i + 5]! - b[j + 5]!) * d;
  if (rest > 6) s6 += (d = a[i + 6]! - b[j + 6]!) * d;
  return s0 + s4 + (s2 + s6) + (s1 + s5 + (s3 + s7));
}

/** The raw float64 sum that `toScore` turns into a score: dot product, or squared distance under l2. */
type RawKernel = typeof dot;
export function rawKernel(metric: Metric): RawKernel {
  return metric === 'l2' ? squaredL2 : dot;
}

/** The float64 score of a raw sum: recall is judged by it. */
export function toScore64(metric: Metric, raw: number): number {
  if (metric === 'l2') return -Math.sqrt(raw);
  if (metric === 'cosine') return raw > 1 ? 1 : raw < -1 ? -1 : raw;
  return raw;
}

/** The score that is returned and sorted by: float32, never infinite; cosine is limited to -1 .. 1. */
export function toScore(metric: Metric, raw: number): number {
  const score = toScore64(metric, raw);
  if (score > FLOAT32_MAX) return FLOAT32_MAX;
  if (score < -FLOAT32_MAX) return -FLOAT32_MAX;
  return Math.fround(score) + 0; // + 0 turns -0 into 0, so that a distance of 0 prints as 0
}

/**
 * A squared norm this close to 1 counts as unit length, and the vector stays as it is, so that scaling twice gives the
 * same bits as scaling once. It is twice the error of a vector scaled to unit length and rounded to float32 (2^-23).
 */
const UNIT_TOLERANCE = 2 ** -22;

/** Scales the row at `offset` to unit length, in place. @returns false for the zero vector, which stays unchanged */
export function normalizeRow(vectors: Float32Array, offset: number, dim: number): boolean {
  return scaleToUnit(vectors, offset, dim, dot(vectors, offset, vectors, offset, dim));
}

/** As `normalizeRow`, if the squared length of the row (its `dot` with itself) is known. */
export function scaleToUnit(vectors: Float32Array, offset: number, dim: number, squared: number): boolean {
  if (squared === 0) return false;
  if (Math.abs(squared - 1) <= UNIT_TOLERANCE) return true;
  const norm = Math.sqrt(squared);
  for (let i = offset; i < offset + dim; i++) vectors[i] = vectors[i]! / norm;
  return true;
}
