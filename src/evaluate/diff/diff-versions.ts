/**
 * Compares the candidates of two versions, for a person who decides whether to publish the new one, or asks why last
 * night's answers differ. Takes two loaded versions and queries. Returns, at each k, how much the answers agree, and at
 * the largest k what came, what went and why. Each k is searched separately with the ef that a server would use.
 *
 *   diff-queries.ts     the queries: of a file, or rows of both versions
 *   answers.ts          the answers of both versions, on all cores
 *   compare-ranks.ts    two answers to one query
 *   point-tally.ts      overlap, ranks and scores at one k
 *   id-tally.ts         ids that entered and left, and why
 *   id-columns.ts       the counts of many ids in little memory
 *   changed-queries.ts  the queries that changed most
 *   movers.ts           the ids that are returned more often, or less often
 *   value-shares.ts     the places that each value of an attribute holds
 */
import { EventLoopYielder } from '../../base/event-loop-yielder.js';
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import { GROUP_QUERIES, PairSearch } from './answers.js';
import { ChangedQueries, type ChangedQuery } from './changed-queries.js';
import { compareRanks } from './compare-ranks.js';
import type { DiffQueries, SampledRows } from './diff-queries.js';
import { IdTally, type Change, type ChangedPlaces } from './id-tally.js';
import { findMovers, type Movers } from './movers.js';
import { PointTally, type DiffPoint } from './point-tally.js';
import { measureValueShares, type AttributeShares } from './value-shares.js';

/** Names are those of the JSON output. */
export interface VersionDiff extends Movers {
  readonly queries: number;
  readonly source: 'file' | 'sample';
  /** Rows of each version among the queries; absent for queries of a file. */
  readonly sampled?: SampledRows;
  /** Present if each version searched with its own vectors of the sampled rows. */
  readonly own_vectors?: true;
  readonly points: readonly DiffPoint[];
  /** Number of queries whose best candidate at the largest k is the same. */
  readonly same_first: number;
  /** At the largest k: ids that only the second version returns. */
  readonly entered: Change;
  /** At the largest k: ids that only the first version returns. */
  readonly left: Change;
  readonly changed_places: ChangedPlaces;
  readonly changed_queries: readonly ChangedQuery[];
  readonly values: readonly AttributeShares[];
}

interface DiffOptions {
  readonly ks: readonly number[];
  /** Default: as a server would choose, by the calibration if there is one. */
  readonly ef?: number | undefined;
  /** Rows that may be returned, by the attributes of each version. */
  readonly filter?: unknown;
  /** Attributes whose values' places are counted. */
  readonly attributes?: readonly string[];
  /** Attributes of the ids that are listed. */
  readonly include?: readonly string[];
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** @throws bad_filter, unknown_attribute; the signal's reason when it is aborted */
export async function diffVersions(
  before: LoadedVersion,
  after: LoadedVersion,
  queries: DiffQueries,
  options: DiffOptions,
): Promise<VersionDiff> {
  const { signal, onProgress } = options;
  const turns = new EventLoopYielder(signal);
  const tally = new DiffTally(before, after, queries, options.ks);
  const { count } = queries.before;
  const searches = new PairSearch(before, after, queries);
  try {
    for (let from = 0; from < count; from += GROUP_QUERIES) {
      const to = Math.min(count, from + GROUP_QUERIES);
      for (const point of tally.points) {
        const wanted = { k: point.k, ef: options.ef, filter: options.filter };
        const pairs = await searches.answer(from, to, wanted, signal);
        for (const [i, pair] of pairs.entries()) {
          tally.add(from + i, point, pair);
          await turns.yieldIfDue();
        }
      }
      onProgress?.(to, count);
    }
  } finally {
    await searches.close();
  }
  const { ids } = tally;
  return {
    queries: count,
    source: queries.source,
    ...(queries.sampled !== null && { sampled: queries.sampled }),
    ...(queries.ownVectors && { own_vectors: true }),
    points: tally.points.map((point) => point.result()),
    same_first: tally.sameFirst,
    entered: ids.change('entered'),
    left: ids.change('left'),
    changed_places: ids.changedPlaces(),
    changed_queries: tally.changed.list(),
    ...findMovers(before, after, ids, options.include ?? []),
    values: await measureValueShares(before, after, ids, options.attributes ?? [], turns),
  };
}

/** All that is counted while queries are answered. */
class DiffTally {
  /** By ascending k. */
  readonly points: readonly PointTally[];
  readonly ids: IdTally;
  readonly changed: ChangedQueries;
  sameFirst = 0;

  constructor(
    private readonly before: LoadedVersion,
    private readonly after: LoadedVersion,
    private readonly queries: DiffQueries,
    ks: readonly number[],
  ) {
    const comparesScores = before.manifest.metric === after.manifest.metric;
    this.points = [...new Set(ks)].sort((a, b) => a - b).map((k) => new PointTally(k, comparesScores));
    this.ids = new IdTally(before, after);
    this.changed = new ChangedQueries(before.ids, after.ids);
  }

  add(position: number, point: PointTally, pair: Parameters<PointTally['add']>[0]): void {
    const diff = compareRanks(pair.old.keys, pair.fresh.keys);
    point.add(pair, diff);
    if (point !== this.points.at(-1)) return;
    if (pair.old.keys.length > 0 && pair.old.keys[0] === pair.fresh.keys[0]) this.sameFirst++;
    this.ids.add(pair, diff);
    this.changed.add(position, this.rowId(position), pair, diff);
  }

  /** The id of a query that is a row. */
  private rowId(position: number): string | undefined {
    const selves = this.queries.selfOrdinals;
    if (selves === null) return undefined;
    const [old, fresh] = [selves.before[position]!, selves.after[position]!];
    return fresh < 0 ? this.before.ids.text(old) : this.after.ids.text(fresh);
  }
}
