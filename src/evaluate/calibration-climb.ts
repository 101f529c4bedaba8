/**
 * The points of one band: recall at one k and one share of passing rows, at rising ef, until there is nothing left to find.
 *
 * What keeps it short: it starts where a handful of queries begins to find enough; a query that found all of its neighbours is
 * not asked again at a larger ef; where ef is large and many queries still miss something, fewer queries have to do; where the
 * engine scans, ef changes nothing. All of it is decided by what was found, never by a clock.
 */
import { setImmediate } from 'node:timers/promises';
import { MAX_EF } from '../base/limits.js';
import { DEFAULT_TARGET_RECALL, type CalibrationPoint } from '../retrieve/calibration.js';
import { tryQuery, type Trial } from './calibration-trial.js';
import type { Neighbors } from './calibration-truth.js';
import { lowerRecall, meanOf } from './recall-bound.js';

/** Queries at k 10 and at 100: 300 that found everything promise a recall of 0.999 at k 10. */
export const MAX_QUERIES = 300;
/** Queries at k 1000: 24 that found everything promise 0.9999 there. */
const MIN_QUERIES = 24;

/** Neighbours judged at a point: of 300 queries at k 100, 24 at 1000. */
const JUDGED_NEIGHBORS = 30_000;

/** Most queries that are asked at this k. */
export function queriesFor(k: number): number {
  return Math.min(MAX_QUERIES, Math.max(MIN_QUERIES, Math.floor(JUDGED_NEIGHBORS / k)));
}

/** Queries asked first, and the recall below which no more are asked: nobody aims that low. */
const SCREENING_QUERIES = 12;
const SCREENING_RECALL = 0.85;

/** Nodes expanded at one point (some 50 ms) beyond which queries are left out, down to MIN_QUERIES. */
const POINT_EXPANSIONS = 50_000;

/** Nodes expanded in one band: some 0.5 s. Data so hard as to need more is left at the recall reached. */
const BAND_EXPANSIONS = 500_000;

/** A grid in steps of about 1.4; the step across the default target is halved, since most searches use its ef. */
const MIN_EF = 8;
const EF_STEP = Math.SQRT2;

/** Part of k from which a start is looked for, up or down: one step of a walk finds several rows. */
const START_SHARE = 0.25;

/** Recall at which more ef is of no use. */
const SETTLED_RECALL = 0.998;

/** From this ef on (or from k), steps that may pass without finding more: what is missed then lies on an island. */
const PLATEAU_EF = 128;
const PLATEAU_STEPS = 4;

/** Queries between two looks at signals, timers and locks: at most some 50 ms. */
const QUERIES_PER_TURN = 25;

export interface Band {
  readonly trial: Trial;
  /** Of at least `queriesFor(k)` queries, or of all. */
  readonly truth: readonly Neighbors[];
  readonly k: number;
  readonly signal: AbortSignal | undefined;
}

/** One ef, and the recall there of each of the first queries. */
interface Measured {
  readonly ef: number;
  readonly recalls: readonly number[];
  /** True where every query that was asked was scanned for. */
  readonly isScan: boolean;
}

export async function climb(band: Band): Promise<CalibrationPoint[]> {
  const measured: Measured[] = [];
  let expansions = 0;
  for (const ef of await chooseGrid(band)) {
    const last = measured.at(-1);
    const next = await measure(band, ef, last?.recalls ?? []);
    const between = last === undefined ? null : middleOf(last.ef, ef);
    if (last && between && !promises(band, last, DEFAULT_TARGET_RECALL) && promises(band, next, DEFAULT_TARGET_RECALL))
      measured.push(await measure(band, between, last.recalls));
    measured.push(next);
    expansions += ef * next.recalls.filter((recall, position) => recall < 1 || last?.recalls[position] !== 1).length;
    if (next.isScan || isSettled(band, next) || isStuck(band, measured) || expansions >= BAND_EXPANSIONS) break;
  }
  return measured.map((point) => toPoint(band, point));
}

/** The ef to climb by: from the one below the first at which a handful of queries finds enough. */
async function chooseGrid(band: Band): Promise<number[]> {
  const least = await leastEf(band);
  const grid = efGrid(least, largestShard(band));
  if (least >= band.k) return grid;
  const recallOf = async (step: number): Promise<number> =>
    meanOf((await ask(band, grid[step]!, SCREENING_QUERIES)).recalls);
  let start = Math.max(0, grid.findLastIndex((ef) => ef <= START_SHARE * band.k)); // prettier-ignore
  let recall = await recallOf(start);
  while (recall < SCREENING_RECALL && start < grid.length - 1) recall = await recallOf(++start);
  while (recall >= SCREENING_RECALL && start > 0) {
    const lower = await recallOf(start - 1);
    if (lower < SCREENING_RECALL || lower === recall) break; // what is equal was found with no help of ef
    start--;
    recall = lower;
  }
  return grid.slice(Math.max(0, start - 1));
}

