/** Answers of many queries in three arrays: what threads send, and what batches write. */
import type { Candidates } from '../search/answer.js';

/** The candidates of query i follow those of query i - 1. */
export interface PackedAnswers {
  /** Number of candidates of each query. */
  readonly counts: Uint32Array;
  readonly ordinals: Uint32Array;
  readonly scores: Float32Array;
}

export function packAnswers(answers: readonly Candidates[]): PackedAnswers {
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
