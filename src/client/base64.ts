/** Vectors as base64 of little-endian float32, without Node's Buffer. */

/** Arguments of one call of String.fromCharCode: well below every engine's limit. */
const CHUNK_BYTES = 8_192;

export type VectorLike = Float32Array | readonly number[];

export function encodeVector(vector: VectorLike): string {
  return encodeBytes(floatBytes(vector));
}

/** Vectors end to end: one array of them all, or one each. */
export function encodeVectors(vectors: Float32Array | readonly VectorLike[]): string | string[] {
  return vectors instanceof Float32Array ? encodeVector(vectors) : vectors.map(encodeVector);
}

const IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function floatBytes(vector: VectorLike): Uint8Array {
  const values = vector instanceof Float32Array ? vector : Float32Array.from(vector);
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
