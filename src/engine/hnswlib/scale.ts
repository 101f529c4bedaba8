/**
 * Keeps hnswlib's float32 arithmetic in range.
 *
 * hnswlib adds squares and products in float32: components of 1e18 overflow, components of 1e-18 vanish, and inner
 * products far below 1 are lost in its `1 - product`. So rows are multiplied by a power of two, which is exact and
 * does not change the order. Scores are computed from the original rows. The factor depends on the rows alone, so a
 * graph and its vectors suffice to open it.
 *
 * Cosine rows have unit length and are never scaled.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Metric } from '../../base/metric.js';

/**
 * Largest components for which rows are not scaled: those of ordinary embeddings, so that others can use the files
 * as they are.
 */
const UNSCALED: Record<Exclude<Metric, 'cosine'>, { readonly from: number; readonly to: number }> = {
  l2: { from: 2 ** -32, to: 2 ** 32 },
  ip: { from: 2 ** -6, to: 2 ** 32 },
};

/** The factor for rows whose largest component is `largest`: it scales that one to 0.5 .. 1. */
export function rowFactor(metric: Metric, largest: number): number {
  if (metric === 'cosine' || largest === 0) return 1;
  const { from, to } = UNSCALED[metric];
  return largest >= from && largest <= to ? 1 : 2 ** -exponentOf(largest);
}

/**
 * A query with a component beyond this many times the largest component of any row is scanned for under l2: its
 * squared distances would differ by less than float32 resolves, or overflow.
 */
const FAR_QUERY = 2 ** 12;

/** Exponent of the largest component of a query under ip: products far above 1 keep their digits in `1 - product`. */
const IP_QUERY_EXPONENT = 16;

/** The factor for one query, or null if the graph cannot be searched for it. */
export function queryFactor(metric: Metric, query: Float32Array, largestOfRows: number, ofRows: number): number | null {
  if (metric === 'cosine') return 1;
  const largest = largestMagnitude(query);
  if (metric === 'l2') return largest <= FAR_QUERY * largestOfRows ? ofRows : null;
  return largest === 0 ? null : 2 ** (IP_QUERY_EXPONENT - exponentOf(largest));
}

/** The largest magnitude of these values; 0 if there are none. */
export function largestMagnitude(values: Float32Array): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const magnitude = Math.abs(values[i]!);
    if (magnitude > largest) largest = magnitude;
  }
  return largest;
}

/** Values between two turns of the event loop: about a millisecond. */
const TURN_VALUES = 2 ** 20;

/** `largestMagnitude` of a whole shard, without blocking the event loop. */
export async function largestMagnitudeInTurns(values: Float32Array): Promise<number> {
  let largest = 0;
  for (let from = 0; from < values.length; from += TURN_VALUES) {
    largest = Math.max(largest, largestMagnitude(values.subarray(from, from + TURN_VALUES)));
    await nextTurn();
  }
  return largest;
}

const bits = new DataView(new ArrayBuffer(8));

/** The e of 2^(e-1) <= value < 2^e, exact, unlike a rounded logarithm. @param value a positive float32 */
function exponentOf(value: number): number {
  bits.setFloat64(0, value); // every float32, the subnormal ones too, is a normal float64
  return ((bits.getUint32(0) >>> 20) & 0x7ff) - 1022;
}
