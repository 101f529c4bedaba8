/** Answers of many queries in three arrays: what threads send, and what batches write. */
import type { Answer } from '../search/answer.js';

/** The candidates of query i follow those of query i - 1. */
export interface PackedAnswers {
  /** Number of candidates of each query. */
  readonly counts: Uint32Array;
  readonly ordinals: Uint32Array;
  readonly scores: Float32Array;
  /** Of searches with seeds, for each candidate: the position of its best seed, and its score with that seed. */
  readonly seeds?: Int32Array;
  readonly seedScores?: Float32Array;
}

export function packAnswers(answers: readonly Pick<Answer, 'ordinals' | 'scores'>[]): PackedAnswers {
  const counts = Uint32Array.from(answers, ({ ordinals }) => ordinals.length);
  const rows = counts.reduce((sum, count) => sum + count, 0);
  const packed = { counts, ordinals: new Uint32Array(rows), scores: new Float32Array(rows) };
  let row = 0;
  for (const { ordinals, scores } of answers) {
    packed.ordinals.set(ordinals, row);
    packed.scores.set(scores, row);
    row += ordinals.length;
  }
  return packed;
}

/** @param positions for each answer: positions of its seeds in the query */
export function packSeedAnswers(answers: readonly Answer[], positions: readonly (readonly number[])[]): PackedAnswers {
  const packed = packAnswers(answers);
  const seeds = new Int32Array(packed.ordinals.length);
  const seedScores = new Float32Array(packed.ordinals.length);
  let row = 0;
  for (const [i, answer] of answers.entries()) {
    if (answer.seedScores !== undefined) seedScores.set(answer.seedScores, row);
    answer.seeds?.forEach((seed, at) => (seeds[row + at] = positions[i]![seed]!));
    row += answer.ordinals.length;
  }
  return { ...packed, seeds, seedScores };
}
