/**
 * Merges the candidates of one or more queries into one list, with quotas and crowding. Decides how deep each query
 * must be searched for the list to be correct.
 *
 * Definition: every row that may be returned has a score with each query. Multiplied by the query's weight (divided, if
 * the score is negative), the best over all queries is the row's merged score, and that query is its source. Rows are
 * visited by merged score, then ordinal. A row is added unless the quota of its source or the limit of its value is
 * used up, until there are k.
 *
 * The search of a query ends at a threshold: rows beyond it are unknown, but not better. The walk may continue while
 * its candidate is ahead of the thresholds of all queries that could still contribute; the other queries are searched
 * deeper. (The idea: Fagin, Lotem and Naor 2003, "Optimal aggregation algorithms for middleware".)
 *
 * With several queries the work yields after each time slice: tens of thousands of candidates would block other
 * requests too long.
 */
import { MAX_K } from '../../base/limits.js';
import { isBetter, TopK } from '../../base/top-k.js';
import type { Answer } from './answer.js';
import type { Explain, Quality } from '../../wire/answers.js';
import type { JsonValue } from '../../arrow/column-value.js';
import { CrowdCount, type Crowding } from './crowding.js';
import { Meter, runSync, type Work } from '../../base/work.js';
import { CandidateSet } from './candidate-set.js';
import { runTogether, type SearchWork } from './needs.js';

interface Source {
  readonly weight: number;
  readonly quota: number;
  readonly query: Float32Array;
}

/** @typeParam Plan as in needs.ts */
export interface BlendTask<Plan = unknown> {
  readonly k: number;
  readonly minScore: number;
  readonly sources: readonly Source[];
  readonly crowding: Crowding | null;
  /** Number of rows that may be returned. */
  readonly allowed: number;
  /** The same number if there were no filter and no exclusions. */
  readonly available: number;
  readonly search: (step: SearchStep) => SearchWork<Answer, Plan>;
}

/** One search of one query for `depth` candidates. A depth beyond MAX_K needs a scan. */
export interface SearchStep {
  readonly source: number;
  readonly depth: number;
  /** Attribute values whose limit is used up: their rows need not be returned again, but may be. */
  readonly without: readonly JsonValue[];
}

/** Cost of collecting a candidate, of scoring it with one query, and of visiting it, in Meter units. */
const COLLECTING_UNITS = 100;
const SCORING_UNITS = 1_000;
const WALKING_UNITS = 400;

interface SourceState {
  /** The answers of its searches in order; a later one may omit what an earlier one found. */
  readonly answers: readonly Answer[];
  readonly step: SearchStep;
  /** True if no further row can be found. */
  readonly complete: boolean;
  /** Unknown rows do not come before this place in the merged order. */
  readonly threshold: Place;
}

interface Place {
  readonly score: number;
  readonly ordinal: number;
}

/** Extra rows with weighted scores: rounding may turn neighbours in one order into ties in the other. */
const SPARE_ROWS = 8;
/** With crowding: candidates of the first search, as a multiple of those needed. */
const CROWDED_FACTOR = 2;
/** Each search is this many times as deep as the one before. */
const DEPTH_GROWTH = 4;
/**
 * From this multiple of the first depth on, a search skips values whose limit is used up. That takes a filter, which
 * costs more than a deeper search.
 */
const FILTER_DEPTH_FACTOR = 4;

export function* blend<Plan>(task: BlendTask<Plan>): SearchWork<Answer, Plan> {
  const known: SourceState[] = [];
  let steps = task.sources.map((_, source) => firstStep(task, source));
  for (;;) {
    const answers = yield* runTogether(steps.map((step) => task.search(step)));
    for (const [i, step] of steps.entries()) {
      const before = known[step.source]?.answers ?? [];
      known[step.source] = sourceState(task, step, answers[i]!, before);
    }
    const begun = performance.now();
    const found = yield* collect(task, known);
    const walked = yield* walk(task, known, found);
    if (walked.blockers.length === 0) return buildAnswer(task, known, found, walked, begun);
    steps = walked.blockers.map((source) => deeperStep(task, known[source]!.step, walked.full));
  }
}

/**
 * The best answer from what was found when time ran out. Runs no further search: what was found counts as everything.
 * @param answers by source
 */
