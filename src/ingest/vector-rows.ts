/**
 * The vectors of one chunk at a time, checked and made float32: the hot loop of ingest.
 *
 * Takes a list column; gives each row's components into a caller's array, at unit length under cosine. Components are read
 * as float32 (float16 comes widened from the reader) and checked as they stand in the file, so that a float64 beyond float32
 * is found. One comparison finds NaN, infinity and what is beyond the range at once; only a bad row is looked at again.
 */
import type { Column } from '../arrow/column.js';
import { ShortlistError } from '../base/errors.js';
import { MAX_COMPONENT, MAX_DIM } from '../base/limits.js';
import { normalizeRow, type Metric } from '../base/metric.js';
import type { BadRowKind } from './bad-rows.js';

type ListColumn = Column & { shape: 'lists' };
type Floats = Float32Array | Float64Array;
export type VectorFault = Extract<
  BadRowKind,
  'null_vector' | 'wrong_length' | 'not_finite' | 'out_of_range' | 'zero_vector'
>;

export class VectorRows {
  private readonly normalize: boolean;
  private column: ListColumn = NO_COLUMN;
  private values: Floats = new Float32Array(0);
  private itemsValid: Uint8Array | null = null;
  private knownDim: number | null;
  /** Where the length comes from, to end a message with. */
  private dimSource: string;

  /**
   * @param dim the length that every vector must have, or null to take it from the first one
   * @param dimSource what says so, as in `not the 768 of the column's type`
   */
  constructor(metric: Metric, dim: number | null, dimSource: string) {
    this.normalize = metric === 'cosine';
    this.knownDim = dim;
    this.dimSource = dimSource;
  }

  /** Components of every vector; null until a vector has been seen. */
  get dim(): number | null {
    return this.knownDim;
  }

  /** Turns to the next chunk. @param file and firstRow name the row that decides the length, where none has yet. */
  open(column: Column, file: string, firstRow: number): void {
    if (column.shape !== 'lists' || column.items.shape !== 'numbers') throw new Error('the column holds no vectors');
    const { values } = column.items;
    if (!(values instanceof Float32Array || values instanceof Float64Array))
      throw new Error('the vectors are not floats');
    this.column = column;
    this.values = values;
    this.itemsValid = column.items.valid;
    if (this.knownDim === null) this.learnDim(file, firstRow);
  }

  /** The length of the first vector that is not null or empty is the length that all must have. */
  private learnDim(file: string, firstRow: number): void {
    const { valid, offsets, rows } = this.column;
    for (let row = 0; row < rows; row++) {
      const length = offsets[row + 1]! - offsets[row]!;
      if (length === 0 || (valid !== null && valid[row] === 0)) continue;
      if (length > MAX_DIM) throw tooLong(file, firstRow + row, length);
      this.knownDim = length;
      this.dimSource = `the first vector (${file} row ${firstRow + row})`;
      return;
    }
  }

  /**
   * Copies the row's vector to `out[at ...]`; what is there after a fault is undefined.
   * @returns what is wrong with it, or null
   */
  copy(row: number, out: Float32Array, at: number): VectorFault | null {
    const { valid, offsets } = this.column;
    if (valid !== null && valid[row] === 0) return 'null_vector';
    const start = offsets[row]!;
    const dim = this.knownDim;
    if (dim === null || offsets[row + 1]! - start !== dim) return 'wrong_length';
    if (this.itemsValid !== null && firstNull(this.itemsValid, start, dim) !== -1) return 'null_vector';
    const bad = copyFloats(this.values, start, out, at, dim);
    if (bad !== -1) return Number.isFinite(Math.fround(this.values[start + bad]!)) ? 'out_of_range' : 'not_finite';
    if (this.normalize && !normalizeRow(out, at, dim)) return 'zero_vector';
    return null;
  }

  /** One clause on what is wrong with the row, for the fault that `copy` gave. */
  explain(row: number, fault: VectorFault): string {
    const start = this.column.offsets[row]!;
    const length = this.column.offsets[row + 1]! - start;
    switch (fault) {
      case 'null_vector':
        if (this.column.valid?.[row] === 0 || this.itemsValid === null) return 'the vector is null';
        return `component ${firstNull(this.itemsValid, start, length)} is null`;
      case 'wrong_length':
        if (this.knownDim === null) return 'the vector has no components';
        return `the vector has ${length} components, not the ${this.knownDim} of ${this.dimSource}`;
      case 'not_finite':
      case 'out_of_range': {
        const at = copyFloats(this.values, start, new Float32Array(length), 0, length);
        const value = this.values[start + at]!;
        const beyond = Number.isFinite(value) && fault === 'not_finite' ? ', infinite as float32' : '';
        return `component ${at} is ${value}${beyond}`;
      }
      case 'zero_vector':
        return 'every component is zero';
    }
  }
}

/** Position in the vector of its first null component, or -1. */
function firstNull(valid: Uint8Array, start: number, dim: number): number {
  for (let i = 0; i < dim; i++) if (valid[start + i] === 0) return i;
  return -1;
}

/** @returns the position of the first component that is NaN, infinite or beyond the range, or -1 where all is copied */
function copyFloats(values: Floats, start: number, out: Float32Array, at: number, dim: number): number {
  for (let i = 0; i < dim; i++) {
    const value = values[start + i]!;
    if (!(Math.abs(value) <= MAX_COMPONENT)) return i;
    out[at + i] = value;
  }
  return -1;
}

function tooLong(file: string, row: number, dim: number): ShortlistError {
  const message = `${file} row ${row}: the first vector has ${dim} components; from 1 to ${MAX_DIM} are taken`;
  return new ShortlistError('column_type', message, { file, row, dim, limit: MAX_DIM });
}

const NO_COLUMN: ListColumn = {
  shape: 'lists',
  type: { kind: 'other' },
  rows: 0,
  valid: null,
  offsets: new Uint32Array(1),
  items: { shape: 'numbers', type: { kind: 'other' }, rows: 0, valid: null, values: new Float32Array(0) },
};
