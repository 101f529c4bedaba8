/** Maps ordinals to rows of the input. Kept as runs of consecutive rows, 24 bytes a run. */

export class RowOrigins {
  private readonly ordinals: number[] = [];
  private readonly files: number[] = [];
  private readonly rows: number[] = [];

  /** From this ordinal on, ordinals count the rows of that file from that row on. */
  startRun(ordinal: number, file: number, row: number): void {
    this.ordinals.push(ordinal);
    this.files.push(file);
    this.rows.push(row);
  }

  /** @param ordinal not below the first run */
  find(ordinal: number): { file: number; row: number } {
    let low = 0;
    let high = this.ordinals.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.ordinals[middle]! <= ordinal) low = middle;
      else high = middle - 1;
    }
    return { file: this.files[low]!, row: this.rows[low]! + (ordinal - this.ordinals[low]!) };
  }
}
