/**
 * Kinds of data on which a rule for ef may fail, as rows one after the other. Equal arguments give equal bytes.
 *
 *   diffuse      wide clusters that share directions: the nearest neighbour of a row is far away (median cosine 0.66)
 *   textLike     a mean common to all rows, a power-law spectrum, topics and sub-topics of very uneven sizes
 *   deviates     normal deviates: no structure at all
 *   skewedNorms  clustered directions, lognormal lengths: for inner product
 *   copies       three rows in ten are copies of others; one row has thousands of copies
 */
import { normalizeRow } from '../../src/base/metric.js';
import { seededRandom } from '../../src/base/random.js';
import { normalSource } from '../engine/generate.js';

export function diffuse(count: number, dim: number, seed: number): Float32Array {
  const CENTRES = 400;
  const DIRECTIONS = 40;
  const normal = normalSource(seededRandom(seed));
  const pick = seededRandom(seed + 1);
  const centres = deviates(CENTRES, dim, seed + 2);
  const directions = deviates(DIRECTIONS, dim, seed + 3);
  return fillRows(count, dim, (row) => {
    const centre = Math.floor(pick() * CENTRES) * dim;
    for (let j = 0; j < dim; j++) row[j] = 0.8 * centres[centre + j]! + 0.25 * normal();
    for (let i = 0; i < DIRECTIONS; i++) addScaled(row, directions, i * dim, 0.15 * normal());
  });
}

export function textLike(count: number, dim: number, seed: number): Float32Array {
  const TOPICS = 300;
  const SUBTOPICS = 12;
  const normal = normalSource(seededRandom(seed));
  const pick = seededRandom(seed + 1);
  const spectrum = Float64Array.from({ length: dim }, (_, j) => (j + 1) ** -0.6);
  const shape = (values: Float32Array, scale: number): Float32Array =>
    values.map((value, i) => scale * spectrum[i % dim]! * value);
  const mean = shape(deviates(1, dim, seed + 2), 0.9);
  const topics = shape(deviates(TOPICS, dim, seed + 3), 0.7);
  const subtopics = shape(deviates(TOPICS * SUBTOPICS, dim, seed + 4), 0.45);
  const rows = fillRows(count, dim, (row) => {
    // The chance of topic t falls as 1 / (t + 2).
    const topic = Math.min(TOPICS - 1, Math.floor((TOPICS / 2 + 1) ** pick() * 2 - 2));
    const subtopic = topic * SUBTOPICS + Math.floor(SUBTOPICS * pick() ** 2);
    const spread = 0.2 + 0.5 * pick();
    for (let j = 0; j < dim; j++) {
      const middle = mean[j]! + topics[topic * dim + j]! + subtopics[subtopic * dim + j]!;
      row[j] = middle + spread * spectrum[j]! * normal();
    }
  });
  return rows.map(toFloat16);
}

export function deviates(count: number, dim: number, seed: number): Float32Array {
  const normal = normalSource(seededRandom(seed));
  return new Float32Array(count * dim).map(() => normal());
}

export function skewedNorms(count: number, dim: number, sigma: number, seed: number): Float32Array {
  const rows = diffuse(count, dim, seed);
  const normal = normalSource(seededRandom(seed + 9));
  for (let row = 0; row < count; row++) {
    const norm = Math.exp(sigma * normal());
    for (let j = 0; j < dim; j++) rows[row * dim + j]! *= norm;
  }
  return rows;
}

export function copies(count: number, dim: number, seed: number): Float32Array {
  const rows = textLike(count, dim, seed);
  const pick = seededRandom(seed + 9);
  for (let row = 1; row < count; row++) {
    const chance = pick();
    if (chance >= 0.3) continue;
    const original = chance < 0.05 ? 0 : Math.floor(pick() * row);
    rows.copyWithin(row * dim, original * dim, (original + 1) * dim);
  }
  return rows;
}

/** Rows of unit length. */
function fillRows(count: number, dim: number, fill: (row: Float64Array) => void): Float32Array {
  const values = new Float32Array(count * dim);
  const row = new Float64Array(dim);
  for (let at = 0; at < values.length; at += dim) {
    fill(row);
    values.set(row, at);
    normalizeRow(values, at, dim);
  }
  return values;
}

function addScaled(sum: Float64Array, from: Float32Array, offset: number, factor: number): void {
  for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + from[offset + i]! * factor;
}

/** Rounds to the 11 bits of float16, whose range unit rows do not leave (Veltkamp's splitting). */
function toFloat16(value: number): number {
  const scaled = Math.fround(value * 8193);
  return Math.fround(scaled - Math.fround(scaled - value));
}
