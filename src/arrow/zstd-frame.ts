/**
 * The Zstandard frame format (RFC 8878), as far as needed to bound a frame's contents before they are decompressed.
 */
import { corrupt } from './fault.js';

const MAGIC = 0xfd2fb528;
/** No block unfolds to more (RFC 8878, 3.1.1.2.4). */
const MAX_BLOCK_BYTES = 128 * 1024;

export interface ZstdExtent {
  /** Where the frame ends in the bytes given. */
  readonly end: number;
  /** What the header says that it unfolds to; null where it does not say. */
  readonly contentBytes: number | null;
  /** The most that its blocks can unfold to. */
  readonly maxContentBytes: number;
}

export function measureZstdFrame(bytes: Uint8Array): ZstdExtent {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return measure(view);
  } catch (error) {
    if (error instanceof RangeError) throw corrupt('a Zstandard frame is cut short');
    throw error;
  }
}

function measure(view: DataView): ZstdExtent {
  if (view.getUint32(0, true) !== MAGIC) throw corrupt('a compressed buffer is no Zstandard frame');
  const flags = view.getUint8(4);
  if ((flags & 0x0b) !== 0) throw corrupt('a Zstandard frame needs a dictionary or sets reserved bits');
  const singleSegment = (flags & 0x20) !== 0;
  const sizeAt = singleSegment ? 5 : 6;
  const sizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][flags >> 6]!;
  const blocks = measureBlocks(view, sizeAt + sizeBytes);
  const end = blocks.end + (flags & 0x04 ? 4 : 0);
  if (end > view.byteLength) throw corrupt('a Zstandard frame is cut short');
  return { end, contentBytes: readContentSize(view, sizeAt, sizeBytes), maxContentBytes: blocks.maxContentBytes };
}

function readContentSize(view: DataView, at: number, bytes: number): number | null {
  if (bytes === 0) return null;
  if (bytes === 1) return view.getUint8(at);
  if (bytes === 2) return view.getUint16(at, true) + 256;
  return bytes === 4 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
}

function measureBlocks(view: DataView, start: number): { end: number; maxContentBytes: number } {
  let at = start;
  let maxContentBytes = 0;
  for (let isLast = false; !isLast;) {
    const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    isLast = (header & 1) !== 0;
    const type = (header >> 1) & 3;
    const size = header >> 3;
    if (type === 3) throw corrupt('a Zstandard frame has a block of a reserved type');
    maxContentBytes += type === 2 ? MAX_BLOCK_BYTES : size;
    at += 3 + (type === 1 ? 1 : size);
  }
  return { end: at, maxContentBytes };
}
