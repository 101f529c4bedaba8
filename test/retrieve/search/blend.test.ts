import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/base/random.js';
import type { Answer } from '../../../src/retrieve/search/answer.js';
import type { Quality } from '../../../src/wire/answers.js';
import type { SearchWork } from '../../../src/retrieve/search/needs.js';
import { blend, mergeScore, type BlendTask, type SearchStep } from '../../../src/retrieve/search/blend.js';

const QUALITY: Quality = { path: 'graph', ef: 10, selectivity: 1, shards: { total: 1, answered: 1 }, short: null };

/** Score of each row with one query; those that its walk misses are known to `scoreOf` alone. */
interface Query {
  readonly scores: Float32Array;
  readonly weight: number;
  readonly quota: number;
  readonly missed?: ReadonlySet<number>;
}

function run(queries: readonly Query[], k: number, minScore = -Infinity): Answer {
  const rows = queries[0]!.scores.length;
  // A query is its position: what is asked for scores is told by it.
  const sources = queries.map(({ weight, quota }, source) => ({ weight, quota, query: Float32Array.of(source) }));

  function* search({ source, depth }: SearchStep): SearchWork<Answer> {
    const { scores, missed } = queries[source]!;
    const found = [...scores.keys()].filter((row) => scores[row]! >= minScore && missed?.has(row) !== true);
    found.sort((a, b) => scores[b]! - scores[a]! || a - b);
    const ordinals = Uint32Array.from(found.slice(0, depth));
    return { ordinals, scores: Float32Array.from(ordinals, (row) => scores[row]!), quality: QUALITY };
  }
  const task: BlendTask = { k, minScore, sources, crowding: null, allowed: rows, available: rows, search };
  const work = blend(task);
  for (;;) {
    const next = work.next();
    if (next.done === true) return next.value;
    if (next.value?.kind !== 'scores') continue;
    const { query, ordinals, scores } = next.value.scoring;
    for (const [i, row] of ordinals.entries()) scores[i] = queries[query[0]!]!.scores[row]!;
  }
}

/** As the definition says it, with all scores of all rows. */
function define(queries: readonly Query[], k: number, minScore: number): (readonly [number, number, number])[] {
  const rows = [...queries[0]!.scores.keys()].flatMap((row) => {
    const merged = queries.flatMap(({ scores, weight }, source) =>
      scores[row]! >= minScore ? [[row, mergeScore(scores[row]!, weight), source] as const] : [],
    );
    return merged.sort((a, b) => b[1] - a[1] || a[2] - b[2]).slice(0, 1);
  });
  rows.sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  const left = queries.map(({ quota }) => quota);
  return rows.filter(([, , source]) => left[source]!-- > 0).slice(0, k);
}

describe('candidates of several queries', () => {
  it('are those of the definition, whatever weights, quotas and ties there are (seeds 1 to 400)', () => {
    for (let seed = 1; seed <= 400; seed++) {
      const random = seededRandom(seed);
      const int = (below: number) => Math.floor(random() * below);
      const [count, rows, k, levels] = [1 + int(8), 2 + int(150), 1 + int(40), [3, 50, 1e6][int(3)]!];
      const queries = Array.from({ length: count + 1 }, () => ({
        scores: Float32Array.from({ length: rows }, () => int(levels) / levels - 0.5),
        weight: [1, 1, 0.5, 3, 1e-20][int(5)]!,
        quota: int(2) === 0 ? k : 1 + int(k),
      }));
      const minScore = [-Infinity, -0.2, 0.1][int(3)]!;
      const { ordinals, scores, seeds } = run(queries, k, minScore);
      const found = [...ordinals].map((row, i) => [row, scores[i], seeds![i]]);
      expect(found, `seed ${seed}`).toEqual(define(queries, k, minScore));
    }
  });

  it('get the score of a query whose walk missed them, also where another one has lifted them above what it found', () => {
    const rows = 40;
    const scores = (known: Readonly<Record<number, number>>) =>
      Float32Array.from({ length: rows }, (_, row) => known[row] ?? 0);
    const queries: Query[] = [
      { scores: scores({ 10: 0.9, 11: 0.8, 12: 0.95 }), weight: 1, quota: 2, missed: new Set([12]) },
      { scores: scores({ 12: 0.5, 13: 0.5 }), weight: 1, quota: 2 },
      { scores: scores({ 20: 0.95, 21: 0.9, 12: 0.85 }), weight: 1, quota: 2 },
    ];
    const { ordinals, scores: found, seeds } = run(queries, 6);
    const at = ordinals.indexOf(12);
    expect([found[at], seeds![at]]).toEqual([Math.fround(0.95), 0]);
  });
});
