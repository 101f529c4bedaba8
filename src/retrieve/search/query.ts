/** Turns a caller's vector into what is searched with, or says what is wrong with it. */
import { ShortlistError } from '../../base/errors.js';
import { MAX_COMPONENT } from '../../base/limits.js';
import { dot, scaleToUnit, type Metric } from '../../base/metric.js';

/**
 * Checks one query vector.
 * @param values float32 components, left untouched
 * @param at where the vector stood in a batch, for the message
 * @param into where the copy goes; default memory of its own
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
    const message = `${where} has ${values.length} components; the index has vectors of ${space.dim}`;
    throw new ShortlistError('dimension_mismatch', message, { ...details, expected: space.dim, actual: values.length });
  }
  const query = into ?? new Float32Array(space.dim);
  query.set(values);
  const limit = space.metric === 'cosine' ? Infinity : MAX_COMPONENT;
  // Where the squares of all do not add up to that of the limit, no component is beyond it; a sum with one that is
  // not finite is not finite either.
  const squared = dot(query, 0, query, 0, space.dim);
  const bad = squared < limit * limit ? -1 : findBadComponent(query, limit);
  if (bad >= 0) {
    const finite = Number.isFinite(query[bad]);
    const message = finite
      ? `component ${bad} of ${where} is ${query[bad]!}; components reach to ${MAX_COMPONENT} in magnitude`
      : `component ${bad} of ${where} is not finite as float32`;
    throw new ShortlistError(finite ? 'vector_out_of_range' : 'vector_not_finite', message, {
      ...details,
      component: bad,
    });
  }
  if (space.metric === 'cosine' && !scaleToUnit(query, 0, space.dim, squared)) {
    throw new ShortlistError('vector_zero', `${where} is all zeros, which has no direction under cosine`, details);
  }
  return query;
}

/** Position of the first component that is not finite or beyond the limit; -1 if all are fine. */
function findBadComponent(values: Float32Array, limit: number): number {
  for (let i = 0; i < values.length; i++) {
    const magnitude = Math.abs(values[i]!);
    if (!(magnitude <= limit) || magnitude === Infinity) return i;
  }
  return -1;
}
