/**
 * The vectors of one chunk at a time, checked and converted to float32: the hot loop of ingest.
 *
 * Takes a list column; copies the components of a row into the caller's array, at unit length under cosine. They become
 * float32 (float16 comes widened from the reader, bytes keep their values) but are checked as they stand in the file,
 * so that a float64 beyond float32 is found. A list of one list is read as that list. One comparison finds NaN,
 * infinity and values out of range; only a bad row is looked at again.
 */
import type { Column, NumberArray, Validity } from '../arrow/column.js';
import type { ListExtents } from '../arrow/decode/column-source.js';
import { MAX_COMPONENT } from '../base/limits.js';
import { dot, scaleToUnit, type Metric } from '../base/metric.js';
import type { BadRowKind } from './bad-rows.js';

type ListColumn = Column & { shape: 'lists' };
type Components = Exclude<NumberArray, BigInt64Array | BigUint64Array>;
type VectorFault = Extract<BadRowKind, 'null_vector' | 'wrong_length' | 'not_finite' | 'out_of_range' | 'zero_vector'>;

/** Where the components of each row are: those of row r are [offsets[r] .. offsets[r + 1]), whatever the nesting. */
interface VectorExtents {
  readonly valid: Validity;
  readonly offsets: Uint32Array;
  /** Of lists of lists: row r has the inner lists [lists[r] .. lists[r + 1]), and must have exactly one. Else null. */
  readonly lists: Uint32Array | null;
}

/** Reads lists of one list as that list. */
export function flattenExtents({ rows, valid, offsets, items }: ListExtents): VectorExtents {
  if (items === null) return { valid, offsets, lists: null };
  const flat = Uint32Array.from(offsets, (list) => items.offsets[list]!);
  return { valid: joinValidity(rows, valid, offsets, items.valid), offsets: flat, lists: offsets };
}

/** A row is null by itself, or because its one inner list is null. */
function joinValidity(rows: number, valid: Validity, offsets: Uint32Array, inner: Validity): Validity {
  if (inner === null) return valid;
  const joined = valid?.slice() ?? new Uint8Array(rows).fill(1);
  for (let row = 0; row < rows; row++)
    if (inner[offsets[row]!] === 0 && offsets[row + 1]! > offsets[row]!) joined[row] = 0;
  return joined;
}

/** The rows of a vector column, and the components of all of them. */
export interface Vectors extends VectorExtents {
  readonly values: Components;
  readonly componentsValid: Validity;
}

/** @param column with a type that vectors may have */
export function openVectors(column: Column): Vectors {
  if (column.shape !== 'lists') throw new Error('the column holds no vectors');
  const inner = column.items.shape === 'lists' ? column.items : null;
  const components = inner === null ? column.items : inner.items;
  if (components.shape !== 'numbers') throw new Error('the column holds no vectors');
  const { values } = components;
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) throw new Error('the vectors are too wide');
  const extents = inner === null ? null : { ...inner, items: null };
  return { ...flattenExtents({ ...column, items: extents }), values, componentsValid: components.valid };
}

export class VectorRows {
  /** Components of every vector; null if no row has a vector. */
  readonly dim: number | null;
  private readonly normalize: boolean;
  private vectors: Vectors = openVectors(NO_COLUMN);
  private norms = 0;
  /** Vectors that were copied without a fault. */
  copied = 0;

  /** @param dimSource where `dim` comes from, as in `not the 768 of the column's type` */
  constructor(
    metric: Metric,
    dim: number | null,
    private readonly dimSource: string,
  ) {
    this.normalize = metric === 'cosine';
    this.dim = dim;
  }

  /** Mean length of the vectors that were copied, as they came in; 0 if there are none. */
  get meanNorm(): number {
    return this.copied === 0 ? 0 : this.norms / this.copied;
  }

  /** Continues with the next chunk. */
  open(column: Column): void {
    this.vectors = openVectors(column);
  }

  /** Copies the row's vector to `out[at ...]`, which is undefined after a fault. @returns the fault, or null */
  copy(row: number, out: Float32Array, at: number): VectorFault | null {
    const { valid, offsets, lists, values, componentsValid } = this.vectors;
    if (valid !== null && valid[row] === 0) return 'null_vector';
    const start = offsets[row]!;
    const { dim } = this;
    if (dim === null || offsets[row + 1]! - start !== dim) return 'wrong_length';
    if (lists !== null && lists[row + 1]! - lists[row]! !== 1) return 'wrong_length';
    if (componentsValid !== null && firstNull(componentsValid, start, dim) !== -1) return 'null_vector';
    const bad = copyFloats(values, start, out, at, dim);
    if (bad !== -1) return Number.isFinite(Math.fround(values[start + bad]!)) ? 'out_of_range' : 'not_finite';
    const squared = dot(out, at, out, at, dim);
    if (this.normalize && !scaleToUnit(out, at, dim, squared)) return 'zero_vector';
    this.norms += Math.sqrt(squared);
    this.copied++;
    return null;
  }

  /** Says in one clause what is wrong with the row, for a fault that `copy` returned. */
  explain(row: number, fault: VectorFault): string {
    const { valid, offsets, lists, values, componentsValid } = this.vectors;
    const start = offsets[row]!;
    const length = offsets[row + 1]! - start;
    switch (fault) {
      case 'null_vector':
        if (valid?.[row] === 0 || componentsValid === null) return 'the vector is null';
        return `component ${firstNull(componentsValid, start, length)} is null`;
      case 'wrong_length': {
        const inner = lists === null ? 1 : lists[row + 1]! - lists[row]!;
        if (inner !== 1) return `the vector is a list of ${inner} lists; it must be one list`;
        if (this.dim === null) return 'the vector has no components';
        return `the vector has ${length} components, not the ${this.dim} of ${this.dimSource}`;
      }
      case 'not_finite':
      case 'out_of_range': {
        const at = copyFloats(values, start, new Float32Array(length), 0, length);
        const value = values[start + at]!;
        const beyond = Number.isFinite(value) && fault === 'not_finite' ? ', infinite as float32' : '';
        return `component ${at} is ${value}${beyond}`;
      }
      case 'zero_vector':
        return 'every component is zero';
    }
  }
}

/** Position of the first null component in the vector, or -1. */
function firstNull(valid: Uint8Array, start: number, dim: number): number {
  for (let i = 0; i < dim; i++) if (valid[start + i] === 0) return i;
  return -1;
}

/** @returns the position of the first component that is NaN, infinite or out of range; -1 if all are copied */
function copyFloats(values: Components, start: number, out: Float32Array, at: number, dim: number): number {
  for (let i = 0; i < dim; i++) {
    const value = values[start + i]!;
    if (!(Math.abs(value) <= MAX_COMPONENT)) return i;
    out[at + i] = value;
  }
  return -1;
}

const NO_COLUMN: ListColumn = {
  shape: 'lists',
  type: { kind: 'other' },
  rows: 0,
  valid: null,
  offsets: new Uint32Array(1),
  items: { shape: 'numbers', type: { kind: 'other' }, rows: 0, valid: null, values: new Float32Array(0) },
};
