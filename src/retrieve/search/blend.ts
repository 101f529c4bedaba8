/**
 * Candidates of one or more queries as one list, with quotas and crowding: which depth of which query has to be
 * searched so that the list is what its definition says.
 *
 * By definition, every row that may come back has with each query a score; times the query's weight (divided, where
 * it is below 0), the best over the queries is its merged score, and that query brought it. Rows are walked by merged
 * score (then ordinal), and one is taken unless its query's quota or its value's limit is used up, until there are k.
 *
 * What was searched of a query ends at a threshold: rows beyond are not known, but are not better than it. So the
 * walk may go on while its candidate is before the thresholds of all queries that could bring anything still; where
 * it is not, those queries are searched deeper. (The idea: Fagin, Lotem and Naor 2003, "Optimal aggregation
 * algorithms for middleware".)
 *
 * With several queries it pauses where it has had a slice of time: tens of thousands of candidates take longer than
 * others should wait.
 */
import { MAX_K } from '../../base/limits.js';
import { isBetter, TopK } from '../../base/top-k.js';
import type { Answer } from './answer.js';
import type { Explain, Quality } from '../../wire/answers.js';
import type { JsonValue } from '../../arrow/column-value.js';
import { CrowdCount, type Crowding } from './crowding.js';
import { Meter } from '../../base/work.js';
import { CandidateSet } from './candidate-set.js';
import { runTogether, type SearchWork } from './needs.js';

/** One of the queries. */
interface Source {
  readonly weight: number;
  /** Candidates that it may bring. */
  readonly quota: number;
  readonly query: Float32Array;
}

export interface BlendTask {
  readonly k: number;
  readonly minScore: number;
  readonly sources: readonly Source[];
  readonly crowding: Crowding | null;
  /** Rows that may come back, and those that could if there were no filter and no exclusions. */
  readonly allowed: number;
  readonly available: number;
  /** Searches one source as deep as a step says. */
  readonly search: (step: SearchStep) => SearchWork<Answer>;
}

/** A search that is needed: this many candidates of this query. Beyond MAX_K only a scan gives them. */
export interface SearchStep {
  readonly source: number;
  readonly depth: number;
  /** Values of the crowding's attribute that have no room left, so that their rows need not come again; they may. */
  readonly without: readonly JsonValue[];
}

/**
 * What a candidate takes when it is collected, when a query is asked for its score, and when it is walked by, in the
 * units of a Meter.
 */
const COLLECTING_UNITS = 100;
const SCORING_UNITS = 1_000;
const WALKING_UNITS = 400;

/** What is known of a query. */
interface SourceState {
  /** All that was found of it, search by search: a later one may leave out what an earlier one found. */
  readonly answers: readonly Answer[];
  readonly step: SearchStep;
  /** Nothing is beyond what was found. */
  readonly complete: boolean;
  /** No row beyond is before this place in the merged order. */
  readonly threshold: Place;
}

interface Place {
  readonly score: number;
  readonly ordinal: number;
}

/** Rows asked for beyond k where scores are weighted: rounding may make neighbours in one order equal in the other. */
const SPARE_ROWS = 8;
/** Candidates asked for first where they crowd each other, as a multiple of those that are wanted. */
const CROWDED_FACTOR = 2;
/** How much deeper each search is than the one before. */
const DEPTH_GROWTH = 4;
/** Searches deepen so many times before they leave out what is in the way: that takes a filter, which costs more. */
const FILTER_DEPTH_FACTOR = 4;

