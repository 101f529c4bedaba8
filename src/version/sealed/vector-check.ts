/**
 * Checks what a digest cannot: that the engines may score each vector. Takes the bytes of a shard's vectors in parts,
 * front to back, so that no shard must fit into memory. Fails with `file_corrupt` at the first row that no build
 * writes: with a component that is not finite or beyond MAX_COMPONENT, or under cosine of another length than 1.
 */
import { MAX_COMPONENT } from '../../base/limits.js';
import type { Metric } from '../../base/metric.js';
import { fileCorrupt } from '../disk/section-file.js';

/** Allowed error of a squared length. Rounding to float32 causes at most 2^-22. */
const UNIT_TOLERANCE = 1e-5;

export class VectorCheck {
  private component = 0;
  private row = 0;
  private squared = 0;

  /** @param path for the message */
  constructor(
    private readonly path: string,
    private readonly metric: Metric,
    private readonly dim: number,
  ) {}

  /** @param bytes the next ones: whole float32 values, aligned to 4 bytes in memory */
  check(bytes: Uint8Array): void {
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    const { dim } = this;
    for (let from = 0; from < values.length;) {
      const to = Math.min(values.length, from + dim - this.component);
      this.checkComponents(values, from, to);
      this.component += to - from;
      from = to;
      if (this.component === dim) this.endRow();
    }
  }

  private checkComponents(values: Float32Array, from: number, to: number): void {
    let squared = 0;
    let isInRange = true;
    for (let i = from; i < to; i++) {
      const value = values[i]!;
      squared += value * value;
      isInRange &&= value <= MAX_COMPONENT && value >= -MAX_COMPONENT;
    }
    this.squared += squared;
    if (!isInRange) throw this.failure(`a component that is not finite or beyond ${MAX_COMPONENT.toExponential()}`);
  }

  private endRow(): void {
    if (this.metric === 'cosine' && !(Math.abs(this.squared - 1) <= UNIT_TOLERANCE)) {
      throw this.failure(`the length ${Math.sqrt(this.squared)}, not 1 as cosine similarity needs`);
    }
    this.component = 0;
    this.squared = 0;
    this.row++;
  }

  private failure(problem: string): Error {
    return fileCorrupt(this.path, `holds a vector in row ${this.row} with ${problem}`, { row: this.row });
  }
}
