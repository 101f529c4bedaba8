/**
 * The k best of a stream of (score, row), in the order of candidates: score descending, then row ascending. A binary
 * heap with the worst of the k at its root, in two typed arrays: one allocation per search, none per push.
 */
export class TopK {
  private readonly scores: Float32Array;
  private readonly rows: Uint32Array;
  private size = 0;

  constructor(readonly k: number) {
    this.scores = new Float32Array(k);
    this.rows = new Uint32Array(k);
  }

  /** The score that a row must exceed, or equal with a lower row, to get in; -Infinity while the heap is not full. */
  get threshold(): number {
    return this.size < this.k ? -Infinity : this.scores[0]!;
  }

  /** @param score a float32 value. Rows are distinct over the life of the heap. */
  push(score: number, row: number): void {
    if (this.size < this.k) {
      this.siftUp(this.size++, score, row);
    } else if (this.k > 0 && isBetter(score, row, this.scores[0]!, this.rows[0]!)) {
      this.siftDown(score, row);
    }
  }

  /** Empties the heap and returns its rows, best first. */
  drain(): { rows: Uint32Array; scores: Float32Array } {
    const rows = new Uint32Array(this.size);
    const scores = new Float32Array(this.size);
    for (let i = this.size - 1; i >= 0; i--) {
      rows[i] = this.rows[0]!;
      scores[i] = this.scores[0]!;
      this.size = i;
      if (i > 0) this.siftDown(this.scores[i]!, this.rows[i]!);
    }
    return { rows, scores };
  }

  private siftUp(from: number, score: number, row: number): void {
    let hole = from;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (!isBetter(this.scores[parent]!, this.rows[parent]!, score, row)) break;
      this.scores[hole] = this.scores[parent]!;
      this.rows[hole] = this.rows[parent]!;
      hole = parent;
    }
    this.scores[hole] = score;
    this.rows[hole] = row;
  }

  private siftDown(score: number, row: number): void {
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= this.size) break;
      const right = child + 1;
      if (
        right < this.size &&
        isBetter(this.scores[child]!, this.rows[child]!, this.scores[right]!, this.rows[right]!)
      ) {
        child = right;
      }
      if (!isBetter(score, row, this.scores[child]!, this.rows[child]!)) break;
      this.scores[hole] = this.scores[child]!;
      this.rows[hole] = this.rows[child]!;
      hole = child;
    }
    this.scores[hole] = score;
    this.rows[hole] = row;
  }
}

/** The order of candidates. */
export function isBetter(score: number, row: number, otherScore: number, otherRow: number): boolean {
  return score > otherScore || (score === otherScore && row < otherRow);
}
