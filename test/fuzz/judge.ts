/**
 * Whether an answer may be. Everything is computed again from the rows, one by one, in plain arithmetic: what passes, what it
 * scores, in which order it comes. On the exact path the whole answer must be the true one; a graph may miss, but never by
 * returning fewer than there are, nor anything that was not asked for.
 */
import { matches } from '../retrieve/filter/naive.js';
import type { Value } from '../retrieve/filter/stores.js';
import { DIM, type Catalog } from './catalog.js';
import type { Asked, AskedQuery, AskedSeed } from './requests.js';
import type { Candidate, Result } from './wire.js';

/** Of a score: what float32 and another order of additions may do. */
const TOLERANCE = 1e-6;

interface Scored {
  readonly ordinal: number;
  /** What it is ordered by, and by its seed alone. */
  readonly score: number;
  readonly own: number;
  readonly seed: number;
}

/** @throws Error saying what is wrong with the answer */
export function judge(asked: Asked, results: readonly Result[]): void {
  const count = asked.seeds === null ? asked.queries.length : 1;
  insist(results.length === count, `${results.length} results for ${count} queries`);
  const passing = passingRows(asked);
  results.forEach((result, i) => {
    const query = asked.seeds === null ? asked.queries[i]! : null;
    if (asked.seeds === null && query === null) {
      insist(result.error?.code === 'unknown_id', `result ${i} of an unknown id is no unknown_id`);
      return;
    }
    insist(result.error === undefined, `result ${i} failed with ${result.error?.code}`);
    judgeResult(asked, result, asked.seeds ?? [{ ...query!, weight: 1, quota: null }], passing);
  });
}

