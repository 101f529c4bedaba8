/**
 * The Zstandard frame format (RFC 8878, 3.1): the header of a frame and its blocks. Bounds the decompressed size before
 * memory is allocated; zstd-decoder.ts decompresses. Written by hand: libraries read only the size in the header, which
 * is optional and may be wrong.
 */
import { corrupt } from '../fault.js';

const MAGIC = 0xfd2fb528;

/** Largest decompressed block (RFC 8878, 3.1.1.2.4). */
const MAX_BLOCK_BYTES = 128 * 1024;

/** Four times as many as the largest buffer, 2 GiB, needs in full blocks. Empty ones could be millions. */
const MAX_BLOCKS = 65_536;

interface ZstdExtent {
  /** Where the frame ends in the given bytes. */
  readonly end: number;
  /** Decompressed size by the header; null if it does not say. */
  readonly contentBytes: number | null;
  /** Largest size that its blocks can decompress to. */
  readonly maxContentBytes: number;
}

export function measureZstdFrame(bytes: Uint8Array): ZstdExtent {
  const header = readHeader(bytes);
  let end = header.end;
  let maxContentBytes = 0;
  let blocks = 0;
  for (let isLast = false; !isLast;) {
    if (++blocks > MAX_BLOCKS) throw corrupt(`a Zstandard frame has more than ${MAX_BLOCKS} blocks`);
    const block = readBlock(bytes, end);
    maxContentBytes += block.type === BLOCK.compressed ? MAX_BLOCK_BYTES : block.size;
    ({ end, isLast } = block);
  }
  end += header.checksumBytes;
  if (end > bytes.length) throw cutShort();
  return { end, contentBytes: header.contentBytes, maxContentBytes };
}

interface FrameHeader {
  readonly end: number;
  readonly contentBytes: number | null;
  readonly checksumBytes: number;
}

function readHeader(bytes: Uint8Array): FrameHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 6 || view.getUint32(0, true) !== MAGIC) {
    throw corrupt('a compressed buffer is not a Zstandard frame');
  }
  const flags = view.getUint8(4);
  if ((flags & 0x0b) !== 0) throw corrupt('a Zstandard frame needs a dictionary or sets reserved bits');
  const singleSegment = (flags & 0x20) !== 0;
  const sizeAt = singleSegment ? 5 : 6;
  const sizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][flags >> 6]!;
  const end = sizeAt + sizeBytes;
  if (end > bytes.length) throw cutShort();
  return { end, contentBytes: readContentSize(view, sizeAt, sizeBytes), checksumBytes: (flags & 0x04) !== 0 ? 4 : 0 };
}

function readContentSize(view: DataView, at: number, bytes: number): number | null {
  if (bytes === 0) return null;
  if (bytes === 1) return view.getUint8(at);
  if (bytes === 2) return view.getUint16(at, true) + 256;
  return bytes === 4 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
}

interface Block {
  readonly type: number;
  readonly isLast: boolean;
  readonly size: number;
  readonly start: number;
  readonly end: number;
}

const BLOCK_HEADER_BYTES = 3;
const BLOCK = { raw: 0, run: 1, compressed: 2 } as const;

function readBlock(bytes: Uint8Array, at: number): Block {
  const start = at + BLOCK_HEADER_BYTES;
  if (start > bytes.length) throw cutShort();
  const header = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
  const type = (header >> 1) & 3;
  const size = header >> 3;
  const end = start + (type === BLOCK.run ? 1 : size);
  if (type > BLOCK.compressed || size > MAX_BLOCK_BYTES) throw corrupt('a Zstandard frame has an impossible block');
  if (end > bytes.length) throw cutShort();
  return { type, isLast: (header & 1) !== 0, size, start, end };
}

function cutShort(): Error {
  return corrupt('a Zstandard frame is cut short');
}
