/**
 * The LZ4 frame format (v1.6.x), as far as needed to measure a frame before it is decompressed: a frame can decompress
 * to 255 times its size. Written by hand: lz4-napi takes no bound, and the size in the header is optional and may be
 * wrong.
 */
import { corrupt } from '../fault.js';

const MAGIC = 0x184d2204;
const MIN_MATCH = 4;

/** Largest block of the format; what would not compress is stored. */
const MAX_BLOCK_BYTES = 4 * 1024 * 1024;

interface FrameExtent {
  /** Where the frame ends in the given bytes. */
  readonly end: number;
  /** Decompressed size in bytes. */
  readonly contentBytes: number;
}

/** Walks the blocks and their lengths of literals and matches; copies nothing. A step is a block, 4 MiB at most. */
export function* measureLz4Frame(bytes: Uint8Array): Generator<void, FrameExtent, void> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (view.getUint32(0, true) !== MAGIC) throw corrupt('a compressed buffer is not an LZ4 frame');
    const flags = view.getUint8(4);
    if (flags >> 6 !== 1 || (flags & 0x02) !== 0) throw corrupt('an LZ4 frame has an unknown version');
    const blockChecksumBytes = flags & 0x10 ? 4 : 0;
    let at = 7 + (flags & 0x08 ? 8 : 0) + (flags & 0x01 ? 4 : 0);
    let contentBytes = 0;
    for (;;) {
      const header = view.getUint32(at, true);
      at += 4;
      if (header === 0) break;
      const blockBytes = header & 0x7fffffff;
      if (blockBytes > MAX_BLOCK_BYTES) throw corrupt('an LZ4 frame has an impossible block');
      if (at + blockBytes > bytes.length) throw corrupt('an LZ4 frame is cut short');
      contentBytes += header >>> 31 === 1 ? blockBytes : measureBlock(bytes, at, at + blockBytes);
      at += blockBytes + blockChecksumBytes;
      yield;
    }
    const end = at + (flags & 0x04 ? 4 : 0);
    if (end > bytes.length) throw corrupt('an LZ4 frame is cut short');
    return { end, contentBytes };
  } catch (error) {
    if (error instanceof RangeError) throw corrupt('an LZ4 frame is cut short');
    throw error;
  }
}

/** A block is sequences of literals and a match; the last has literals only. */
function measureBlock(bytes: Uint8Array, start: number, end: number): number {
  let content = 0;
  let at = start;
  while (at < end) {
    const token = bytes[at++]!;
    let literals = token >> 4;
    if (literals === 15) {
      let more = 255;
      while (more === 255 && at < end) literals += more = bytes[at++]!;
    }
    at += literals;
    content += literals;
    if (at >= end) break;
    at += 2; // the match's distance
    let match = token & 15;
    if (match === 15) {
      let more = 255;
      while (more === 255 && at < end) match += more = bytes[at++]!;
    }
    content += match + MIN_MATCH;
  }
  if (at !== end) throw corrupt('a block of an LZ4 frame is damaged');
  return content;
}
