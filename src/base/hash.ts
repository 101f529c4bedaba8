/**
 * MurmurHash3, x86 32-bit variant (Austin Appleby, public domain). It places ids on shards and in the id table, so it
 * is part of the format on disk. Written by hand: packages hash strings or whole arrays, and an id is a range of a
 * buffer.
 */

const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;

/** The hash of bytes[start .. end). @returns an unsigned 32-bit number */
export function murmur3(bytes: Uint8Array, start: number, end: number, seed = 0): number {
  let hash = seed | 0;
  const whole = start + ((end - start) & ~3);
  let at = start;
  for (; at < whole; at += 4) {
    const block = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    hash ^= mixBlock(block);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  const rest = end - whole;
  if (rest > 0) {
    let block = bytes[at]!;
    if (rest > 1) block |= bytes[at + 1]! << 8;
    if (rest > 2) block |= bytes[at + 2]! << 16;
    hash ^= mixBlock(block);
  }
  return finalizeHash(hash ^ (end - start));
}

function mixBlock(block: number): number {
  const mixed = Math.imul(block, C1);
  return Math.imul((mixed << 15) | (mixed >>> 17), C2);
}

function finalizeHash(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** The shard of a row. @param hash murmur3 of the canonical text of its id (seed 0, UTF-8) */
export function shardOf(hash: number, shards: number): number {
  return hash % shards;
}
