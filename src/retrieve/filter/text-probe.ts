/**
 * Few needles are rarely found. Node's native search for a few bytes of each needle skips most of a column, ten times
 * as fast as the automaton, and only texts with these bytes are read.
 *
 * At most 7 bytes are searched for: for these, Node searches for the first byte and compares the rest in place. For any
 * text and needle that costs a bounded number of steps per byte.
 */
import type { Texts } from './text-dictionary.js';

/** Maximum needles to probe for: each is a search of its own. */
const MAX_PROBES = 8;

/** Longest part that Node searches for in linear time. */
const PROBE_BYTES = 7;

/** Bytes sampled to tell rare bytes from frequent ones. */
const SAMPLE_BYTES = 16_384;

/** If the first byte is more frequent than this, the search stops so often that reading everything is faster. */
const MAX_SHARE = 1 / 8;

export interface Probe {
  readonly part: Buffer;
  readonly isWhole: boolean;
}

/** @returns null if reading every text costs less */
export function chooseProbes(needles: readonly Buffer[], { bytes, offsets, rows }: Texts): Probe[] | null {
  if (needles.length > MAX_PROBES) return null;
  const sampled = Math.min(SAMPLE_BYTES, offsets[rows]!);
  const counts = new Uint32Array(256);
  for (let i = 0; i < sampled; i++) counts[bytes[i]!]!++;
  const probes = needles.map((needle) => chooseProbe(needle, counts));
  return probes.some(({ part }) => counts[part[0]!]! > sampled * MAX_SHARE) ? null : probes;
}

function chooseProbe(needle: Buffer, counts: Uint32Array): Probe {
  if (needle.length <= PROBE_BYTES) return { part: needle, isWhole: true };
  let best = 0;
  for (let at = 1; at + PROBE_BYTES <= needle.length; at++) {
    if (counts[needle[at]!]! < counts[needle[best]!]!) best = at;
  }
  return { part: needle.subarray(best, best + PROBE_BYTES), isWhole: false };
}

/**
 * Marks the texts of a window that contain the part.
 * @param marks one per row from `from` on
 * @returns the number of newly marked texts
 */
export function markTexts(
  { bytes, offsets }: Texts,
  from: number,
  to: number,
  part: Buffer,
  marks: Uint8Array,
): number {
  const start = offsets[from]!;
  const window = Buffer.from(bytes.buffer, bytes.byteOffset + start, offsets[to]! - start);
  let marked = 0;
  let row = from;
  for (let at = window.indexOf(part); at >= 0;) {
    while (offsets[row + 1]! - start <= at) row++;
    const end = offsets[row + 1]! - start;
    const isInside = at + part.length <= end;
    if (isInside && marks[row - from] === 0) {
      marks[row - from] = 1;
      marked++;
    }
    at = window.indexOf(part, isInside ? end : at + 1);
  }
  return marked;
}
