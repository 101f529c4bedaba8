/** The result of a search: candidates in columns, and a description of their quality. */
import type { Explain, Quality } from '../../wire/answers.js';

/** Candidates in columns, best first. */
export type Candidates = Pick<Answer, 'ordinals' | 'scores'>;

/** Best first. */
export interface Answer {
  /** Position of each item among the accepted rows of the build's input. */
  readonly ordinals: Uint32Array;
  /** With seeds: the merged scores. */
  readonly scores: Float32Array;
  readonly quality: Quality;
  /** With seeds: for each candidate, the position of the seed with the best score. */
  readonly seeds?: Uint8Array;
  /** With seeds: the candidate's score with that seed, before weighting. */
  readonly seedScores?: Float32Array;
  /** Present if `explain` or `whyNot` was given. */
  readonly explain?: Explain;
}
