/**
 * What one share of passing rows is calibrated with: queries, the rows that may come back, and the recall of a search
 * at any ef. It searches as everyone does (shard-search.ts), in the shards of the query's fold.
 */
import { Bitset } from '../../base/bitset.js';
import { seededRandom } from '../../base/random.js';
import type { ShardPlan } from '../../wire/shard-plans.js';
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import { askOne, searchNow } from '../../retrieve/search/run-search.js';
import { planSearch, type SearchPlan } from '../../retrieve/search/search-plan.js';
import type { LoadedShard } from '../../retrieve/load/shards.js';
import type { OpenFolds } from './folds.js';
import type { CalibrationQueries, Fold } from './held-in-queries.js';
import { queryAt } from '../queries.js';
import { recallOf } from '../recall.js';

/** What the queries of one fold search in. */
interface Side {
  readonly fold: Fold;
  readonly shards: readonly LoadedShard[];
  /** Rows that may come back, by shard; null where that is every row. */
  readonly allow: readonly Bitset[] | null;
  /** How many those are. */
  readonly available: number;
  /** The same as a search's filter; null without one. */
  readonly passing: SearchPlan['passing'];
}

/** What is asked of the graph: exactly this ef, also where it is below k. */
interface Asked {
  readonly k: number;
  readonly ef: number;
}

interface Outcome {
  /** By distance. */
  readonly recall: number;
  /** True where the engine scanned what passes, so that no ef changes the answer. */
  readonly isScan: boolean;
}

/** Best first. */
export interface Neighbors {
  readonly ordinals: Uint32Array;
  readonly scores: Float32Array;
}

export class Trial {
  readonly version: LoadedVersion;
  readonly queries: CalibrationQueries;
  private readonly folds: OpenFolds;
  /** By shard; null where every row passes. */
  private readonly passing: readonly Bitset[] | null;
  private readonly sides = new Map<Fold, Side>();

  /** @param selectivity each row passes with this chance */
  constructor(folds: OpenFolds, selectivity: number, seed: number) {
    this.folds = folds;
    this.version = folds.version;
    this.queries = folds.queries;
    this.passing = selectivity === 1 ? null : drawRows(this.version, selectivity, seed);
  }

  async sideOf(position: number): Promise<Side> {
    const fold = this.folds.foldAt(position);
    let side = this.sides.get(fold);
    if (side === undefined) this.sides.set(fold, (side = this.makeSide(fold, await this.folds.shards(fold))));
    return side;
  }

  /** @param truth of the query at this position, at least the k nearest, or all that pass */
  tryQuery({ shards, passing }: Side, truth: Neighbors, position: number, { k, ef }: Asked): Outcome {
    const { version, queries } = this;
    const query = queryAt(queries, position, version.manifest.dim);
    const explain = passing !== null;
    const plan: SearchPlan = { ...planSearch(version, { k, ef, explain }), ef, passing };
    const found = searchNow({ shards, locate: version.locate }, askOne(query, plan));
    const { byDistance: recall } = recallOf(version, query, this.dropFar(found, truth, k), truth.ordinals, k);
    return { recall, isScan: found.explain?.shards.every(({ plan }) => hasScanned(plan)) ?? false };
  }

  private makeSide(fold: Fold, shards: readonly LoadedShard[]): Side {
    const isWhole = this.passing === null && fold.hidden.every(({ length }) => length === 0);
    if (isWhole) return { fold, shards, allow: null, available: this.version.manifest.count, passing: null };
    const allow = shards.map(({ ordinals }, shard) => {
      const rows = this.passing === null ? Bitset.full(ordinals.length) : copyOf(this.passing[shard]!);
      for (const row of fold.hidden[shard]!) rows.delete(row);
      return rows;
    });
    const passing = allow.map((rows) => ({ words: rows.words, count: rows.count() }));
    const available = passing.reduce((sum, { count }) => sum + count, 0);
    return { fold, shards, allow, available, passing: this.passing && passing };
  }

  /** The ordinals found, best first, up to those that are too far by their float32 scores for any tolerance. */
  private dropFar({ ordinals, scores }: Neighbors, truth: Neighbors, k: number): Uint32Array {
    const { metric } = this.version.manifest;
    const last = truth.scores[Math.min(k, truth.scores.length) - 1];
    if (metric === 'ip' || last === undefined) return ordinals; // the tolerance grows with the norm of each row
    const least = last - FAR * (metric === 'l2' ? Math.abs(last) : 1);
    let near = ordinals.length;
    while (near > 0 && scores[near - 1]! < least) near--;
    return ordinals.subarray(0, near);
  }
}

function drawRows({ shards }: LoadedVersion, selectivity: number, seed: number): Bitset[] {
  const random = seededRandom(seed);
  return shards.map(({ ordinals }) => {
    const rows = new Bitset(ordinals.length);
    for (let row = 0; row < rows.size; row++) if (random() < selectivity) rows.add(row);
    return rows;
  });
}

function copyOf({ size, words }: Bitset): Bitset {
  return new Bitset(size, words.slice());
}

const hasScanned = (plan: ShardPlan): boolean => plan === 'code_scan' || plan === 'exact_scan';

/**
 * Of unit vectors, twice the tolerance of recall.ts: what is farther than that is no neighbour, and need not be
 * scored again.
 */
const FAR = 2e-6;
