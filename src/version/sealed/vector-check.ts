/**
 * What a digest cannot say of vectors: that each is one the engines may score. Takes the bytes of a shard's vectors
 * as they come from the disk, front to back, so that no shard has to fit the memory; fails with `file_corrupt` at the
 * first row that no build writes: a component that is no number or beyond MAX_COMPONENT, or under cosine a length
 * other than 1.
 */
import { MAX_COMPONENT } from '../../base/limits.js';
import type { Metric } from '../../base/metric.js';
import { fileCorrupt } from '../disk/section-file.js';

/** Of a squared length. Rounding to float32 leaves 2^-22 at most; what is beyond this is no rounding. */
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

  /** @param bytes the next ones: whole float32 values, on a boundary of 4 bytes of their memory */
  take(bytes: Uint8Array): void {
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    const { dim } = this;
    for (let from = 0; from < values.length;) {
      const to = Math.min(values.length, from + dim - this.component);
      this.takeComponents(values, from, to);
      this.component += to - from;
      from = to;
      if (this.component === dim) this.endRow();
    }
  }

  private takeComponents(values: Float32Array, from: number, to: number): void {
    let squared = 0;
    let isRight = true;
    for (let i = from; i < to; i++) {
      const value = values[i]!;
      squared += value * value;
      isRight &&= value <= MAX_COMPONENT && value >= -MAX_COMPONENT;
    }
    this.squared += squared;
    if (!isRight) throw this.wrong(`has a component that is not finite or beyond ${MAX_COMPONENT.toExponential()}`);
  }

  private endRow(): void {
    if (this.metric === 'cosine' && !(Math.abs(this.squared - 1) <= UNIT_TOLERANCE)) {
      throw this.wrong(`has the length ${Math.sqrt(this.squared)}, not 1, which cosine similarity rests on`);
    }
    this.component = 0;
    this.squared = 0;
    this.row++;
  }

  private wrong(problem: string): Error {
    return fileCorrupt(this.path, `holds a vector in row ${this.row} that ${problem}`, { row: this.row });
  }
}
