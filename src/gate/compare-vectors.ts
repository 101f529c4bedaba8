/**
 * The checks of vectors: nearly equal ones, and how they differ from those of the live version. Statistics come from
 * samples of 100,000 rows: more would not change a digit that is shown.
 *
 * A row has moved if its vector is more than half as far from its old one as two random rows of the live version are
 * from each other (squared distances, so that the measure does not depend on metric, scale or dimension). Rows whose
 * text was edited move less than that; a new model, and ids that were shuffled over the vectors, move nearly all rows.
 */
import type { EventLoopYielder } from '../base/event-loop-yielder.js';
import { dot } from '../base/metric.js';
import { formatNumber } from '../base/number-text.js';
import { sampleDistinct } from '../base/random.js';
import type { LoadedVersion } from '../retrieve/load/loaded-version.js';
import { chanceOfShare } from './chance.js';
import type { ComparedAttributes } from './compare-attributes.js';
import { compareKeptNumbers } from './compare-kept-numbers.js';
import { compareValues } from './compare-values.js';
import { groupKeys, sampleKeptPairs } from './kept-rows.js';
import type { Report } from './report.js';

const SAMPLE = 100_000;
/** Fewer rows have no statistics. */
const MIN_ROWS = 100;
const SEED = 42;
const ROWS_PER_STEP = 1_000;
/** Fewer moved or kept rows of a value say nothing. */
const MIN_GROUP = 30;
/** Share of the mean squared distance of two rows beyond which a row has moved. */
const MOVED = 0.5;

interface VectorProfile {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  /** Sum of the variances: half of the mean squared distance of two rows. */
  readonly total: number;
  /** Mean length of the stored vectors. */
  readonly norm: number;
}

/**
 * Nearly equal vectors, and the distribution of all.
 * @returns the mean squared distance of two random rows of the live version; null if vectors cannot be compared with it
 */
export async function checkVectors(
  version: LoadedVersion,
  live: LoadedVersion | null,
  report: Report,
  turns: EventLoopYielder,
): Promise<number | null> {
  const profile = await profileVectors(version, sampleOf(version), turns);
  if (version.manifest.metric === 'cosine' && version.manifest.count >= MIN_ROWS) {
    // The mean cosine of two unit vectors is the squared length of their mean.
    report.add('mean_cosine', { value: dotOf(profile.mean, profile.mean) });
  }
  if (live === null || live.manifest.dim !== version.manifest.dim) return null;
  if (live.manifest.metric !== version.manifest.metric) return null;
  const old = await profileVectors(live, sampleOf(live), turns);
  if (Math.min(version.manifest.count, live.manifest.count) >= MIN_ROWS)
    compareProfiles(version, profile, live, old, report);
  return 2 * old.total;
}

function compareProfiles(
  version: LoadedVersion,
  profile: VectorProfile,
  live: LoadedVersion,
  old: VectorProfile,
  report: Report,
): void {
  const [norm, oldNorm] = [normOf(version, profile), normOf(live, old)];
  if (norm !== null && oldNorm !== null && !report.skips('norms')) report.add('norms', { value: norm, live: oldNorm });
  if (!report.skips('spread')) report.add('spread', { value: Math.sqrt(profile.total), live: Math.sqrt(old.total) });
  if (!report.skips('mean_shift')) report.add('mean_shift', { value: meanShift(profile, old) });
  if (!report.skips('component_spread')) report.add('component_spread', worstSpread(profile, old));
}

/** Mean length of the vectors as they came; null if an earlier release did not note it. */
export async function measureNorm(version: LoadedVersion, turns: EventLoopYielder): Promise<number | null> {
  return normOf(version, await profileVectors(version, sampleOf(version), turns));
}

/** Mean squared distance of two random rows. */
export async function measureDistance(version: LoadedVersion, turns: EventLoopYielder): Promise<number> {
  return 2 * (await profileVectors(version, sampleOf(version), turns)).total;
}

function sampleOf({ manifest }: LoadedVersion): Uint32Array {
  return sampleDistinct(manifest.count, SAMPLE, SEED);
}

/** Cosine stores unit vectors, so that only the build knows the lengths of the input. */
function normOf({ manifest }: LoadedVersion, profile: VectorProfile): number | null {
  return manifest.metric === 'cosine' ? (manifest.input_norm ?? null) : profile.norm;
}

