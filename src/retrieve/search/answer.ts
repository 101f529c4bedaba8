/** What a search gives: candidates in columns, with an account of how good they are. */
import type { Explain, Quality } from '../../wire/answers.js';

/** Best first. */
export interface Answer {
  readonly ordinals: Uint32Array;
  /** Of a search with seeds: the merged scores. */
  readonly scores: Float32Array;
  readonly quality: Quality;
  /** Of a search with seeds: position of the seed that gave each candidate its score. */
  readonly seeds?: Uint8Array;
  /** Of a search with seeds: the candidate's own score with that seed. */
  readonly seedScores?: Float32Array;
  readonly explain?: Explain;
}
