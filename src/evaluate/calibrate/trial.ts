/**
 * What one share of passing rows is calibrated with: queries, the rows that may come back, and the recall of a search
 * at any ef. It searches as everyone does (shard-search.ts), in the shards of the query's fold.
 */
import { Bitset } from '../../base/bitset.js';
import { seededRandom } from '../../base/random.js';
import type { ShardPlan } from '../../wire/shard-plans.js';
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import { singleTask, searchNow } from '../../retrieve/search/run-search.js';
import { planSearch, type SearchPlan } from '../../retrieve/search/search-plan.js';
import type { LoadedShard } from '../../retrieve/load/shards.js';
import type { GroupShards } from './group-shards.js';
import type { CalibrationQueries, QueryGroup } from './calibration-queries.js';
import { queryAt } from '../queries.js';
import { recallOf } from '../recall.js';

/** What the queries of one fold search in. */
interface SearchSpace {
  readonly group: QueryGroup;
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
  private readonly shards: GroupShards;
  /** By shard; null where every row passes. */
  private readonly passing: readonly Bitset[] | null;
  private readonly spaces = new Map<QueryGroup, SearchSpace>();

  /** @param selectivity each row passes with this chance */
  constructor(folds: GroupShards, selectivity: number, seed: number) {
    this.shards = folds;
    this.version = folds.version;
    this.queries = folds.queries;
    this.passing = selectivity === 1 ? null : drawRows(this.version, selectivity, seed);
  }

  async searchSpaceOf(position: number): Promise<SearchSpace> {
    const fold = this.shards.groupAt(position);
    let side = this.spaces.get(fold);
    if (side === undefined) this.spaces.set(fold, (side = this.makeSearchSpace(fold, await this.shards.shards(fold))));
    return side;
  }

  /** @param truth of the query at this position, at least the k nearest, or all that pass */
  tryQuery({ shards, passing }: SearchSpace, truth: Neighbors, position: number, { k, ef }: Asked): Outcome {
    const { version, queries } = this;
    const query = queryAt(queries, position, version.manifest.dim);
    const explain = passing !== null;
    const plan: SearchPlan = { ...planSearch(version, { k, ef, explain }), ef, passing };
    const found = searchNow({ shards, locate: version.locate }, singleTask(query, plan));
    const { byDistance: recall } = recallOf(version, query, this.dropDistant(found, truth, k), truth.ordinals, k);
    return { recall, isScan: found.explain?.shards.every(({ plan }) => hasScanned(plan)) ?? false };
  }

  private makeSearchSpace(group: QueryGroup, shards: readonly LoadedShard[]): SearchSpace {
    const isWhole = this.passing === null && group.hidden.every(({ length }) => length === 0);
    if (isWhole) return { group, shards, allow: null, available: this.version.manifest.count, passing: null };
    const allow = shards.map(({ ordinals }, shard) => {
      const rows = this.passing === null ? Bitset.full(ordinals.length) : copyOf(this.passing[shard]!);
      for (const row of group.hidden[shard]!) rows.delete(row);
      return rows;
    });
    const passing = allow.map((rows) => ({ words: rows.words, count: rows.count() }));
    const available = passing.reduce((sum, { count }) => sum + count, 0);
    return { group, shards, allow, available, passing: this.passing && passing };
  }

  /** The ordinals found, best first, up to those that are too far by their float32 scores for any tolerance. */
  private dropDistant({ ordinals, scores }: Neighbors, truth: Neighbors, k: number): Uint32Array {
    const { metric } = this.version.manifest;
    const last = truth.scores[Math.min(k, truth.scores.length) - 1];
    if (metric === 'ip' || last === undefined) return ordinals; // the tolerance grows with the norm of each row
    const minScore = last - DISTANT * (metric === 'l2' ? Math.abs(last) : 1);
    let near = ordinals.length;
    while (near > 0 && scores[near - 1]! < minScore) near--;
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
const DISTANT = 2e-6;
