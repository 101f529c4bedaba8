/**
 * The points of one band: recall at one k and one share of passing rows, at rising ef, until there is nothing left to
 * find.
 *
 *   climb    a grid in steps of about 1.4, from where a handful of queries begins to find enough widen    as many
 *   more queries as the interval around the default target asks for: recall that a few queries lose altogether needs
 *            many of them to be told
 *   refine   a point between the two on both sides of each target
 *
 * What keeps it short: a query that found all of its neighbours is not asked again at a larger ef; where ef is large
 * and many queries still miss something, fewer have to do; where the engine scans, ef changes nothing. All of it is
 * decided by what was found, never by a clock.
 */
import { setImmediate } from 'node:timers/promises';
import { MAX_EF } from '../../base/limits.js';
import { DEFAULT_TARGET_RECALL, type CalibrationPoint } from '../../retrieve/load/calibration.js';
import type { Trial } from './trial.js';
import type { TruthOnDemand } from './hidden-truth.js';
import { deviationOf, lowerRecall, meanOf, STANDARD_ERRORS } from './recall-bound.js';

/**
 * How many queries a band asks: at first, at most, and how far its promise at the default target may be below the
 * mean.
 */
export interface QueryBudget {
  readonly first: number;
  readonly max: number;
  readonly width: number;
}

/** Targets that are worth a point of their own. */
const TARGETS = [0.9, 0.95, 0.98, 0.99, 0.995];
/** Points farther apart than this have one between them where a target lies there. */
const FINE_STEP = 1.25;

/** Fewer queries promise nothing. */
const MIN_QUERIES = 24;

/** Queries asked first, and the recall below which no more are asked: nobody aims that low. */
const SCREENING_QUERIES = 12;
const SCREENING_RECALL = 0.85;

/** From this recall on, the deviation of queries tells what it is at the default target. */
const NEAR_TARGET = 0.97;

/** Nodes expanded at one point (some 300 ms) beyond which queries are left out, down to MIN_QUERIES. */
const POINT_EXPANSIONS = 300_000;

/** Nodes expanded in one band: some 2 s. Data so hard as to need more is left at the recall reached. */
const BAND_EXPANSIONS = 2_000_000;

/**
 * A row that is hidden finds a little more of very many neighbours than one that was never there, since its links
 * once shaped theirs: of 1,000, on 100,000 x 256 in diffuse clusters, new rows miss 1.03 to 1.1 times as much; on
 * other data as much.
 */
const MANY_NEIGHBORS = 1_000;
const MISSED_BY_NEW = 1.1;

const MIN_EF = 3;
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

interface Band {
  readonly trial: Trial;
  readonly truth: TruthOnDemand;
  readonly k: number;
  readonly budget: QueryBudget;
  readonly signal: AbortSignal | undefined;
}

/** One ef, and the recall there of each of the first queries. */
interface Measured {
  readonly ef: number;
  readonly recalls: readonly number[];
  /** True where every query that was asked was scanned for. */
  readonly isScan: boolean;
}

export async function measureBand(band: Band): Promise<CalibrationPoint[]> {
  return new BandMeasurement(band, await chooseGrid(band)).run();
}

class BandMeasurement {
  private readonly band: Band;
  private readonly grid: readonly number[];
  /** By ascending ef. */
  private points: Measured[] = [];
  private expansions = 0;

  constructor(band: Band, grid: readonly number[]) {
    this.band = band;
    this.grid = grid;
  }

  async run(): Promise<CalibrationPoint[]> {
    const { first } = this.band.budget;
    for (const ef of this.grid) {
      const point = await this.measure(ef, first, this.points.at(-1)?.recalls);
      this.points.push(point);
      if (point.isScan || isSettled(this.band, point) || isStuck(this.band, this.points) || this.isOverBudget()) break;
    }
    if (!this.points.at(-1)!.isScan) {
      await this.widen();
      await this.refine();
    }
    return this.points.map((point) => toPoint(this.band, point));
  }

  /** Asks the points from below the targets on for more queries. */
  private async widen(): Promise<void> {
    const { budget, k } = this.band;
    const near = this.points.find(({ recalls }) => meanOf(recalls) >= NEAR_TARGET);
    if (near === undefined) return;
    const wanted = Math.min(
      budget.max,
      Math.ceil(((STANDARD_ERRORS * deviationOf(near.recalls, k)) / budget.width) ** 2),
    );
    if (wanted <= near.recalls.length) return; // prettier-ignore
    let before: readonly number[] | undefined;
    for (const [position, { ef, recalls }] of this.points.entries()) {
      if (meanOf(recalls) < SCREENING_RECALL || this.isOverBudget()) continue;
      const point = await this.measure(ef, wanted, before, recalls);
      this.points[position] = point;
      before = point.recalls;
    }
  }

  private async refine(): Promise<void> {
    for (const target of TARGETS) {
      const above = this.points.findIndex((point) => promises(this.band, point, target));
      if (above <= 0 || (this.isOverBudget() && target !== DEFAULT_TARGET_RECALL)) continue;
      const [low, high] = [this.points[above - 1]!, this.points[above]!];
      if (high.ef <= FINE_STEP * low.ef) continue;
      const ef = Math.round(Math.sqrt(low.ef * high.ef));
      if (ef > low.ef && ef < high.ef)
        this.points.splice(above, 0, await this.measure(ef, high.recalls.length, low.recalls));
    }
  }