export function blendPartial(task: BlendTask, answers: readonly Answer[]): Answer {
  const known = task.sources.map((_, source) => {
    const step = { ...firstStep(task, source), depth: Infinity };
    return sourceState(task, step, answers[source]!, []);
  });
  const found = runSync(collect(task, known) as Work<CandidateSet>);
  const walked = runSync(walk(task, known, found) as Work<Walked>);
  const { quality, ...best } = buildAnswer(task, known, found, walked, performance.now());
  return { ...best, quality: { ...quality, short: 'timeout' } };
}

/** The merged score of a candidate: float32, never infinite. */
export function mergeScore(score: number, weight: number): number {
  if (weight === 1) return score;
  const merged = Math.fround(score >= 0 ? score * weight : score / weight);
  return Math.min(FLOAT32_MAX, Math.max(-FLOAT32_MAX, merged)) + 0;
}

const FLOAT32_MAX = 3.4028234663852886e38;

function firstStep({ k, sources, crowding, allowed }: BlendTask, source: number): SearchStep {
  const { quota, weight } = sources[source]!;
  const wanted = Math.min(k, quota) * (crowding === null ? 1 : CROWDED_FACTOR) + (weight === 1 ? 0 : SPARE_ROWS);
  return { source, depth: Math.max(1, Math.min(wanted, allowed, MAX_K)), without: [] };
}

/** @param full values whose limit is used up */
function deeperStep(task: BlendTask, { source, depth, without }: SearchStep, full: readonly JsonValue[]): SearchStep {
  const first = firstStep(task, source).depth;
  const deeper = Math.min(task.allowed, depth < MAX_K ? Math.min(MAX_K, DEPTH_GROWTH * depth) : DEPTH_GROWTH * depth);
  if (full.length === 0 || depth < FILTER_DEPTH_FACTOR * first) return { source, depth: deeper, without };
  // The first search that skips these values need not be deep.
  return { source, depth: without.length === 0 ? first : deeper, without: full };
}

function sourceState(
  { sources, allowed }: BlendTask,
  step: SearchStep,
  answer: Answer,
  before: readonly Answer[],
): SourceState {
  const { weight } = sources[step.source]!;
  const { ordinals, scores } = answer;
  const last = ordinals.length - 1;
  // Unweighted: unknown rows come after the last one. Weighted: they may round to its score and have any ordinal.
  const threshold = {
    score: last < 0 ? -Infinity : mergeScore(scores[last]!, weight),
    ordinal: weight === 1 && last >= 0 ? ordinals[last]! : -1,
  };
  const complete = ordinals.length < step.depth || step.depth >= allowed;
  return { answers: [...before, answer], step, complete, threshold };
}

/** Returns false if an unknown row of the query may come before the place. */
function isBefore(place: Place, { complete, threshold }: SourceState): boolean {
  return complete || !isBetter(threshold.score, threshold.ordinal, place.score, place.ordinal);
}

/** Every row that was found and may be in the answer, once, with the source of its best score. */
function* collect(task: BlendTask, known: readonly SourceState[]): SearchWork<CandidateSet, never> {
  const meter = new Meter();
  const lengths = known.flatMap(({ answers }) => answers.map(({ ordinals }) => ordinals.length));
  const found = new CandidateSet(
    lengths.reduce((sum, length) => sum + length, 0),
    lengths.length > 1,
  );
  for (const [source, { answers }] of known.entries()) {
    const { weight } = task.sources[source]!;
    for (const { ordinals, scores } of answers) {
      addAll(found, ordinals, scores, weight, source);
      if (known.length > 1 && meter.spend(COLLECTING_UNITS * ordinals.length)) yield;
    }
  }
  if (known.length > 1) yield* completeScores(task, known, found);
  return found;
}

/** A separate function, like other loops over many rows: V8 recompiles a hot loop inside a generator over and over. */
function addAll(
  found: CandidateSet,
  ordinals: Uint32Array,
  scores: Float32Array,
  weight: number,
  source: number,
): void {
  for (let i = 0; i < ordinals.length; i++) {
    found.add(ordinals[i]!, mergeScore(scores[i]!, weight), source, scores[i]!);
  }
}

/**
 * A row that one query found may have a better score with another query that has not found it. Computes those scores
 * and drops rows that cannot be in the answer.
 */
