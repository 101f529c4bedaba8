/**
 * What one share of passing rows is calibrated with: queries, the rows that may come back, and the recall of a search at any
 * ef. Takes a loaded version and queries. One that is a row of the version is left out of its answer and its truth by asking
 * for one more: taking it out of the rows that may come back would make any search a filtered one.
 */
import { Bitset } from '../base/bitset.js';
import { MAX_K } from '../base/limits.js';
import { seededRandom } from '../base/random.js';
import type { LoadedVersion } from '../retrieve/loaded-version.js';
import { planSearch, runPlan } from '../retrieve/search.js';
import { mergeParts, withoutSelf, type Neighbors } from './calibration-truth.js';
import { queryAt, selfAt, type QuerySet } from './queries.js';
import { recallOf } from './recall.js';

/** The rows of one shard that a filter lets through. */
interface Allowed {
  readonly rows: Bitset;
  readonly count: number;
}

export interface Trial {
  readonly version: LoadedVersion;
  readonly queries: QuerySet;
  /** Shard by shard; null where every row may come back. */
  readonly filter: readonly Allowed[] | null;
  /** Rows that may come back. */
  readonly passing: number;
}

/** What is asked of the graph: exactly this ef, also where it is below k. */
export interface Asked {
  readonly k: number;
  readonly ef: number;
}

export interface Outcome {
  /** By distance. */
  readonly recall: number;
  /** True where the engine scanned what passes, so that no ef changes the answer. */
  readonly isScan: boolean;
}

/** @param selectivity each row passes with this chance */
export function drawTrial(version: LoadedVersion, queries: QuerySet, selectivity: number, seed: number): Trial {
  if (selectivity === 1) return { version, queries, filter: null, passing: version.manifest.count };
  const random = seededRandom(seed);
  const filter = version.shards.map(({ graph }) => {
    const rows = new Bitset(graph.vectors.count);
    for (let row = 0; row < rows.size; row++) if (random() < selectivity) rows.add(row);
    return { rows, count: rows.count() };
  });
  return { version, queries, filter, passing: filter.reduce((sum, { count }) => sum + count, 0) };
}

/** @param truth of the query at this position, at least the k nearest, or all that pass */
export function tryQuery(trial: Trial, truth: Neighbors, position: number, { k, ef }: Asked): Outcome {
  const { version, queries, filter } = trial;
  const query = queryAt(queries, position, version.manifest.dim);
  const self = selfAt(queries, position);
  const asked = { k: self === undefined ? k : Math.min(MAX_K, k + 1), ef };
  const found = filter === null ? searchAll(version, query, asked) : searchFiltered(version, query, filter, asked);
  const near = dropFar(trial, withoutSelf(found, self, k), truth, k);
  const { byDistance: recall } = recallOf(version, query, near, truth.ordinals, k);
  return { recall, isScan: filter !== null && version.shards.every(({ graph }) => hasScanned(graph.account?.().plan)) };
}

export function recallAt(trial: Trial, truth: Neighbors, position: number, asked: Asked): number {
  return tryQuery(trial, truth, position, asked).recall;
}

const hasScanned = (plan: string | undefined): boolean => plan === 'code_scan' || plan === 'exact_scan';

/** Of unit vectors, twice the tolerance of recall.ts: what is farther than that is no neighbour, and need not be scored again. */
const FAR = 2e-6;

/** The ordinals found, best first, up to those that are too far by their float32 scores for any tolerance. */
function dropFar({ version }: Trial, { ordinals, scores }: Neighbors, truth: Neighbors, k: number): Uint32Array {
  const { metric } = version.manifest;
  const last = truth.scores[Math.min(k, truth.scores.length) - 1];
  if (metric === 'ip' || last === undefined) return ordinals; // the tolerance grows with the norm of each row
  const least = last - FAR * (metric === 'l2' ? Math.abs(last) : 1);
  let near = ordinals.length;
  while (near > 0 && scores[near - 1]! < least) near--;
  return ordinals.subarray(0, near);
}

function searchAll(version: LoadedVersion, query: Float32Array, { k, ef }: Asked): Neighbors {
  return runPlan(version.shards, query, { ...planSearch(version, { k, ef }), ef });
}

function searchFiltered(
  version: LoadedVersion,
  query: Float32Array,
  filter: readonly Allowed[],
  { k, ef }: Asked,
): Neighbors {
  const parts = version.shards.map(({ graph }, shard) => {
    const { rows: allow, count: allowCount } = filter[shard]!;
    return graph.search(query, { k, ef, allow, allowCount });
  });
  return mergeParts(version, parts, k);
}
