/**
 * Finds each engine's operating points and times them.
 *
 * For every k and recall, a binary search over the engine's points finds the cheapest one that reaches the recall. Then
 * each engine has a turn per round, in rotating order. Nothing is timed whose recall is unknown. Neighbours count by
 * distance: with duplicates, the truth names any of several equally near rows.
 */
import { join } from 'node:path';
import { median, significant } from '../lib/numbers.js';
import type { BenchOptions } from './options.js';
import { ANSWERS_FILE, type DataSet, type Point } from './peer.js';
import type { PeerProcess, Timing } from './peer-process.js';
import { LABELS, type PeerName } from './labels.js';
import { PEERS } from './peers.js';
import { readUints } from '../lib/float-file.js';
import { say } from '../lib/say.js';
import type { Judge, MeasuredRecall } from './truth.js';

export interface PointResult {
  readonly point: Point;
  readonly recall: number;
  readonly recall_by_id: number;
  readonly qps_best: number;
  readonly qps_median: number;
  /** One a round, in the order of the rounds: those of one round compare. */
  readonly qps: readonly number[];
  readonly p50_us: number;
  readonly p99_us: number;
}

export interface SearchResult {
  readonly k: number;
  readonly least_recall: number;
  /** Null where no point reaches the recall. */
  readonly peers: Readonly<Partial<Record<PeerName, PointResult | null>>>;
}

interface Operating {
  readonly peer: PeerProcess;
  readonly point: Point;
  readonly recall: MeasuredRecall;
}

/** How long the points of one engine that reach the recall are tried against each other. */
const TRIAL_MS = 200;

export async function searchAll(
  peers: readonly PeerProcess[],
  data: DataSet,
  judge: Judge,
  options: BenchOptions,
): Promise<SearchResult[]> {
  const results: SearchResult[] = [];
  for (const k of options.ks.filter((count) => count <= data.rows)) {
    for (const result of await searchAt(k, peers, data, judge, options)) {
      results.push(result);
      sayRates(data, result);
    }
  }
  return results;
}

/** One result a recall. All points of one k are timed in the same rounds, and one that serves two recalls once. */
async function searchAt(
  k: number,
  peers: readonly PeerProcess[],
  data: DataSet,
  judge: Judge,
  options: BenchOptions,
): Promise<SearchResult[]> {
  const chosen = new Map<string, Operating>();
  const keys: { least: number; keys: [PeerName, string | null][] }[] = options.recalls.map((least) => ({ least, keys: [] }));
  for (const peer of peers) {
    const recallAt = remember((point) => measureRecall(peer, data, judge, k, point));
    for (const wanted of keys) {
      const found = await findPoint(peer, k, wanted.least, recallAt, options);
      const key = found && `${peer.name} ${JSON.stringify(found.point)}`;
      if (found === null) say(`${data.name}: ${LABELS[peer.name]} does not reach recall ${wanted.least} at k ${k}`);
      else chosen.set(key!, found);
      wanted.keys.push([peer.name, key]);
    }
  }
  const timed = await timeRounds(chosen, k, options);
  return keys.map((wanted) => ({
    k,
    least_recall: wanted.least,
    peers: Object.fromEntries(wanted.keys.map(([name, key]) => [name, (key && timed.get(key)) ?? null])),
  }));
} // prettier-ignore

type RecallAt = (point: Point) => Promise<MeasuredRecall | null>;

function remember(measure: RecallAt): RecallAt {
  const known = new Map<string, MeasuredRecall | null>();
  return async (point) => {
    const key = JSON.stringify(point);
    const recall = known.has(key) ? known.get(key)! : await measure(point);
    known.set(key, recall);
    return recall;
  };
}

/** Null where the engine refuses the point, which then asks for more than any that it answers. */
async function measureRecall(
  peer: PeerProcess,
  data: DataSet,
  judge: Judge,
  k: number,
  point: Point,
): Promise<MeasuredRecall | null> {
  const path = join(data.folder, ANSWERS_FILE);
  const { refused } = await peer.answer(k, point, path);
  return refused === true ? null : judge.recall(readUints(path), k);
}

/** Of the first point in each of the engine's lists that reaches the recall, the quickest. */
async function findPoint(
  peer: PeerProcess,
  k: number,
  least: number,
  recallAt: RecallAt,
  { turnMs }: BenchOptions,
): Promise<Operating | null> {
  let best: (Operating & { readonly qps: number }) | null = null;
  for (const points of PEERS[peer.name].points(k)) {
    const found = await findFirst(points, async (point) => ((await recallAt(point))?.byDistance ?? 1) >= least);
    const recall = found && (await recallAt(found));
    if (found === null || recall === null) continue;
    const { qps } = await peer.time(k, found, Math.min(TRIAL_MS, turnMs));
    if (best === null || qps > best.qps) best = { peer, point: found, recall, qps };
  }
  return best;
}

/** The first for which `holds`, where it holds for all later ones too; null where it holds for none. */
async function findFirst<T>(values: readonly T[], holds: (value: T) => Promise<boolean>): Promise<T | null> {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (await holds(values[middle]!)) high = middle;
    else low = middle + 1;
  }
  return values[low] ?? null;
}

async function timeRounds(
  chosen: ReadonlyMap<string, Operating>,
  k: number,
  { rounds, turnMs }: BenchOptions,
): Promise<Map<string, PointResult>> {
  const operating = [...chosen];
  const timings = operating.map((): Timing[] => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < operating.length; turn++) {
      const position = (turn + round) % operating.length;
      const [, { peer, point }] = operating[position]!;
      timings[position]!.push(await peer.time(k, point, turnMs));
    }
  }
  return new Map(operating.map(([key, one], position) => [key, summarize(one, timings[position]!)]));
}

function summarize({ point, recall }: Operating, timings: readonly Timing[]): PointResult {
  const qps = timings.map((timing) => significant(timing.qps));
  return {
    point,
    recall: significant(recall.byDistance, 5),
    recall_by_id: significant(recall.byId, 5),
    qps_best: Math.max(...qps),
    qps_median: significant(median(qps)),
    qps,
    p50_us: significant(median(timings.map(({ p50Us }) => p50Us))),
    p99_us: significant(median(timings.map(({ p99Us }) => p99Us))),
  };
}

function sayRates(data: DataSet, { k, least_recall, peers }: SearchResult): void {
  say(`${data.name}: k ${k}, recall >= ${least_recall}`);
  for (const [name, result] of Object.entries(peers)) {
    if (result === null) continue;
    const { point, recall, qps_median, p50_us, p99_us } = result;
    const label = LABELS[name as PeerName].padEnd(32);
    say(`  ${label} ${String(Math.round(qps_median)).padStart(7)}/s  p50 ${p50_us} us  p99 ${p99_us} us  recall ${recall} ${JSON.stringify(point)}`);
  }
} // prettier-ignore