  private isOverBudget(): boolean {
    return this.expansions >= BAND_EXPANSIONS;
  }

  /**
   * @param size how many queries; fewer are asked where few find enough, or where they cost too much
   * @param before recall of each query at a smaller ef, where it was asked
   * @param asked recall of the first queries at this ef
   */
  private async measure(
    ef: number,
    size: number,
    before: readonly number[] = [],
    asked: readonly number[] = [],
  ): Promise<Measured> {
    const screened = await this.ask(ef, Math.max(SCREENING_QUERIES, asked.length), before, asked);
    if (meanOf(screened.recalls) < SCREENING_RECALL) return screened;
    return this.ask(ef, this.affordable(ef, Math.min(size, this.band.trial.queries.count), before), before, screened.recalls);
  } // prettier-ignore

  /** How many of the first queries can be afforded, since only those that missed something are asked. */
  private affordable(ef: number, wanted: number, before: readonly number[]): number {
    let size = 0;
    for (let expansions = 0; size < wanted; size++) {
      if (size >= MIN_QUERIES && expansions >= POINT_EXPANSIONS) break;
      if (before[size] !== 1) expansions += ef;
    }
    return size;
  }

  private async ask(ef: number, size: number, before: readonly number[], asked: readonly number[]): Promise<Measured> {
    const found = await askQueries(this.band, ef, size, before, asked);
    this.expansions += ef * found.searches;
    return { ef, recalls: found.recalls, isScan: found.searches > 0 && found.searches === found.scans };
  }
}

interface QueryResults {
  readonly recalls: readonly number[];
  readonly searches: number;
  readonly scans: number;
}

/** Asks the first `size` queries; those that had found all before, and those that were asked, are not asked again. */
async function askQueries(
  { trial, truth, k, signal }: Band,
  ef: number,
  size: number,
  before: readonly number[] = [],
  asked: readonly number[] = [],
): Promise<QueryResults> {
  const count = Math.max(asked.length, Math.min(size, trial.queries.count));
  const nearest = await truth.find(count, k);
  const recalls = [...asked];
  let searches = 0;
  let scans = 0;
  for (let position = asked.length; position < count; position++) {
    if (before[position] === 1) {
      recalls.push(1);
      continue;
    }
    if (searches++ % QUERIES_PER_TURN === 0) {
      await setImmediate();
      signal?.throwIfAborted();
    }
    const { recall, isScan } = trial.tryQuery(await trial.searchSpaceOf(position), nearest[position]!, position, {
      k,
      ef,
    });
    recalls.push(recall);
    if (isScan) scans++;
  }
  return { recalls, searches, scans };
}

/** The ef to climb by: from the one below the first at which a handful of queries finds enough. */
async function chooseGrid(band: Band): Promise<number[]> {
  const first = await minEf(band);
  const grid = efGrid(first, largestShard(band));
  if (first >= band.k) return grid;
  const recallOf = async (step: number): Promise<number> =>
    meanOf((await askQueries(band, grid[step]!, SCREENING_QUERIES)).recalls);
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
 * Where the grid may start. Some engines raise ef to k: their answers at the smallest ef and at k are the same, and
 * points below k would promise something about searches with another k that those do not do. So would those of a
 * scan.
 */
async function minEf(band: Band): Promise<number> {
  const low = await askQueries(band, Math.min(band.k, MIN_EF), SCREENING_QUERIES);
  if (low.searches === low.scans) return band.k;
  const atK = await askQueries(band, band.k, SCREENING_QUERIES);
  return low.recalls.every((recall, position) => recall === atK.recalls[position]) ? band.k : MIN_EF;
}

/** Rising ef from `first`; the last one is as many as there are rows, or the largest ef there is. */
export function efGrid(first: number, rows: number): number[] {
  const last = Math.max(1, Math.min(MAX_EF, rows));
  const grid = new Set<number>();
  for (let ef = first; ef < last; ef *= EF_STEP) grid.add(Math.round(ef));
  return [...grid.add(last)];
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

function toPoint(band: Band, { ef, recalls, isScan }: Measured): CalibrationPoint {
  // A walk that may go over every row misses none, however few queries show it.
  const isWhole = ef >= largestShard(band) && recalls.every((recall) => recall === 1);
  const low = isWhole ? 1 : Math.max(0, 1 - missedByNew(band) * (1 - lowerRecall(recalls, band.k)));
  const point = { ef, queries: recalls.length, recall: toPlaces(meanOf(recalls)), recall_low: toPlaces(low) };
  return isScan ? { ...point, scanned: true } : point;
}

/** Times that a new row misses what a query of the band does. */
function missedByNew({ trial, k }: Band): number {
  const isHidden = trial.queries.groups.some(({ hidden }) => hidden.length > 0);
  return isHidden && k >= MANY_NEIGHBORS ? MISSED_BY_NEW : 1;
}

/** Six places are more than any number of queries supports; rounded down, since it is a promise. */
function toPlaces(recall: number): number {
  return Math.floor(recall * 1e6 + 1e-6) / 1e6;
}

function largestShard({ trial }: Band): number {
  return Math.max(...trial.version.shards.map(({ graph }) => graph.vectors.count));
}
