/**
 * The searches that calibrate one share of passing rows: queries, the rows that may be returned, and the recall of a
 * search at any ef. Uses the same search as everything else (run-search.ts), on the shards of the query's group.
 */
import { Bitset } from '../../base/bitset.js';
import { seededRandom } from '../../base/random.js';
import type { ShardPlan } from '../../wire/shard-plans.js';
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import type { Candidates } from '../../retrieve/search/answer.js';
import { singleTask, searchNow } from '../../retrieve/search/run-search.js';
import { planSearch, type SearchPlan } from '../../retrieve/search/search-plan.js';
import { countAtLeast } from '../../retrieve/search/shard-answer.js';
import type { Depth } from '../../retrieve/search/shard-share.js';
import type { LoadedShard } from '../../retrieve/load/shards.js';
import type { GroupShards } from './group-shards.js';
import type { CalibrationQueries, QueryGroup } from './calibration-queries.js';
import { queryAt } from '../queries.js';
import { recallOf } from '../recall.js';

interface SearchSpace {
  readonly group: QueryGroup;
  readonly shards: readonly LoadedShard[];
  /** By shard, the rows that may be returned; null for every row. */
  readonly allow: readonly Bitset[] | null;
  /** Their number. */
  readonly available: number;
  /** The same as the filter of a search; null without a filter. */
  readonly passing: SearchPlan['passing'];
}

interface Outcome {
  /** By distance. */
  readonly recall: number;
  /** True if the engine scanned the passing rows, so that no ef changes the answer. */
  readonly isScan: boolean;
}

export class Trial {
  readonly version: LoadedVersion;
  readonly queries: CalibrationQueries;
  /** By shard; null if every row passes. */
  private readonly passing: readonly Bitset[] | null;
  private readonly spaces = new Map<QueryGroup, SearchSpace>();

  /** @param selectivity probability that a row passes */
  constructor(
    private readonly shards: GroupShards,
    selectivity: number,
    seed: number,
  ) {
    this.version = shards.version;
    this.queries = shards.queries;
    this.passing = selectivity === 1 ? null : drawRows(this.version, selectivity, seed);
  }

  async searchSpaceOf(position: number): Promise<SearchSpace> {
    const group = this.shards.groupAt(position);
    let space = this.spaces.get(group);
    if (space === undefined) {
      space = this.makeSearchSpace(group, await this.shards.shards(group));
      this.spaces.set(group, space);
    }
    return space;
  }

  /** Searches with exactly this ef, even below k. @param truth at least the k nearest of the query, or all that pass */
  tryQuery({ shards, passing }: SearchSpace, truth: Candidates, position: number, { k, ef }: Depth): Outcome {
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
      const rows =
        this.passing === null
          ? Bitset.full(ordinals.length)
          : new Bitset(ordinals.length, this.passing[shard]!.words.slice());
      for (const row of group.hidden[shard]!) rows.delete(row);
      return rows;
    });
    const passing = allow.map((rows) => ({ words: rows.words, count: rows.count() }));
    const available = passing.reduce((sum, { count }) => sum + count, 0);
    return { group, shards, allow, available, passing: this.passing && passing };
  }

  /** The ordinals found, best first, without those that are beyond any tolerance by their float32 scores. */
  private dropDistant({ ordinals, scores }: Candidates, truth: Candidates, k: number): Uint32Array {
    const { metric } = this.version.manifest;
    const last = truth.scores[Math.min(k, truth.scores.length) - 1];
    if (metric === 'ip' || last === undefined) return ordinals; // the tolerance grows with the norm of each row
    const minScore = last - DISTANT * (metric === 'l2' ? Math.abs(last) : 1);
    return ordinals.subarray(0, countAtLeast(scores, minScore));
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

const hasScanned = (plan: ShardPlan): boolean => plan === 'code_scan' || plan === 'exact_scan';

/** Twice the tolerance of recall.ts for unit vectors. Rows beyond are not neighbours and need not be scored again. */
const DISTANT = 2e-6;