/**
 * Where the grid may start. Some engines raise ef to k: their answers at the smallest ef and at k are the same, and points
 * below k would promise something about searches with another k that those do not do. So would those of a scan.
 */
async function leastEf(band: Band): Promise<number> {
  const low = await ask(band, Math.min(band.k, MIN_EF), SCREENING_QUERIES);
  if (low.isScan) return band.k;
  const atK = await ask(band, band.k, SCREENING_QUERIES);
  return low.recalls.every((recall, position) => recall === atK.recalls[position]) ? band.k : MIN_EF;
}

/** Rising ef from `first`; the last one is as many as there are rows, or the largest ef there is. */
export function efGrid(first: number, rows: number): number[] {
  const last = Math.max(1, Math.min(MAX_EF, rows));
  const grid = new Set<number>();
  for (let ef = first; ef < last; ef *= EF_STEP) grid.add(Math.round(ef));
  return [...grid.add(last)];
}

function middleOf(below: number, above: number): number | null {
  const middle = Math.round(Math.sqrt(below * above));
  return middle > below && middle < above ? middle : null;
}

/** @param before recall of each query at a smaller ef, where it was asked */
async function measure(band: Band, ef: number, before: readonly number[]): Promise<Measured> {
  const screened = await ask(band, ef, SCREENING_QUERIES, before);
  // Where k is large, a handful of queries that found everything promises as much as is asked for.
  if (meanOf(screened.recalls) < SCREENING_RECALL || promises(band, { ef, ...screened }, SETTLED_RECALL))
    return { ef, ...screened };
  const known = [...screened.recalls, ...before.slice(screened.recalls.length)];
  const asked = new Set(screened.recalls.keys());
  const wanted = Math.min(queriesFor(band.k), band.truth.length);
  // How many of the first queries can be afforded, since only those that missed something are asked.
  let size = asked.size;
  for (let expansions = 0; size < wanted; size++) {
    if (size >= MIN_QUERIES && expansions >= POINT_EXPANSIONS) break;
    if (known[size] !== 1) expansions += ef;
  }
  return { ef, ...(await ask(band, ef, size, known, asked)) };
}

/** Asks the first `size` queries; those that had found all before, and those just asked, are not asked again. */
async function ask(
  { trial, truth, k, signal }: Band,
  ef: number,
  size: number,
  before: readonly number[] = [],
  asked: ReadonlySet<number> = new Set(),
): Promise<Omit<Measured, 'ef'>> {
  const recalls: number[] = [];
  let sinceTurn = 0;
  let scans = 0;
  for (let position = 0; position < Math.min(size, truth.length); position++) {
    const known = before[position];
    if (known !== undefined && (known === 1 || asked.has(position))) {
      recalls.push(known);
      continue;
    }
    if (sinceTurn++ % QUERIES_PER_TURN === 0) {
      await setImmediate();
      signal?.throwIfAborted();
    }
    const { recall, isScan } = tryQuery(trial, truth[position]!, position, { k, ef });
    recalls.push(recall);
    if (isScan) scans++;
  }
  return { recalls, isScan: sinceTurn > 0 && scans === sinceTurn };
}

function promises(band: Band, measured: Measured, recall: number): boolean {
  return toPoint(band, measured).recall_low >= recall;
}

/** A version of few rows, which are few queries, is measured up to the ef that goes over them all. */
function isSettled(band: Band, measured: Measured): boolean {
  const foundAll = measured.recalls.length >= MIN_QUERIES && measured.recalls.every((recall) => recall === 1);
  return foundAll || promises(band, measured, SETTLED_RECALL);
}

/** True where several steps found nothing more for the queries that were asked in all of them. */
function isStuck({ k }: Band, measured: readonly Measured[]): boolean {
  const [now, then] = [measured.at(-1)!, measured.at(-1 - PLATEAU_STEPS)];
  if (then === undefined || then.ef < Math.max(k, PLATEAU_EF)) return false;
  const common = Math.min(now.recalls.length, then.recalls.length);
  return meanOf(now.recalls.slice(0, common)) <= meanOf(then.recalls.slice(0, common));
}

function toPoint(band: Band, { ef, recalls }: Measured): CalibrationPoint {
  // A walk that may go over every row misses none, however few queries show it.
  const isWhole = ef >= largestShard(band) && recalls.every((recall) => recall === 1);
  const low = isWhole ? 1 : lowerRecall(recalls, band.k);
  return { ef, queries: recalls.length, recall: toPlaces(meanOf(recalls)), recall_low: toPlaces(low) };
}

/** Six places are more than any number of queries supports; rounded down, since it is a promise. */
function toPlaces(recall: number): number {
  return Math.floor(recall * 1e6 + 1e-6) / 1e6;
}

function largestShard({ trial }: Band): number {
  return Math.max(...trial.version.shards.map(({ graph }) => graph.vectors.count));
}