function insist(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

function passingRows({ catalog, filter }: Asked): boolean[] {
  return catalog.rows.map((row) => filter === null || matches(filter, row));
}

function judgeResult(asked: Asked, result: Result, seeds: readonly AskedSeed[], passing: readonly boolean[]): void {
  const { catalog, excluded } = asked;
  const selves = new Set(seeds.map(({ self }) => self));
  const allowed = catalog.ids.flatMap((_, row) =>
    passing[row] && !excluded.has(row) && !selves.has(row) ? [row] : [],
  );
  judgeQuality(asked, result, passing);
  judgeCandidates(asked, result, seeds, new Set(allowed));
  const definition = define(asked, seeds, allowed);
  insist((result.explain !== undefined) === asked.explain, 'explain is there, or not');
  if (result.quality.short === 'timeout') return;
  const limited = asked.crowding !== null || seeds.some(({ quota }) => quota !== null);
  const expected = Math.min(asked.k, definition.length);
  // Which seed a candidate counts for depends on scores that a walk may not have seen.
  const mayMiss = result.quality.path !== 'exact' && (asked.minScore !== null || limited);
  const got = result.candidates.length;
  insist(mayMiss ? got <= asked.k : got === expected, `${got} candidates where there are ${expected}`);
  insist(
    (result.quality.short === null) === (got === asked.k),
    `short is ${result.quality.short} at ${got} of ${asked.k}`,
  );
  if (result.quality.path === 'exact') {
    const slack = Math.max(...seeds.map(({ weight }) => Math.max(weight, 1 / weight)));
    result.candidates.forEach(({ score }, i) => {
      insist(isClose(score, definition[i]!.score, slack), `the score at ${i} is ${score}, not ${definition[i]!.score}`);
    });
  }
  judgeExplanation(asked, result);
}

function judgeQuality({ filter, catalog }: Asked, { quality }: Result, passing: readonly boolean[]): void {
  const share = filter === null ? 1 : passing.filter(Boolean).length / catalog.rows.length;
  const isUnknown = quality.short === 'timeout' && quality.shards.answered === 0 && quality.selectivity === 0;
  insist(
    isUnknown || Math.abs(quality.selectivity - share) < 1e-6,
    `selectivity is ${quality.selectivity}, not ${share}`,
  );
  insist((quality.ef === null) === (quality.path === 'exact'), `ef is ${quality.ef} on the path ${quality.path}`);
  insist(['graph', 'filtered-graph', 'exact'].includes(quality.path), `the path is ${quality.path}`);
}

function judgeCandidates(
  asked: Asked,
  result: Result,
  seeds: readonly AskedSeed[],
  allowed: ReadonlySet<number>,
): void {
  const { catalog } = asked;
  const crowd = new Map<unknown, number>();
  const brought = new Map<number, number>();
  let last: { score: number; ordinal: number } | null = null;
  for (const candidate of result.candidates) {
    const ordinal = catalog.ordinals.get(candidate.id);
    insist(ordinal !== undefined, `there is no item ${candidate.id}`);
    insist(allowed.has(ordinal), `item ${candidate.id} may not come back, or comes back twice`);
    (allowed as Set<number>).delete(ordinal);
    const { score } = candidate;
    const inOrder = last === null || last.score > score || (last.score === score && last.ordinal < ordinal);
    insist(inOrder, `item ${candidate.id} is out of order`);
    last = { score, ordinal };
    judgeScore(asked, candidate, seeds, ordinal);
    brought.set(candidate.seed ?? 0, (brought.get(candidate.seed ?? 0) ?? 0) + 1);
    const value = asked.crowding === null ? null : crowdValue(catalog, asked.crowding.attribute, ordinal);
    if (value !== null) crowd.set(value, (crowd.get(value) ?? 0) + 1);
    judgeExtras(asked, candidate);
  }
  for (const [value, count] of crowd)
    insist(count <= asked.crowding!.limit, `${count} candidates have ${String(value)}`);
  seeds.forEach(({ quota }, seed) =>
    insist((brought.get(seed) ?? 0) <= (quota ?? Infinity), `seed ${seed} brought too many`),
  );
}

function judgeScore(asked: Asked, candidate: Candidate, seeds: readonly AskedSeed[], ordinal: number): void {
  const { score, seed = 0, seed_score: own = score } = candidate;
  insist((candidate.seed !== undefined) === (asked.seeds !== null), 'seed is there, or not');
  insist(seeds[seed] !== undefined, `there is no seed ${seed}`);
  const wanted = scoreOf(asked.catalog, seeds[seed], ordinal);
  insist(isClose(own, wanted), `item ${candidate.id} scores ${own}, not ${wanted}`);
  const weighed = weigh(own, seeds[seed].weight);
  insist(isClose(score, weighed), `item ${candidate.id} counts ${score}, not ${weighed}`);
  insist(asked.minScore === null || own >= Math.fround(asked.minScore), `item ${candidate.id} is below min_score`);
}

function judgeExtras({ attributes, vectors, catalog }: Asked, candidate: Candidate): void {
  const names = candidate.attributes === undefined ? null : Object.keys(candidate.attributes);
  insist(
    attributes === null ? names === null : names !== null && attributes.every((name) => names.includes(name)),
    `attributes are ${String(names)}`,
  );
  insist((candidate.vector !== undefined) === vectors, 'the vector is there, or not');
  if (candidate.vector === undefined) return;
  const ordinal = catalog.ordinals.get(candidate.id)!;
  const row = unit(catalog, catalog.vectors.subarray(ordinal * DIM, (ordinal + 1) * DIM));
  insist(
    candidate.vector.every((value, i) => isClose(value, row[i]!)),
    `the vector of ${candidate.id} is another`,
  );
}

function judgeExplanation({ whyNot }: Asked, result: Result): void {
  const ids = new Set(result.candidates.map(({ id }) => id));
  const told = result.explain?.why_not ?? [];
  insist(told.length === whyNot.length, `why_not tells of ${told.length} of ${whyNot.length}`);
  told.forEach(({ id, found, reason }, i) => {
    insist(id === whyNot[i] && found === ids.has(id), `why_not of ${id} says found ${found}`);
    insist((reason === null) === found, `why_not of ${id} gives the reason ${reason}`);
  });
}

/** The answer by definition, without a bound of k: best first. */
function define(asked: Asked, seeds: readonly AskedSeed[], allowed: readonly number[]): Scored[] {
  const scored = allowed.flatMap((ordinal) => {
    const best = seeds
      .map((seed, position) => ({ own: scoreOf(asked.catalog, seed, ordinal), seed: position, weight: seed.weight }))
      .filter(({ own }) => asked.minScore === null || own >= asked.minScore)
      .map(({ own, seed, weight }) => ({ ordinal, own, seed, score: weigh(own, weight) }))
      .sort((a, b) => b.score - a.score);
    return best.slice(0, 1);
  });
  scored.sort((a, b) => b.score - a.score || a.ordinal - b.ordinal);
  return limit(asked, seeds, scored);
}

function limit({ crowding, catalog }: Asked, seeds: readonly AskedSeed[], scored: readonly Scored[]): Scored[] {
  const crowd = new Map<unknown, number>();
  const brought = seeds.map(() => 0);
  return scored.filter(({ ordinal, seed }) => {
    const value = crowding === null ? null : crowdValue(catalog, crowding.attribute, ordinal);
    const isCrowded = value !== null;
    if (isCrowded && (crowd.get(value) ?? 0) >= crowding!.limit) return false;
    if (brought[seed]! >= (seeds[seed]!.quota ?? Infinity)) return false;
    brought[seed]!++;
    if (isCrowded) crowd.set(value, (crowd.get(value) ?? 0) + 1);
    return true;
  });
}

/** What items are crowded by. */
function crowdValue({ rows }: Catalog, attribute: string, ordinal: number): Value {
  return rows[ordinal]!.get(attribute)!;
}

function weigh(score: number, weight: number): number {
  return score >= 0 ? score * weight : score / weight;
}

function scoreOf(catalog: Catalog, { vector }: AskedQuery, ordinal: number): number {
  const a = unit(catalog, vector);
  const b = unit(catalog, catalog.vectors.subarray(ordinal * DIM, (ordinal + 1) * DIM));
  let sum = 0;
  for (let i = 0; i < DIM; i++) sum += catalog.metric === 'l2' ? (a[i]! - b[i]!) ** 2 : a[i]! * b[i]!;
  return catalog.metric === 'l2' ? -Math.sqrt(sum) : sum;
}

function unit({ metric }: Catalog, vector: Float32Array): readonly number[] {
  const length = metric === 'cosine' ? Math.hypot(...vector) : 1;
  return Array.from(vector, (value) => value / length);
}

/** @param slack what weights multiply the error of a score by */
function isClose(a: number, b: number, slack = 1): boolean {
  return Math.abs(a - b) <= TOLERANCE * slack * Math.max(1, Math.abs(a), Math.abs(b));
}
