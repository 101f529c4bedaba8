/**
 * A set of candidates of one or more queries, each row once, stored in columns: tens of thousands of objects would
 * burden the garbage collector. Rows are added in any order and read best first.
 */
import { isBetter } from '../../base/top-k.js';
import type { Answer } from './answer.js';

/** Odd, with spread bits: consecutive rows do not get neighbouring slots (Knuth's multiplicative hashing). */
const HASH_FACTOR = 0x9e3779b1;

export class CandidateSet {
  readonly ordinals: Uint32Array;
  readonly scores: Float32Array;
  readonly sources: Uint8Array;
  /** Scores with the source alone, before weighting. */
  readonly ownScores: Float32Array;
  size = 0;
  /** Hash table with linear probing: 1 + a row's place; 0 marks an empty slot. Null if no row is added twice. */
  private readonly slots: Uint32Array | null;

  /** @param maxRows how many rows may be added @param repeats whether a row may be added more than once */
  constructor(maxRows: number, repeats: boolean) {
    this.ordinals = new Uint32Array(maxRows);
    this.scores = new Float32Array(maxRows);
    this.sources = new Uint8Array(maxRows);
    this.ownScores = new Float32Array(maxRows);
    this.slots = repeats ? new Uint32Array(2 ** Math.ceil(Math.log2(2 * maxRows + 1))) : null;
  }

  /** If the row is present already, the better score is kept; of equal scores the first. */
  add(ordinal: number, score: number, source: number, own: number): void {
    const place = this.slots === null ? this.size : this.placeOf(ordinal, this.slots);
    if (place === this.size) {
      this.ordinals[this.size++] = ordinal;
      this.improve(place, score, source, own);
    } else if (score > this.scores[place]!) this.improve(place, score, source, own);
  }

  /** @returns the row's place; a new row gets the next free one */
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

  /** The candidates at these places, as columns of an answer. A loop: typed arrays' `from` takes ten times as long. */
  pick(places: readonly number[]): Pick<Answer, 'ordinals' | 'scores' | 'seeds' | 'seedScores'> {
    const { length } = places;
    const [ordinals, scores] = [new Uint32Array(length), new Float32Array(length)];
    const [seeds, seedScores] = [new Uint8Array(length), new Float32Array(length)];
    for (let i = 0; i < length; i++) {
      const place = places[i]!;
      ordinals[i] = this.ordinals[place]!;
      scores[i] = this.scores[place]!;
      seeds[i] = this.sources[place]!;
      seedScores[i] = this.ownScores[place]!;
    }
    return { ordinals, scores, seeds, seedScores };
  }

  move(from: number, to: number): void {
    if (from === to) return;
    this.ordinals[to] = this.ordinals[from]!;
    this.improve(to, this.scores[from]!, this.sources[from]!, this.ownScores[from]!);
  }

  /** Places by score, then ordinal. Nothing may be added while this runs. */
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

  /** Moves a place down from `at` until the heap is in order, best at the root. */
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
