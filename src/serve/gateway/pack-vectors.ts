/** Vectors of one length, end to end. */
export function packVectors(vectors: readonly Float32Array[]): Float32Array {
  const [first] = vectors;
  if (first === undefined) return new Float32Array(0);
  if (vectors.length === 1) return first;
  const packed = new Float32Array(vectors.length * first.length);
  for (const [i, vector] of vectors.entries()) packed.set(vector, i * first.length);
  return packed;
}
