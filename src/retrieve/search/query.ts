/** Checks a caller's vector and turns it into a query. */
import { ShortlistError } from '../../base/errors.js';
import { MAX_COMPONENT } from '../../base/limits.js';
import { dot, scaleToUnit, type Metric } from '../../base/metric.js';

/**
 * Checks one query vector.
 * @param values float32 components; not changed
 * @param at the vector's position in a batch, for messages
 * @param into where the copy is written; default: new memory
 * @returns a copy, scaled to unit length under cosine
 * @throws dimension_mismatch, vector_not_finite, vector_out_of_range, vector_zero
 */
export function checkQuery(
  space: { dim: number; metric: Metric },
  values: Float32Array,
  at?: number,
  into?: Float32Array,
): Float32Array {
  const where = at === undefined ? 'the vector' : `vector ${at}`;
  const details = at === undefined ? {} : { position: at };
  if (values.length !== space.dim) {
    const message = `${where} has ${values.length} components; the vectors of the index have ${space.dim}`;
    throw new ShortlistError('dimension_mismatch', message, { ...details, expected: space.dim, actual: values.length });
  }
  const query = into ?? new Float32Array(space.dim);
  query.set(values);
  const limit = space.metric === 'cosine' ? Infinity : MAX_COMPONENT;
  // If the sum of squares is below the squared limit, no component exceeds it. A component that is not finite makes the
  // sum not finite.
  const squared = dot(query, 0, query, 0, space.dim);
  const bad = squared < limit * limit ? -1 : findBadComponent(query, limit);
  if (bad >= 0) {
    const finite = Number.isFinite(query[bad]);
    const message = finite
      ? `component ${bad} of ${where} is ${query[bad]!}; the largest magnitude allowed is ${MAX_COMPONENT}`
      : `component ${bad} of ${where} is not finite as float32`;
    throw new ShortlistError(finite ? 'vector_out_of_range' : 'vector_not_finite', message, {
      ...details,
      component: bad,
    });
  }
  if (space.metric === 'cosine' && !scaleToUnit(query, 0, space.dim, squared)) {
    throw new ShortlistError('vector_zero', `${where} is all zeros; cosine needs a vector that is not zero`, details);
  }
  return query;
}

/** Checks count x dim values. @returns a copy, scaled as by `checkQuery` @throws as `checkQuery`, with the position */
export function checkQueries(space: { dim: number; metric: Metric }, vectors: Float32Array): Float32Array {
  const { dim } = space;
  const checked = new Float32Array(vectors.length);
  for (let position = 0, from = 0; from < vectors.length; position++, from += dim) {
    checkQuery(space, vectors.subarray(from, from + dim), position, checked.subarray(from, from + dim));
  }
  return checked;
}

/** Position of the first component that is not finite or beyond the limit; -1 if all are fine. */
function findBadComponent(values: Float32Array, limit: number): number {
  for (let i = 0; i < values.length; i++) {
    const magnitude = Math.abs(values[i]!);
    if (!(magnitude <= limit) || magnitude === Infinity) return i;
  }
  return -1;
}
