/**
 * Vectors as little-endian float32, raw and as base64. It uses neither Node's Buffer nor a package, so that the client
 * runs wherever fetch does; Uint8Array.toBase64 is not available everywhere yet.
 */

/** Arguments per call of String.fromCharCode, well below the limit of every engine. */
const CHUNK_BYTES = 8_192;

export type VectorLike = Float32Array | readonly number[];

export function encodeVector(vector: VectorLike): string {
  return encodeBytes(floatBytes(vector));
}

/** One text of all vectors end to end if they are one array, else a text per vector. */
export function encodeVectors(vectors: Float32Array | readonly VectorLike[]): string | string[] {
  return vectors instanceof Float32Array ? encodeVector(vectors) : vectors.map(encodeVector);
}

/** Vectors end to end, as the binary form sends them. */
export function vectorBytes(vectors: VectorLike | readonly VectorLike[]): Uint8Array<ArrayBuffer> {
  if (vectors instanceof Float32Array || typeof vectors[0] === 'number') return floatBytes(vectors as VectorLike);
  const parts = (vectors as readonly VectorLike[]).map(floatBytes);
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function floatBytes(vector: VectorLike): Uint8Array<ArrayBuffer> {
  const values = (vector instanceof Float32Array ? vector : Float32Array.from(vector)) as Float32Array<ArrayBuffer>;
  if (IS_LITTLE_ENDIAN) return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const view = new DataView(new ArrayBuffer(values.length * 4));
  values.forEach((value, position) => view.setFloat32(position * 4, value, true));
  return new Uint8Array(view.buffer);
}

function encodeBytes(bytes: Uint8Array): string {
  let text = '';
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
    text += String.fromCharCode(...bytes.subarray(start, start + CHUNK_BYTES));
  }
  return btoa(text);
}
