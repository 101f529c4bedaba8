/** Numbers of rows in the whole input, from 0 in the order of reading: a list that grows, 4 bytes a number. */
export class RowNumbers {
  private values = new Uint32Array(1024);
  count = 0;

  add(number: number): void {
    if (this.count === this.values.length) {
      const larger = new Uint32Array(2 * this.count);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.count++] = number;
  }

  at(position: number): number {
    return this.values[position]!;
  }

  /** A view, valid until the next `add`. */
  all(): Uint32Array {
    return this.values.subarray(0, this.count);
  }
}