async function profileVectors(
  version: LoadedVersion,
  ordinals: Uint32Array,
  turns: EventLoopYielder,
): Promise<VectorProfile> {
  const { dim } = version.manifest;
  const sums = new Float64Array(dim);
  const squares = new Float64Array(dim);
  let norms = 0;
  for (const [position, ordinal] of ordinals.entries()) {
    const { values, at } = vectorAt(version, ordinal);
    let squared = 0;
    for (let i = 0; i < dim; i++) {
      const value = values[at + i]!;
      sums[i]! += value;
      squares[i]! += value * value;
      squared += value * value;
    }
    norms += Math.sqrt(squared);
    if (position % ROWS_PER_STEP === 0) await turns.yieldIfDue();
  }
  const rows = Math.max(1, ordinals.length);
  const mean = sums.map((sum) => sum / rows);
  const variance = squares.map((square, i) => Math.max(0, square / rows - mean[i]! * mean[i]!));
  return { mean, variance, total: variance.reduce((sum, each) => sum + each, 0), norm: norms / rows };
}

/** Where the vector of a row is stored. */
export function vectorAt(version: LoadedVersion, ordinal: number): { values: Float32Array; at: number } {
  const { shard, row } = version.locate(ordinal);
  return { values: version.shards[shard]!.graph.vectors.values, at: row * version.manifest.dim };
}

/** Vectors that are all equal have no variance to divide by. */
const MIN_VARIANCE = 1e-30;

/** Components without spread count as if they had the mean spread, so that constant ones do not divide by zero. */
function meanShift(fresh: VectorProfile, old: VectorProfile): number {
  const { length } = old.mean;
  const floor = Math.max(1e-3 * (old.total / length), MIN_VARIANCE);
  let sum = 0;
  for (let i = 0; i < length; i++) sum += (fresh.mean[i]! - old.mean[i]!) ** 2 / Math.max(floor, old.variance[i]!);
  return Math.sqrt(sum / length);
}

function worstSpread(fresh: VectorProfile, old: VectorProfile): { value: number; detail: string } {
  const { length } = old.mean;
  const floor = Math.max(1e-3 * (old.total / length), MIN_VARIANCE);
  let [worst, component] = [1, 0];
  for (let i = 0; i < length; i++) {
    const ratio = Math.sqrt((fresh.variance[i]! + floor) / (old.variance[i]! + floor));
    if (Math.abs(Math.log(ratio)) > Math.abs(Math.log(worst))) [worst, component] = [ratio, i];
  }
  return { value: worst, detail: `component ${component}` };
}

/**
 * Compares ids, and the vectors of those that both versions have.
 * @param attributes those to compare
 * @param meanDistance of two random rows of the live version, squared; null if vectors cannot be compared with it
 */
export async function compareRows(
  version: LoadedVersion,
  live: LoadedVersion,
  attributes: ComparedAttributes,
  meanDistance: number | null,
  report: Report,
  turns: EventLoopYielder,
): Promise<void> {
  const kept = await countKept(version, live, turns);
  const [count, liveCount] = [version.manifest.count, live.manifest.count];
  report.add('ids_kept', {
    value: kept / Math.max(1, liveCount),
    detail: `${formatNumber(kept, 0)} kept, ${formatNumber(liveCount - kept, 0)} left`,
  });
  report.add('ids_entered', {
    value: 1 - kept / Math.max(1, count),
    detail: `${formatNumber(count - kept, 0)} entered`,
  });
  const pairs = sampleKeptPairs(version, live);
  await compareValues(version, live, attributes, pairs, report, turns);
  await compareKeptNumbers(version, live, attributes, pairs, report, turns);
  if (report.skips('vectors_moved') || meanDistance === null) return;
  await compareMoves(version, live, attributes.groups, meanDistance, report, turns);
}

const IDS_PER_STEP = 65_536;

