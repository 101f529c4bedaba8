/**
 * The form of a message between gateway and leaf: a small JSON object and arrays of numbers, which are used in place.
 *
 *   bytes 0-3    "SLF1"; the last character changes with the form
 *   bytes 4-7    length of the JSON text in bytes, uint32
 *   bytes 8-11   number of arrays, uint32
 *   bytes 12-15  zero
 *   then for each array: its type (0 uint8, 1 uint32, 2 float32) and its number of elements, both uint32
 *   then the JSON text, padded with spaces to a multiple of 8, and the arrays, each padded to a multiple of 8
 *
 * All numbers are little-endian. Bytes that are not such a message end in a FrameError: lengths must add up exactly.
 */
export type FrameArray = Uint8Array | Uint32Array | Float32Array;

interface Frame {
  readonly head: unknown;
  readonly arrays: readonly FrameArray[];
}

/** Bytes that are no message, or one that contradicts itself. */
export class FrameError extends Error {}

const MAGIC = 0x31_46_4c_53; // "SLF1"
const HEAD_BYTES = 16;
const ARRAY_BYTES = 8;

/** More than any message has. */
const MAX_ARRAYS = 64;

const [BYTES, WORDS, FLOATS] = [0, 1, 2];

/** @returns one buffer of its own */
export function encodeFrame(head: object, arrays: readonly FrameArray[] = []): Buffer {
  const json = Buffer.from(JSON.stringify(head));
  const start = HEAD_BYTES + ARRAY_BYTES * arrays.length;
  const jsonEnd = padded(start + json.length);
  const total = arrays.reduce((sum, { byteLength }) => sum + padded(byteLength), jsonEnd);
  const frame = Buffer.allocUnsafeSlow(total);
  frame.writeUInt32LE(MAGIC, 0);
  frame.writeUInt32LE(jsonEnd - start, 4);
  frame.writeUInt32LE(arrays.length, 8);
  frame.writeUInt32LE(0, 12);
  json.copy(frame, start);
  frame.fill(0x20, start + json.length, jsonEnd);
  let at = jsonEnd;
  for (const [i, array] of arrays.entries()) {
    frame.writeUInt32LE(typeOf(array), HEAD_BYTES + ARRAY_BYTES * i);
    frame.writeUInt32LE(array.length, HEAD_BYTES + ARRAY_BYTES * i + 4);
    frame.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    frame.fill(0, at + array.byteLength, at + padded(array.byteLength));
    at += padded(array.byteLength);
  }
  return frame;
}

/** @param bytes must not change while the arrays are in use @throws FrameError */
export function decodeFrame(bytes: Buffer): Frame {
  if (bytes.length < HEAD_BYTES || bytes.readUInt32LE(0) !== MAGIC)
    throw new FrameError('is not a message of this release');
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : copyAligned(bytes);
  const [jsonBytes, count] = [aligned.readUInt32LE(4), aligned.readUInt32LE(8)];
  const start = HEAD_BYTES + ARRAY_BYTES * count;
  if (count > MAX_ARRAYS || start + jsonBytes > aligned.length) throw new FrameError('is truncated');
  if ((start + jsonBytes) % 8 !== 0) throw new FrameError('has a head that is not padded');
  let at = start + jsonBytes;
  const arrays: FrameArray[] = [];
  for (let i = 0; i < count; i++) {
    const type = aligned.readUInt32LE(HEAD_BYTES + ARRAY_BYTES * i);
    const length = aligned.readUInt32LE(HEAD_BYTES + ARRAY_BYTES * i + 4);
    const byteLength = type === BYTES ? length : 4 * length;
    if (type > FLOATS || at + padded(byteLength) > aligned.length) throw new FrameError(`has a bad array ${i}`);
    arrays.push(viewOf(aligned, type, at, length));
    at += padded(byteLength);
  }
  if (at !== aligned.length) throw new FrameError(`has ${aligned.length - at} bytes too many`);
  return { head: parseHead(aligned.toString('utf8', start, start + jsonBytes)), arrays };
}

function parseHead(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new FrameError('has a head that is not JSON');
  }
}

function viewOf({ buffer, byteOffset }: Buffer, type: number, at: number, length: number): FrameArray {
  if (type === BYTES) return new Uint8Array(buffer, byteOffset + at, length);
  return type === WORDS
    ? new Uint32Array(buffer, byteOffset + at, length)
    : new Float32Array(buffer, byteOffset + at, length);
}

function typeOf(array: FrameArray): number {
  return array instanceof Float32Array ? FLOATS : array instanceof Uint32Array ? WORDS : BYTES;
}

function padded(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

function copyAligned(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
