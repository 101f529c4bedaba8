/**
 * Generates data that resembles embeddings: points of a Gaussian mixture in a small latent space, mapped by a random
 * two-layer network, scaled to unit length. Equal arguments give equal bytes.
 */
import { normalizeRow } from '../../src/base/metric.js';
import { seededRandom } from '../../src/base/random.js';

const LATENT = 16;
const HIDDEN = 64;
const CLUSTERS = 200;
/** Spread of the clusters' middles, and of points around them. */
const BETWEEN = 1.5;
const WITHIN = 0.5;
/** Noise of each component before scaling: no embedding lies on a surface exactly. */
const NOISE = 0.02;

export interface Embeddings {
  readonly dim: number;
  readonly count: number;
  /** Unit rows, in shared memory. */
  readonly values: Float32Array;
}

export function generateEmbeddings(count: number, dim: number, seed: number): Embeddings {
  const normal = normalSource(seededRandom(seed));
  const fill = (length: number, scale: number): Float64Array => Float64Array.from({ length }, () => normal() * scale);
  const first = fill(LATENT * HIDDEN, 1 / Math.sqrt(LATENT));
  const second = fill(HIDDEN * dim, 1 / Math.sqrt(HIDDEN));
  const middles = fill(CLUSTERS * LATENT, BETWEEN);
  const values = new Float32Array(new SharedArrayBuffer(4 * count * dim));
  const latent = new Float64Array(LATENT);
  const hidden = new Float64Array(HIDDEN);
  const output = new Float64Array(dim);
  const pick = seededRandom(seed + 1);
  for (let row = 0; row < count; row++) {
    const middle = Math.floor(pick() * CLUSTERS) * LATENT;
    for (let i = 0; i < LATENT; i++) latent[i] = middles[middle + i]! + normal() * WITHIN;
    for (let j = 0; j < dim; j++) output[j] = normal() * NOISE;
    hidden.fill(0);
    for (let i = 0; i < LATENT; i++) addScaled(hidden, first, i * HIDDEN, latent[i]!);
    for (let i = 0; i < HIDDEN; i++) addScaled(output, second, i * dim, Math.tanh(hidden[i]!));
    values.set(output, row * dim);
    normalizeRow(values, row * dim, dim);
  }
  return { dim, count, values };
}

function addScaled(sum: Float64Array, from: Float64Array, offset: number, factor: number): void {
  for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + from[offset + i]! * factor;
}

/** Normal deviates by the polar method of Box and Muller. */
export function normalSource(random: () => number): () => number {
  let spare: number | null = null;
  return () => {
    if (spare !== null) {
      const value = spare;
      spare = null;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}