function* completeScores(task: BlendTask, known: readonly SourceState[], found: CandidateSet): SearchWork<void, never> {
  const meter = new Meter();
  const minWanted = yield* minWantedScore(task, found);
  const unfinished = listUnfinished(known);
  for (let from = 0; from < found.size;) {
    const pairs = new ScorePairs(task.sources.length);
    from = addPairs(pairs, found, from, unfinished, minWanted);
    for (const source of unfinished.sources) {
      const places = pairs.places[source]!;
      if (places.length === 0) continue;
      const scoring = {
        query: task.sources[source]!.query,
        ordinals: Uint32Array.from(places, (place) => found.ordinals[place]!),
        scores: new Float32Array(places.length),
      };
      yield { kind: 'scores', scoring };
      applyScores(task, found, places, source, scoring.scores);
    }
    if (meter.spend(COLLECTING_UNITS * pairs.rows + SCORING_UNITS * pairs.count)) yield;
  }
  dropBelow(found, minWanted);
}

/** Queries that may have unknown rows, the highest threshold first. In columns, for tens of thousands of rows. */
interface Unfinished {
  readonly sources: Uint8Array;
  readonly thresholds: Float64Array;
}

function listUnfinished(known: readonly SourceState[]): Unfinished {
  const sources = [...known.keys()].filter((source) => !known[source]!.complete);
  sources.sort((a, b) => known[b]!.threshold.score - known[a]!.threshold.score);
  return {
    sources: Uint8Array.from(sources),
    thresholds: Float64Array.from(sources, (source) => known[source]!.threshold.score),
  };
}

/** Limits of one round of scoring: 1,024 scores of 128 components take 0.1 ms. */
const ROWS_TOGETHER = 4_096;
const PAIRS_TOGETHER = 1_024;

/** Rows to score with each query: for each query, places in the candidate set. */
class ScorePairs {
  readonly places: readonly number[][];
  rows = 0;
  count = 0;

  constructor(sources: number) {
    this.places = Array.from({ length: sources }, () => []);
  }
}

/** @returns the first place that was not handled */
function addPairs(
  pairs: ScorePairs,
  found: CandidateSet,
  from: number,
  unfinished: Unfinished,
  minWanted: number,
): number {
  const { scores, sources: own, size } = found;
  const { sources, thresholds } = unfinished;
  let place = from;
  for (; place < size && pairs.rows < ROWS_TOGETHER && pairs.count < PAIRS_TOGETHER; place++) {
    pairs.rows++;
    const wanted = Math.max(scores[place]!, minWanted);
    for (let i = 0; i < thresholds.length; i++) {
      if (thresholds[i]! < wanted) break; // thresholds descend, so the rest is lower too
      if (sources[i] === own[place]) continue;
      pairs.places[sources[i]!]!.push(place);
      pairs.count++;
    }
  }
  return place;
}

function applyScores(
  { sources, minScore }: BlendTask,
  found: CandidateSet,
  places: readonly number[],
  source: number,
  ownScores: Float32Array,
): void {
  const { weight } = sources[source]!;
  for (let i = 0; i < places.length; i++) {
    const place = places[i]!;
    const own = ownScores[i]!;
    const score = mergeScore(own, weight);
    const isAhead = score > found.scores[place]! || (score === found.scores[place] && source < found.sources[place]!);
    if (own >= minScore && isAhead) found.improve(place, score, source, own);
  }
}

function dropBelow(found: CandidateSet, minWanted: number): void {
  let kept = 0;
  for (let place = 0; place < found.size; place++) {
    if (found.scores[place]! >= minWanted) found.move(place, kept++);
  }
  found.size = kept;
}

/** The score below which no candidate can be in the answer. */
function* minWantedScore(
  { k, sources, crowding }: BlendTask,
  { scores, size }: CandidateSet,
): SearchWork<number, never> {
  if (crowding !== null || size < k || sources.some(({ quota }) => quota < k)) return -Infinity;
  const meter = new Meter();
  const best = new TopK(k);
  for (let place = 0; place < size; place++) {
    best.push(scores[place]!, place);
    if (meter.spend(COLLECTING_UNITS)) yield;
  }
  return best.threshold;
}

