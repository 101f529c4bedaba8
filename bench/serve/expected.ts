/** The expected answers of the server: the library's own answers, their recall, and their cost in process. */
import type { NativePool } from '../../src/engine/native/native-pool.js';
import type { OpenIndex } from '../../src/retrieve/library/open-index.js';
import type { Attributed } from '../filters/attributed.js';
import { findTruth, recallOf, rowsBelow } from '../filters/truth.js';
import { significant } from '../lib/numbers.js';
import type { Ask, Candidates } from './forms.js';

/** Share of the rows that the filter passes, as one of so many. */
const FILTER_SHARE = 10;

export const filterOf = ({ data }: Attributed): Ask['filter'] => ({ lot: { $lt: Math.round(data.rows / FILTER_SHARE) } }); // prettier-ignore

export interface Expected {
  /** By query. */
  readonly answers: readonly Candidates[];
  readonly recall: number;
  /** Processor time of one search of the library in this process, in microseconds, measured for about so long. */
  readonly timeSearch: (durationMs: number) => number;
}

export async function expect(
  index: OpenIndex,
  pool: NativePool,
  set: Attributed,
  vectors: readonly Float32Array[],
  ask: Ask,
): Promise<Expected> {
  const passing = ask.filter === undefined ? null : rowsBelow(set.ranks.lot, Math.round(set.data.rows / FILTER_SHARE));
  const joined = set.queries.subarray(0, vectors.length * set.data.dim);
  const truth = await findTruth(pool, set, joined, passing, ask.k);
  const found = vectors.map((vector) => index.search(vector, ask));
  const recalls = found.map((answer, query) => recallOf(truth, query, answer));
  const recall = significant(recalls.reduce((sum, one) => sum + one, 0) / recalls.length, 5);
  const answers = found.map(({ ids, scores }) => ({ ids, scores: [...scores] }));
  return { answers, recall, timeSearch: (durationMs) => timeSearch(index, vectors, ask, durationMs) };
}

/** Processor time of this process: what others do to the machine counts less than on the clock. */
function timeSearch(index: OpenIndex, vectors: readonly Float32Array[], ask: Ask, durationMs: number): number {
  const before = process.cpuUsage();
  const startedMs = performance.now();
  let searches = 0;
  for (; performance.now() - startedMs < durationMs || searches < vectors.length; searches++) {
    index.search(vectors[searches % vectors.length]!, ask);
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / searches;
}

/** @throws Error where the candidates are not those that the library gives, to the bit */
export function requireEqual(found: Candidates, wanted: readonly Candidates[], what: string): void {
  const ids = wanted.flatMap((one) => one.ids);
  const scores = wanted.flatMap((one) => one.scores);
  const isEqual =
    found.ids.length === ids.length &&
    found.ids.every((id, position) => id === ids[position]) &&
    found.scores.every((score, position) => score === scores[position]);
  if (!isEqual) throw new Error(`${what}: the server's answer is not the library's`);
}