export function* blend(task: BlendTask): SearchWork<Answer> {
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
 * The best of what there is, where time has run out. Nothing is needed for it: what was found counts as all there is.
 * @param answers by source
 */
export function blendPartial(task: BlendTask, answers: readonly Answer[]): Answer {
  const known = task.sources.map((_, source) => {
    const step = { ...firstStep(task, source), depth: Infinity };
    return sourceState(task, step, answers[source]!, []);
  });
  const found = atOnce(collect(task, known));
  const { quality, ...best } = buildAnswer(task, known, found, atOnce(walk(task, known, found)), performance.now());
  const answered = Math.min(...known.map((one) => lastOf(one).quality.shards.answered));
  return { ...best, quality: { ...quality, shards: { ...quality.shards, answered }, short: 'timeout' } };
}

function atOnce<T>(steps: SearchWork<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
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

/** @param full values that have no room left */
function deeperStep(task: BlendTask, { source, depth, without }: SearchStep, full: readonly JsonValue[]): SearchStep {
  const first = firstStep(task, source).depth;
  const deeper = Math.min(task.allowed, depth < MAX_K ? Math.min(MAX_K, DEPTH_GROWTH * depth) : DEPTH_GROWTH * depth);
  if (full.length === 0 || depth < FILTER_DEPTH_FACTOR * first) return { source, depth: deeper, without };
  // The first search without what was in the way need not be deep.
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
  // Unweighted, rows beyond come after the last one; weighted, they may round to the same score and have any ordinal.
  const threshold = {
    score: last < 0 ? -Infinity : mergeScore(scores[last]!, weight),
    ordinal: weight === 1 && last >= 0 ? ordinals[last]! : -1,
  };
  const complete = ordinals.length < step.depth || step.depth >= allowed;
  return { answers: [...before, answer], step, complete, threshold };
}

function lastOf({ answers }: SourceState): Answer {
  return answers.at(-1)!;
}

/** True unless a row that is not known of the query may come before the place. */
function isBefore(place: Place, { complete, threshold }: SourceState): boolean {
  return complete || !isBetter(threshold.score, threshold.ordinal, place.score, place.ordinal);
}

/** Every row that was found and may be wanted, once, with the source that gives it its best score. */
function* collect(task: BlendTask, known: readonly SourceState[]): SearchWork<CandidateSet> {
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

/**
 * A function of its own, as are other loops over many rows: V8 compiles one that is part of a generator again and
 * again.
 */
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
 * A row that one query found may be beyond the threshold of another that gives it a better score: that is computed.
 * Rows that cannot be wanted are dropped.
 */
function* completeScores(task: BlendTask, known: readonly SourceState[], found: CandidateSet): SearchWork<void> {
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

/**
 * Queries that may give a row beyond their thresholds a score, the highest threshold first; in columns, for tens of
 * thousands of rows.
 */
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

/** Rows and pairs that are scored together: 1,024 scores of 128 components take 0.1 ms. */
const ROWS_TOGETHER = 4_096;
const PAIRS_TOGETHER = 1_024;

/** Rows whose scores with a query are wanted, by query: places of what was found. */
class ScorePairs {
  readonly places: readonly number[][];
  rows = 0;
  count = 0;

  constructor(sources: number) {
    this.places = Array.from({ length: sources }, () => []);
  }
}

/** @returns the first place that is left for the next time */
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
      if (thresholds[i]! < wanted) break; // and so are those that follow
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

/** No candidate below this score is wanted, whatever its score turns out to be elsewhere. */
function* minWantedScore({ k, sources, crowding }: BlendTask, { scores, size }: CandidateSet): SearchWork<number> {
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
  /** Places of what was found. */
  readonly taken: readonly number[];
  /** Sources to be searched deeper before the walk can go on; empty where it is done. */
  readonly blockers: readonly number[];
  /** Quotas or crowding kept others out. */
  readonly crowded: boolean;
  /** Values that have no room left. */
  readonly full: readonly JsonValue[];
}

/** Beyond all rows. */
const LAST: Place = { score: -Infinity, ordinal: 0 };

function* walk(
  { k, sources, crowding }: BlendTask,
  known: readonly SourceState[],
  found: CandidateSet,
): SearchWork<Walked> {
  const meter = new Meter();
  const crowd = crowding && new CrowdCount(crowding);
  const left = sources.map(({ quota }) => quota);
  const taken: number[] = [];
  let crowded = false;
  const open = () => known.filter(({ complete }, source) => left[source]! > 0 && !complete);
  /** Beyond this place somebody blocks: of all that could, the one whose threshold is the best. */
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
  const qualities = known.map((one) => lastOf(one).quality);
  const efs = qualities.flatMap(({ ef }) => ef ?? []);
  const inexact = qualities.find(({ path }) => path !== 'exact');
  const quality: Quality = {
    ...qualities[0]!,
    path: inexact?.path ?? 'exact',
    ef: efs.length === 0 ? null : Math.max(...efs),
    short: taken.length === task.k ? null : crowded ? 'crowding' : shortReason(task, taken.length),
  };
  const answer = {
    ordinals: Uint32Array.from(taken, (place) => found.ordinals[place]!),
    scores: Float32Array.from(taken, (place) => found.scores[place]!),
    seeds: Uint8Array.from(taken, (place) => found.sources[place]!),
    seedScores: Float32Array.from(taken, (place) => found.ownScores[place]!),
    quality,
  };
  const explains = known.flatMap(({ answers }) => answers.flatMap(({ explain }) => explain ?? []));
  if (explains.length === 0) return answer;
  return { ...answer, explain: joinExplains(explains, Math.round((performance.now() - begun) * 1000)) };
}

/** Where nothing was kept out by others: all that there are were taken. */
function shortReason({ k, allowed, available }: BlendTask, taken: number): Quality['short'] {
  if (taken < Math.min(k, allowed)) return 'min_score';
  return available < k ? 'corpus' : 'filter';
}

function joinExplains(explains: readonly Explain[], mergeUs: number): Explain {
  const sum = (pick: (stages: Explain['stages']) => number) =>
    explains.reduce((total, { stages }) => total + pick(stages), 0);
  const efs = explains.flatMap(({ ef }) => ef ?? []);
  return {
    shards: explains.flatMap(({ shards }) => shards),
    filter: explains[0]!.filter,
    ef: efs.length === 0 ? null : Math.max(...efs),
    stages: {
      filter_us: explains[0]!.stages.filter_us,
      search_us: sum((stages) => stages.search_us),
      merge_us: sum((stages) => stages.merge_us) + mergeUs,
    },
  };
}