interface Walked {
  readonly taken: readonly number[];
  /** Sources that must be searched deeper before the walk can continue; empty if it is complete. */
  readonly blockers: readonly number[];
  /** True if a quota or a crowding limit rejected a candidate. */
  readonly crowded: boolean;
  /** Values whose limit is used up. */
  readonly full: readonly JsonValue[];
}

/** A place after all rows. */
const LAST: Place = { score: -Infinity, ordinal: 0 };

function* walk(
  { k, sources, crowding }: BlendTask,
  known: readonly SourceState[],
  found: CandidateSet,
): SearchWork<Walked, never> {
  const meter = new Meter();
  const crowd = crowding && new CrowdCount(crowding);
  const left = sources.map(({ quota }) => quota);
  const taken: number[] = [];
  let crowded = false;
  const open = () => known.filter(({ complete }, source) => left[source]! > 0 && !complete);
  /** The best threshold of the queries that could still contribute. Beyond it the walk must stop. */
  const bestThreshold = () =>
    open().reduce<Place>((best, { threshold }) => (isBetter(threshold.score, threshold.ordinal, best.score, best.ordinal) ? threshold : best), LAST); // prettier-ignore
  const blockersAt = (place: Place) => [...known.keys()].filter((i) => left[i]! > 0 && !isBefore(place, known[i]!));
  let limit = bestThreshold();
  for (const place of found.bestFirst()) {
    const [score, ordinal, source] = [found.scores[place]!, found.ordinals[place]!, found.sources[place]!];
    if (known.length > 1 && meter.spend(WALKING_UNITS)) yield;
    if (isBetter(limit.score, limit.ordinal, score, ordinal)) {
      return { taken, blockers: blockersAt({ score, ordinal }), crowded, full: crowd?.full ?? [] };
    }
    if (left[source] === 0) continue;
    if (crowd !== null && !crowd.tryAdd(ordinal)) {
      crowded = true;
      continue;
    }
    taken.push(place);
    if (taken.length === k) return { taken, blockers: [], crowded, full: [] };
    if (--left[source]! === 0) {
      crowded = true;
      limit = bestThreshold();
    }
  }
  return { taken, blockers: blockersAt(LAST), crowded, full: crowd?.full ?? [] };
}

function buildAnswer(
  task: BlendTask,
  known: readonly SourceState[],
  found: CandidateSet,
  { taken, crowded }: Walked,
  begun: number,
): Answer {
  const qualities = known.map(({ answers }) => answers.at(-1)!.quality);
  const inexact = qualities.find(({ path }) => path !== 'exact');
  const { total } = qualities[0]!.shards;
  const answered = Math.min(...qualities.map(({ shards }) => shards.answered));
  const quality: Quality = {
    ...qualities[0]!,
    path: inexact?.path ?? 'exact',
    ef: maxEf(qualities),
    shards: { total, answered },
    short: answered < total ? 'timeout' : shortOf(task, taken.length, crowded),
  };
  const answer = { ...found.pick(taken), quality };
  const explains = known.flatMap(({ answers }) => answers.flatMap(({ explain }) => explain ?? []));
  if (explains.length === 0) return answer;
  return { ...answer, explain: joinExplains(explains, Math.round((performance.now() - begun) * 1000)) };
}

/** @param crowded a quota or limit rejected a candidate */
function shortOf({ k, allowed, available }: BlendTask, taken: number, crowded: boolean): Quality['short'] {
  if (taken === k) return null;
  if (crowded) return 'crowding';
  if (taken < Math.min(k, allowed)) return 'min_score';
  return available < k ? 'corpus' : 'filter';
}

function maxEf(parts: readonly { readonly ef: number | null }[]): number | null {
  const efs = parts.flatMap(({ ef }) => ef ?? []);
  return efs.length === 0 ? null : Math.max(...efs);
}

function joinExplains(explains: readonly Explain[], mergeUs: number): Explain {
  const sum = (pick: (stages: Explain['stages']) => number) =>
    explains.reduce((total, { stages }) => total + pick(stages), 0);
  return {
    shards: explains.flatMap(({ shards }) => shards),
    filter: explains[0]!.filter,
    ef: maxEf(explains),
    stages: {
      filter_us: explains[0]!.stages.filter_us,
      search_us: sum((stages) => stages.search_us),
      merge_us: sum((stages) => stages.merge_us) + mergeUs,
    },
  };
}
