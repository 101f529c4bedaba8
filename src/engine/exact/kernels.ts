/**
 * The sums of base/metric.ts for several pairs at a time, equal to the bit.
 *
 * Takes float32 rows and a packed query; gives the raw float64 sums. There are two shapes: 2 rows x 4 queries, where
 * every row is read once for four queries, and 4 rows x 1 query.
 *
 * Both finish one lane (components j, j+8, j+16, ...) before the next. So a lane adds in the order of `dot` and
 * `squaredL2`, with the same rounding, while the 8 or 4 running sums of a lane are independent and stay in
 * registers. Eight lanes of several pairs at once would need more registers than there are. On Node 20 and Zen 5,
 * with rows in the cache, against one `dot` a pair: 0.40 ns a product instead of 0.79 at 128 dimensions, 0.47
 * instead of 0.75 at 768. One query over rows from memory waits for memory either way.
 *
 * Queries are float64 already: widening a float32 loses nothing, and doing it once is cheaper than for every row.
 */
import type { Metric } from '../../base/metric.js';

/** Queries of one `TileKernel` call. */
export const TILE_QUERIES = 4;

/**
 * Sums of rows at `a` and `b` of `rows` with the four queries of `tile`, to out[at .. at + 3] and out[at + 4 .. at +
 * 7].
 * @param tile from `packTile`
 */
type TileKernel = (
  rows: Float32Array, a: number, b: number, tile: Float64Array, dim: number, out: Float64Array, at: number,
) => void; // prettier-ignore

/** Sums of the rows at `a`, `b`, `c` and `d` of `rows` with one query, to out[at .. at + 3]. */
type StripKernel = (
  rows: Float32Array, a: number, b: number, c: number, d: number, query: Float64Array, dim: number,
  out: Float64Array, at: number,
) => void; // prettier-ignore

export interface Kernels {
  readonly tile: TileKernel;
  readonly strip: StripKernel;
}

/** Four queries from `first` on, component by component: t0[0] t1[0] t2[0] t3[0] t0[1] ... */
export function packTile(queries: Float32Array, first: number, dim: number): Float64Array {
  const tile = new Float64Array(TILE_QUERIES * dim);
  for (let q = 0; q < TILE_QUERIES; q++) {
    const from = (first + q) * dim;
    for (let i = 0; i < dim; i++) tile[TILE_QUERIES * i + q] = queries[from + i]!;
  }
  return tile;
}

/** Lane sums of the call in progress: eight lanes of up to eight pairs. */
const lanes = new Float64Array(64);

/** Adds the eight lanes of `pairs` pairs as `dot` does. */
function addLanes(pairs: 4 | 8, out: Float64Array, at: number): void {
  for (let t = 0; t < pairs; t++) {
    const s0 = lanes[t]!;
    const s1 = lanes[t + pairs]!;
    const s2 = lanes[t + 2 * pairs]!;
    const s3 = lanes[t + 3 * pairs]!;
    const s4 = lanes[t + 4 * pairs]!;
    const s5 = lanes[t + 5 * pairs]!;
    const s6 = lanes[t + 6 * pairs]!;
    const s7 = lanes[t + 7 * pairs]!;
    out[at + t] = s0 + s4 + (s2 + s6) + (s1 + s5 + (s3 + s7));
  }
}

const dotTile: TileKernel = (rows, a, b, tile, dim, out, at) => {
  for (let lane = 0; lane < 8; lane++) {
    let a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0; // prettier-ignore
    for (let i = lane; i < dim; i += 8) {
      const x = rows[a + i]!;
      const y = rows[b + i]!;
      const t = TILE_QUERIES * i;
      const q0 = tile[t]!;
      const q1 = tile[t + 1]!;
      const q2 = tile[t + 2]!;
      const q3 = tile[t + 3]!;
      a0 += x * q0;
      a1 += x * q1;
      a2 += x * q2;
      a3 += x * q3;
      b0 += y * q0;
      b1 += y * q1;
      b2 += y * q2;
      b3 += y * q3;
    }
    keepLane8(lane, a0, a1, a2, a3, b0, b1, b2, b3);
  }
  addLanes(8, out, at);
};

const squaredL2Tile: TileKernel = (rows, a, b, tile, dim, out, at) => {
  for (let lane = 0; lane < 8; lane++) {
    let a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0, d = 0; // prettier-ignore
    for (let i = lane; i < dim; i += 8) {
      const x = rows[a + i]!;
      const y = rows[b + i]!;
      const t = TILE_QUERIES * i;
      const q0 = tile[t]!;
      const q1 = tile[t + 1]!;
      const q2 = tile[t + 2]!;
      const q3 = tile[t + 3]!;
      d = x - q0;
      a0 += d * d;
      d = x - q1;
      a1 += d * d;
      d = x - q2;
      a2 += d * d;
      d = x - q3;
      a3 += d * d;
      d = y - q0;
      b0 += d * d;
      d = y - q1;
      b1 += d * d;
      d = y - q2;
      b2 += d * d;
      d = y - q3;
      b3 += d * d;
    }
    keepLane8(lane, a0, a1, a2, a3, b0, b1, b2, b3);
  }
  addLanes(8, out, at);
};

const dotStrip: StripKernel = (rows, a, b, c, d, query, dim, out, at) => {
  for (let lane = 0; lane < 8; lane++) {
    let s0 = 0, s1 = 0, s2 = 0, s3 = 0; // prettier-ignore
    for (let i = lane; i < dim; i += 8) {
      const q = query[i]!;
      s0 += rows[a + i]! * q;
      s1 += rows[b + i]! * q;
      s2 += rows[c + i]! * q;
      s3 += rows[d + i]! * q;
    }
    keepLane4(lane, s0, s1, s2, s3);
  }
  addLanes(4, out, at);
};

const squaredL2Strip: StripKernel = (rows, a, b, c, d, query, dim, out, at) => {
  for (let lane = 0; lane < 8; lane++) {
    let s0 = 0, s1 = 0, s2 = 0, s3 = 0, e = 0; // prettier-ignore
    for (let i = lane; i < dim; i += 8) {
      const q = query[i]!;
      e = rows[a + i]! - q;
      s0 += e * e;
      e = rows[b + i]! - q;
      s1 += e * e;
      e = rows[c + i]! - q;
      s2 += e * e;
      e = rows[d + i]! - q;
      s3 += e * e;
    }
    keepLane4(lane, s0, s1, s2, s3);
  }
  addLanes(4, out, at);
};

function keepLane4(lane: number, s0: number, s1: number, s2: number, s3: number): void {
  const at = 4 * lane;
  lanes[at] = s0;
  lanes[at + 1] = s1;
  lanes[at + 2] = s2;
  lanes[at + 3] = s3;
}

// prettier-ignore
function keepLane8(
  lane: number, a0: number, a1: number, a2: number, a3: number, b0: number, b1: number, b2: number, b3: number,
): void {
  const at = 8 * lane;
  lanes[at] = a0;
  lanes[at + 1] = a1;
  lanes[at + 2] = a2;
  lanes[at + 3] = a3;
  lanes[at + 4] = b0;
  lanes[at + 5] = b1;
  lanes[at + 6] = b2;
  lanes[at + 7] = b3;
}

const DOT: Kernels = { tile: dotTile, strip: dotStrip };
const SQUARED_L2: Kernels = { tile: squaredL2Tile, strip: squaredL2Strip };

/** The kernels whose sums `toScore` turns into scores of this metric. */
export function kernelsOf(metric: Metric): Kernels {
  return metric === 'l2' ? SQUARED_L2 : DOT;
}
