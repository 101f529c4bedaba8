/**
 * Few needles are seldom found: most of a column is passed over by the processor's own search for a few bytes of each
 * needle, ten times faster than an automaton reads, and only texts that hold these bytes are read.
 *
 * The bytes are 7 at most, for which Node searches by the first of them and compares the others on the spot: whatever
 * text and needle are, that costs no more than a fixed number of steps a byte.
 */
import type { Texts } from './text-dictionary.js';

/** Needles that are probed for at most: each is a search of its own. */
const MAX_PROBES = 8;

/** Longest part of a needle that Node looks for in linear time. */
const PROBE_BYTES = 7;

/** Bytes that are looked at to tell rare bytes from frequent ones. */
const SAMPLE_BYTES = 16_384;

/** A first byte more frequent than this stops the search so often that reading all is quicker. */
const MAX_SHARE = 1 / 8;

export interface Probe {
  readonly part: Buffer;
  /** Whether the part is the whole needle. */
  readonly isWhole: boolean;
}

/** @returns null where reading every text costs less */
export function chooseProbes(needles: readonly Buffer[], { bytes, offsets, rows }: Texts): Probe[] | null {
  if (needles.length > MAX_PROBES) return null;
  const sampled = Math.min(SAMPLE_BYTES, offsets[rows]!);
  const counts = new Uint32Array(256);
  for (let i = 0; i < sampled; i++) counts[bytes[i]!]!++;
  const probes = needles.map((needle) => chooseProbe(needle, counts));
  return probes.some(({ part }) => counts[part[0]!]! > sampled * MAX_SHARE) ? null : probes;
}

/** The part that begins with the rarest byte. */
function chooseProbe(needle: Buffer, counts: Uint32Array): Probe {
  if (needle.length <= PROBE_BYTES) return { part: needle, isWhole: true };
  let best = 0;
  for (let at = 1; at + PROBE_BYTES <= needle.length; at++) {
    if (counts[needle[at]!]! < counts[needle[best]!]!) best = at;
  }
  return { part: needle.subarray(best, best + PROBE_BYTES), isWhole: false };
}

/**
 * Marks the texts of a window that hold the part.
 * @param marks one for each row from `from` on
 * @returns how many more are marked now
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
