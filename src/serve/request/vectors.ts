/**
 * Vectors in their three wire forms: lists of JSON numbers, base64, raw bytes. All return float32 components; lengths
 * and values are checked against the index later (retrieve/search/query.ts).
 */
import { ShortlistError } from '../../base/errors.js';
import { MAX_BATCH } from '../../base/limits.js';
import { fieldError, kindOf } from './field-error.js';

/** A vector of a large body, which was read together with the body; or its error. */
type VectorOrError = Float32Array | ShortlistError;

export function isVectorOrError(value: unknown): value is VectorOrError {
  return value instanceof Float32Array || value instanceof ShortlistError;
}

function unwrapVector(vector: VectorOrError): Float32Array {
  if (vector instanceof ShortlistError) throw vector;
  return vector;
}

/**
 * A JSON list of numbers. null becomes NaN, which JSON.stringify writes as null, and numbers beyond float32 become
 * infinite. Both are refused as `vector_not_finite` later.
 */
export function readJsonVector(value: unknown, field: string): Float32Array {
  if (isVectorOrError(value)) return unwrapVector(value);
  if (!Array.isArray(value)) {
    throw fieldError('bad_vector', field, `${field} is ${kindOf(value)}; give a list of numbers`);
  }
  const list = value as unknown[];
  const vector = new Float32Array(list.length);
  for (let i = 0; i < list.length; i++) {
    const component = list[i];
    if (typeof component === 'number') vector[i] = component;
    else if (component === null) vector[i] = NaN;
    else {
      const message = `component ${i} of ${field} is ${kindOf(component)}; give a number`;
      throw fieldError('bad_vector', field, message);
    }
  }
  return vector;
}

/** Base64 (standard alphabet, padded) of little-endian float32. */
export function readBase64Vector(value: unknown, field: string): Float32Array {
  if (isVectorOrError(value)) return unwrapVector(value);
  if (typeof value !== 'string') {
    throw fieldError('bad_base64', field, `${field} is ${kindOf(value)}; give base64 text of little-endian float32`);
  }
  const bytes = decodeBase64(value);
  if (bytes === null) throw badBase64(field);
  const vector = vectorOfBytes(bytes, field);
  if (vector instanceof ShortlistError) throw vector;
  return vector;
}

/** The float32 components, or the error `bad_vector`. */
export function vectorOfBytes(bytes: Buffer, field: string): Float32Array | ShortlistError {
  if (bytes.length % 4 === 0) return float32View(bytes);
  return fieldError(
    'bad_vector',
    field,
    `${field} has ${bytes.length} bytes, which is not a multiple of 4; give float32 values`,
  );
}

export function badBase64(field: string): ShortlistError {
  return fieldError('bad_base64', field, `${field} is not valid base64; give the standard alphabet with padding`);
}

/** @returns null if the text is not the standard alphabet with padding */
export function decodeBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return isStrictBase64(text, bytes) ? bytes : null;
}

/**
 * Whether Node, which also accepts the URL alphabet and skips other characters, has skipped nothing. The last
 * characters are encoded again: they may contain bits that belong to no byte.
 */
function isStrictBase64(text: string, bytes: Buffer): boolean {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  if (text.length % 4 !== 0 || bytes.length !== (text.length / 4) * 3 - padding) return false;
  if (text.includes('-') || text.includes('_')) return false;
  return bytes.toString('base64', Math.max(0, bytes.length - (3 - padding))) === text.slice(-4);
}

/** Little-endian float32, without a copy if the bytes are aligned. */
export function float32View(bytes: Buffer): Float32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : Buffer.from(new Uint8Array(bytes).buffer);
  return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.length >> 2);
}

/** Bytes as they arrived; what they contain follows from the dimension of the index. */
export interface PackedVectors {
  readonly values: Float32Array;
  readonly bytes: number;
  /** False: one vector. */
  readonly isBatch: boolean;
  /** How to request a batch in this form, for the error message. */
  readonly batchHint: string;
}

/** @throws bad_vector, dimension_mismatch, bad_request, batch_too_large; each says what the bytes contain instead */
export function unpackVectors({ values, bytes, isBatch, batchHint }: PackedVectors, dim: number): Float32Array[] {
  if (isBatch) return splitVectors(values, dim, bytes);
  if (bytes === 4 * dim) return [values];
  if (bytes === 0 || bytes % 4 !== 0) throw notWholeVectors(bytes, dim);
  const found = `${bytes} bytes are ${bytes / 4} float32 values; one vector of this index has ${dim}, ${4 * dim} bytes`;
  const facts = { expected: dim, actual: bytes / 4 };
  const count = bytes / (4 * dim);
  if (!Number.isInteger(count)) throw new ShortlistError('dimension_mismatch', found, facts);
  const float64 = count === 2 ? 'one vector of float64, which must be sent as float32, or ' : '';
  throw new ShortlistError(
    'bad_request',
    `${found}. They are ${float64}${count} vectors; for a batch, ${batchHint}`,
    facts,
  );
}

/** n x dim values as n vectors. @throws bad_vector if n is not whole or the bytes are float64; batch_too_large */
function splitVectors(values: Float32Array, dim: number, bytes: number): Float32Array[] {
  const count = bytes / (4 * dim);
  if (!Number.isInteger(count) || count === 0) throw notWholeVectors(bytes, dim);
  if (isFloat64(values)) {
    throw new ShortlistError('bad_vector', 'the bytes are float64 values; send the vectors as little-endian float32');
  }
  if (count > MAX_BATCH) {
    throw new ShortlistError('batch_too_large', `the batch has ${count} queries; at most ${MAX_BATCH} are allowed`, {
      max: MAX_BATCH,
    });
  }
  if (count === 1) return [values];
  return Array.from({ length: count }, (_, position) => values.subarray(position * dim, (position + 1) * dim));
}

function notWholeVectors(bytes: number, dim: number): ShortlistError {
  const message = `${bytes} bytes are not a whole number of vectors; a vector of this index has ${dim} float32 values, ${4 * dim} bytes`;
  return new ShortlistError('bad_vector', message, { bytes, dim });
}

/** Number of values examined, and the usual magnitudes of components. */
const FLOAT64_SAMPLE = 512;
const [MIN_USUAL, MAX_USUAL] = [1e-15, 1e15];

/**
 * Whether the values are halves of float64 values, numpy's default, which would be taken for twice as many vectors. As
 * float32, the low halves mostly have magnitudes that no component has, while each pair is a usual float64. Vectors of
 * float32 do not have a quarter of such values.
 */
function isFloat64(values: Float32Array): boolean {
  const pairs = Math.min(FLOAT64_SAMPLE, values.length) >> 1;
  const doubles = new Float64Array(values.slice(0, 2 * pairs).buffer);
  if (pairs === 0 || !doubles.every(isUsual)) return false;
  let unusual = 0;
  for (let i = 0; i < pairs; i++) if (!isUsual(values[2 * i]!)) unusual++;
  return 4 * unusual >= pairs;
}

function isUsual(value: number): boolean {
  const magnitude = Math.abs(value);
  return value === 0 || (magnitude >= MIN_USUAL && magnitude <= MAX_USUAL);
}
