/**
 * Candidates of one or more queries, each row once, in columns: tens of thousands of objects would be the garbage
 * collector's.
 *
 * Takes rows with their scores in any order; gives them best first, as far as somebody asks.
 */
import { isBetter } from '../../base/top-k.js';

/** Odd, with its bits spread: rows that follow each other do not lie side by side. (Knuth's multiplicative hashing.) */
const HASH_FACTOR = 0x9e3779b1;

export class CandidateSet {
  readonly ordinals: Uint32Array;
  /** Merged. */
  readonly scores: Float32Array;
  readonly sources: Uint8Array;
  /** With that source, as it is. */
  readonly ownScores: Float32Array;
  size = 0;
  /**
   * Of rows, each at its hash or behind it, 1 more than it is; 0 where there is none. Null where no row comes twice.
   */
  private readonly slots: Uint32Array | null;

  /**
   * @param maxRows rows that may be added
   * @param repeats a row may be added more than once
   */
  constructor(maxRows: number, repeats: boolean) {
    this.ordinals = new Uint32Array(maxRows);
    this.scores = new Float32Array(maxRows);
    this.sources = new Uint8Array(maxRows);
    this.ownScores = new Float32Array(maxRows);
    this.slots = repeats ? new Uint32Array(2 ** Math.ceil(Math.log2(2 * maxRows + 1))) : null;
  }

  /** Of a row that is there the better score counts, of equal ones the first. */
  add(ordinal: number, score: number, source: number, own: number): void {
    const place = this.slots === null ? this.size : this.placeOf(ordinal, this.slots);
    if (place === this.size) {
      this.ordinals[this.size++] = ordinal;
      this.improve(place, score, source, own);
    } else if (score > this.scores[place]!) this.improve(place, score, source, own);
  }

  /** @returns the next free place where the row is not there, which then is its */
  private placeOf(ordinal: number, places: Uint32Array): number {
    const mask = places.length - 1;
    let at = (Math.imul(ordinal, HASH_FACTOR) >>> 8) & mask;
    while (places[at] !== 0) {
      const place = places[at]! - 1;
      if (this.ordinals[place] === ordinal) return place;
      at = (at + 1) & mask;
    }
    places[at] = this.size + 1;
    return this.size;
  }

  improve(place: number, score: number, source: number, own: number): void {
    this.scores[place] = score;
    this.sources[place] = source;
    this.ownScores[place] = own;
  }

  /** To a place of which nothing is wanted any more. */
  move(from: number, to: number): void {
    if (from === to) return;
    this.ordinals[to] = this.ordinals[from]!;
    this.improve(to, this.scores[from]!, this.sources[from]!, this.ownScores[from]!);
  }

  /** Places by score, then ordinal. Nothing may be added meanwhile. */
  *bestFirst(): Generator<number, void, undefined> {
    let { size } = this;
    const heap = new Uint32Array(size);
    for (let place = 0; place < size; place++) heap[place] = place;
    for (let at = (size >> 1) - 1; at >= 0; at--) this.sift(heap, size, at, heap[at]!);
    while (size > 0) {
      yield heap[0]!;
      const last = heap[--size]!;
      if (size > 0) this.sift(heap, size, 0, last);
    }
  }

  /** Puts a place where it belongs below `at`, the best of the heap at its root. */
  private sift(heap: Uint32Array, size: number, at: number, place: number): void {
    let hole = at;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= size) break;
      if (child + 1 < size && this.isAhead(heap[child + 1]!, heap[child]!)) child++;
      if (!this.isAhead(heap[child]!, place)) break;
      heap[hole] = heap[child]!;
      hole = child;
    }
    heap[hole] = place;
  }

  private isAhead(a: number, b: number): boolean {
    return isBetter(this.scores[a]!, this.ordinals[a]!, this.scores[b]!, this.ordinals[b]!);
  }
}
