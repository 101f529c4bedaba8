/**
 * Measures the points of one band: recall at one k and one share of passing rows, at rising ef, until there is nothing
 * left to find.
 *
 *   climb    measures a grid in steps of about 1.4, from where a few queries begin to find enough
 *   widen    adds as many queries as the confidence interval around the default target needs
 *   refine   adds a point between two points on both sides of a target
 *
 * The work stays small: a query that found all of its neighbours is not repeated at a larger ef. If ef is large and
 * many queries still miss something, fewer queries are used. If the engine scans, ef changes nothing. All decisions
 * follow from what was found, never from a clock.
 */
import { setImmediate } from 'node:timers/promises';
import { MAX_EF } from '../../base/limits.js';
import { DEFAULT_TARGET_RECALL, type CalibrationPoint } from '../../retrieve/load/calibration.js';
import type { Trial } from './trial.js';
import type { TruthOnDemand } from './hidden-truth.js';
import { deviationOf, lowerRecall, meanOf, STANDARD_ERRORS } from './recall-bound.js';

/** Queries of a band, at first and at most, and how far the promise at the default target may be below the mean. */
export interface QueryBudget {
  readonly first: number;
  readonly max: number;
  readonly width: number;
}

const TARGETS = [0.9, 0.95, 0.98, 0.99, 0.995];
/** Points farther apart than this factor get one between them if a target lies there. */
const FINE_STEP = 1.25;

/** Fewer queries promise nothing. */
const MIN_QUERIES = 24;

/** Queries measured first, and the recall below which no more are measured: nobody uses such a target. */
const SCREENING_QUERIES = 12;
const SCREENING_RECALL = 0.85;

/** From this recall on, the deviation of queries is about that at the default target. */
const NEAR_TARGET = 0.97;

/** Maximum nodes expanded at one point (about 300 ms); beyond it, fewer queries are measured, down to MIN_QUERIES. */
const POINT_EXPANSIONS = 300_000;

/** Maximum nodes expanded in one band: about 2 s. Harder data keeps the recall reached by then. */
const BAND_EXPANSIONS = 2_000_000;

/**
 * With very many neighbours a hidden row finds slightly more than a new one, since its links shaped theirs. Of 1,000
 * neighbours, on 100,000 x 256 in diffuse clusters, new rows miss 1.03 to 1.1 times as much; on other data as much.
 */
const MANY_NEIGHBORS = 1_000;
const MISSED_BY_NEW = 1.1;

const MIN_EF = 3;
const EF_STEP = Math.SQRT2;

/** The search for the first ef starts at this share of k and goes up or down: one step of a walk finds several rows. */
const START_SHARE = 0.25;

/** From this recall on, a larger ef is useless. */
const SETTLED_RECALL = 0.998;

/** From this ef on (or k), measurement stops after this many steps without gain: what is missed cannot be reached. */
const PLATEAU_EF = 128;
const PLATEAU_STEPS = 4;

/** Queries between two turns of the event loop: about 50 ms at most. */
const QUERIES_PER_TURN = 25;

interface Band {
  readonly trial: Trial;
  readonly truth: TruthOnDemand;
  readonly k: number;
  readonly budget: QueryBudget;
  readonly signal: AbortSignal | undefined;
}

/** One ef, with the recall of each of the first queries. */
interface Measured {
  readonly ef: number;
  readonly recalls: readonly number[];
  readonly isScan: boolean;
}

export async function measureBand(band: Band): Promise<CalibrationPoint[]> {
  return new BandMeasurement(band, await chooseGrid(band)).run();
}

class BandMeasurement {
  /** By ascending ef. */
  private points: Measured[] = [];
  private expansions = 0;

  constructor(
    private readonly band: Band,
    private readonly grid: readonly number[],
  ) {}

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

  /** Measures more queries at the points near and above the targets. */
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
   * @param size number of queries; fewer if few suffice or they cost too much
   * @param before recall of each query at a smaller ef
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

  /** How many of the first queries fit the budget; only those that missed something cost. */
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

/** Measures the first `size` queries, except those that found everything before and those measured already. */
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

/** The ef to measure: from the one below the first at which a few queries find enough. */
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
    if (lower < SCREENING_RECALL || lower === recall) break; // equal recall does not depend on ef
    start--;
    recall = lower;
  }
  return grid.slice(Math.max(0, start - 1));
}

/**
 * The first ef of the grid. Some engines raise ef to k: then answers at the smallest ef and at k are the same, and
 * points below k would wrongly promise something for other k. The same holds for scans.
 */
async function minEf(band: Band): Promise<number> {
  const low = await askQueries(band, Math.min(band.k, MIN_EF), SCREENING_QUERIES);
  if (low.searches === low.scans) return band.k;
  const atK = await askQueries(band, band.k, SCREENING_QUERIES);
  return low.recalls.every((recall, position) => recall === atK.recalls[position]) ? band.k : MIN_EF;
}

/** Rising ef from `first` to the number of rows, or the largest ef allowed. */
export function efGrid(first: number, rows: number): number[] {
  const last = Math.max(1, Math.min(MAX_EF, rows));
  const grid = new Set<number>();
  for (let ef = first; ef < last; ef *= EF_STEP) grid.add(Math.round(ef));
  return [...grid.add(last)];
}

function promises(band: Band, measured: Measured, recall: number): boolean {
  return toPoint(band, measured).recall_low >= recall;
}

/** A version with few rows has few queries, so it is measured up to the ef that visits all rows. */
function isSettled(band: Band, measured: Measured): boolean {
  const foundAll = measured.recalls.length >= MIN_QUERIES && measured.recalls.every((recall) => recall === 1);
  return foundAll || promises(band, measured, SETTLED_RECALL);
}

/** Returns true if several steps found nothing more for the queries they have in common. */
function isStuck({ k }: Band, measured: readonly Measured[]): boolean {
  const [now, then] = [measured.at(-1)!, measured.at(-1 - PLATEAU_STEPS)];
  if (then === undefined || then.ef < Math.max(k, PLATEAU_EF)) return false;
  const common = Math.min(now.recalls.length, then.recalls.length);
  return meanOf(now.recalls.slice(0, common)) <= meanOf(then.recalls.slice(0, common));
}

function toPoint(band: Band, { ef, recalls, isScan }: Measured): CalibrationPoint {
  // A walk over every row misses none, however few queries show it.
  const isWhole = ef >= largestShard(band) && recalls.every((recall) => recall === 1);
  const low = isWhole ? 1 : Math.max(0, 1 - missedByNew(band) * (1 - lowerRecall(recalls, band.k)));
  const point = { ef, queries: recalls.length, recall: toPlaces(meanOf(recalls)), recall_low: toPlaces(low) };
  return isScan ? { ...point, scanned: true } : point;
}

/** Factor by which a new row misses more than a query of the band. */
function missedByNew({ trial, k }: Band): number {
  const isHidden = trial.queries.groups.some(({ hidden }) => hidden.length > 0);
  return isHidden && k >= MANY_NEIGHBORS ? MISSED_BY_NEW : 1;
}

/** More than six places would be false precision; rounded down, since it is a promise. */
function toPlaces(recall: number): number {
  return Math.floor(recall * 1e6 + 1e-6) / 1e6;
}

function largestShard({ trial }: Band): number {
  return Math.max(...trial.version.shards.map(({ graph }) => graph.vectors.count));
}