/** The number of ids that both versions have. */
export async function countKept(version: LoadedVersion, live: LoadedVersion, turns: EventLoopYielder): Promise<number> {
  let kept = 0;
  const { count } = version.manifest;
  for (let from = 0; from < count; from += IDS_PER_STEP) {
    const ordinals = Uint32Array.from({ length: Math.min(IDS_PER_STEP, count - from) }, (_, i) => from + i);
    for (const ordinal of live.ids.match(version.ids, ordinals)) if (ordinal >= 0) kept++;
    await turns.yieldIfDue();
  }
  return kept;
}

interface Group {
  rows: number;
  moved: number;
}

async function compareMoves(
  version: LoadedVersion,
  live: LoadedVersion,
  groups: readonly string[],
  meanDistance: number,
  report: Report,
  turns: EventLoopYielder,
): Promise<void> {
  const columns = groups.map((name) => ({ name, column: version.attributes!.column(name) }));
  const byValue = new Map<string, Group>();
  const cosines: number[] = [];
  let moved = 0;
  await visitKept(version, live, meanDistance, turns, ({ ordinal, cosine, isMoved }) => {
    cosines.push(cosine);
    if (isMoved) moved++;
    for (const { name, column } of columns)
      for (const key of groupKeys(name, column, ordinal)) count(byValue, key, isMoved);
  });
  if (cosines.length === 0) return;
  const all = measureGroup({ rows: cosines.length, moved });
  report.add('vectors_moved', { ...all, detail: describeCosines(cosines) });
  const [worst] = [...byValue]
    .filter(([, { rows }]) => rows >= MIN_GROUP)
    .map(([name, group]) => ({ ...measureGroup(group), detail: name }))
    .sort((a, b) => b.value - b.chance - (a.value - a.chance));
  if (worst !== undefined) report.add('vectors_moved_by_value', worst);
}

/** A row of a version whose id the live version has too, and how far its vector is from the old one. */
export interface KeptRow {
  readonly ordinal: number;
  readonly old: number;
  readonly cosine: number;
  readonly isMoved: boolean;
}

/**
 * Visits sampled rows whose ids both versions have, which have one dimension. `isMoved` needs one metric too.
 * @param meanDistance of two rows of the live version, squared
 */
export async function visitKept(
  version: LoadedVersion,
  live: LoadedVersion,
  meanDistance: number,
  turns: EventLoopYielder,
  visit: (row: KeptRow) => void,
): Promise<void> {
  const ordinals = sampleOf(version);
  const olds = live.ids.match(version.ids, ordinals);
  for (const [position, ordinal] of ordinals.entries()) {
    const old = olds[position]!;
    if (old < 0) continue;
    const { cosine, distance } = compareVectors(version, ordinal, live, old);
    visit({ ordinal, old, cosine, isMoved: distance > MOVED * meanDistance });
    if (position % ROWS_PER_STEP === 0) await turns.yieldIfDue();
  }
}

function count(groups: Map<string, Group>, name: string, isMoved: boolean): void {
  const group = groups.get(name) ?? { rows: 0, moved: 0 };
  group.rows++;
  if (isMoved) group.moved++;
  groups.set(name, group);
}

function measureGroup({ rows, moved }: Group): { value: number; chance: number } {
  return { value: moved / rows, chance: chanceOfShare(moved / rows, rows) };
}

function compareVectors(version: LoadedVersion, ordinal: number, live: LoadedVersion, old: number) {
  const { dim } = version.manifest;
  const [a, b] = [vectorAt(version, ordinal), vectorAt(live, old)];
  const [aa, bb, ab] = [
    dot(a.values, a.at, a.values, a.at, dim),
    dot(b.values, b.at, b.values, b.at, dim),
    dot(a.values, a.at, b.values, b.at, dim),
  ];
  return { cosine: aa === 0 || bb === 0 ? 0 : ab / Math.sqrt(aa * bb), distance: Math.max(0, aa + bb - 2 * ab) };
}

/** `cosine of old and new vector: 1 % below 0.4, 10 % below 0.98, median 1`. */
function describeCosines(cosines: number[]): string {
  const sorted = Float64Array.from(cosines).sort();
  const at = (share: number): string => String(Number(sorted[Math.floor(share * (sorted.length - 1))]!.toFixed(3)));
  return `cosine of old and new vector: 1 % below ${at(0.01)}, 10 % below ${at(0.1)}, median ${at(0.5)}`;
}

function dotOf(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}
