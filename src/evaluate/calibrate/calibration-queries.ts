/**
 * The queries of a calibration: rows of the version, searched as new rows would be. No query file is needed, and
 * nothing about the data must be known.
 *
 * A row that searches for itself finds more than a new row: its node is in the graph, nearest to the query, and its
 * links lead to the very rows it looks for. So the row is hidden from the walk and from the truth. What remains is the
 * graph the row met when it was inserted, provided it was one of the last: to make room for links to a row, a graph
 * prunes others, which are missing once the row is hidden. The rows inserted last are a random sample
 * (`GraphEngine.lastRows`). Recall of 2,000 such rows, and of 2,000 rows that were never in the index, k 10, at an ef
 * where it is about 0.99:
 *
 *   100,000 x 256 in diffuse clusters       0.988 and 0.990 (standard error 0.002)
 *   50,000 x 32 normal deviates             0.992 and 0.991 (0.0007); rows inserted at any time 0.986 to 0.989
 *   50,000 x 64, ip, lognormal norms        0.980 and 0.982 (0.001)
 *   66,000 x 64 texts, many of them twice   0.990 and 0.988 (0.002)
 *
 * Rows are hidden in groups: a few hundred at a time in a large version, a tenth of a small one, where every row may
 * become a query. A row equal to another is still found through that other's node, and is only removed from answers, as
 * for a new row.
 */
import { sampleDistinct, shuffle } from '../../base/random.js';
import { engineOf, isMapped } from '../../engine/engines.js';
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import { engineSettings } from '../../retrieve/load/shards.js';
import { externalQueries, queryAt } from '../queries.js';
import type { RowPlace } from '../../version/sealed/row-places.js';

/** Rows hidden together: at most a batch of a build, and at most this share of the rows. */
const GROUP_ROWS = 500;
/** If a group costs a copy of the graph, there are fewer groups with more rows. */
const COPIED_GROUP_ROWS = 1_000;
const MAX_GROUP_SHARE = 0.1;

/** Queries `from` to `to` (exclusive), and the rows hidden from their searches. */
export interface QueryGroup {
  readonly from: number;
  readonly to: number;
  /** By shard: hidden rows, ascending; none for given queries. */
  readonly hidden: readonly Uint32Array[];
}

export interface CalibrationQueries {
  readonly count: number;
  /** count x dim values in random order, so that the first of them are a sample too. */
  readonly vectors: Float32Array;
  readonly groups: readonly QueryGroup[];
}

/** Chooses rows of the version as queries: `maxQueries` or a few more. */
export function hideRows(version: LoadedVersion, maxQueries: number, seed: number): CalibrationQueries {
  const { count, dim } = version.manifest;
  const size = Math.min(maxQueries, count);
  const { name, parameters } = engineSettings(version.manifest);
  const maxRows = isMapped(name) ? GROUP_ROWS : COPIED_GROUP_ROWS;
  const groupRows = Math.max(1, Math.min(maxRows, Math.floor(count * MAX_GROUP_SHARE)));
  const last = version.shards.map(({ ordinals }) =>
    engineOf(name).lastRows(ordinals.length, parameters, partOf(size, ordinals.length, count)),
  );
  const groups: QueryGroup[] = [];
  const places: RowPlace[] = [];
  for (let group = 0; places.length < size; group++) {
    const chosen = last.map((rows, shard) => {
      const part = partOf(groupRows, version.shards[shard]!.ordinals.length, count);
      return rows.subarray(group * part, (group + 1) * part);
    });
    const from = places.length;
    places.push(...inRandomOrder(chosen, seed + group));
    if (places.length === from) break;
    groups.push({ from, to: places.length, hidden: chosen.map((rows) => rows.slice().sort()) });
  }
  // A single row cannot be hidden, so it searches for itself.
  if (count < 2 || places.length === 0) return unhiddenQueries(version, [{ shard: version.locate(0).shard, row: 0 }]);
  return { count: places.length, vectors: gather(version, places, dim), groups };
}

/** Samples the given queries, in random order. @throws as `checkQuery` */
export function drawQueries(
  version: LoadedVersion,
  given: Float32Array,
  size: number,
  seed: number,
): CalibrationQueries {
  const { dim } = version.manifest;
  const all = externalQueries(version, given);
  const chosen = shuffle(sampleDistinct(all.count, size, seed), seed);
  const vectors = new Float32Array(chosen.length * dim);
  for (const [slot, position] of chosen.entries()) vectors.set(queryAt(all, position, dim), slot * dim);
  return { count: chosen.length, vectors, groups: [groupWithoutHidden(version, chosen.length)] };
}

function unhiddenQueries(version: LoadedVersion, places: readonly RowPlace[]): CalibrationQueries {
  const vectors = gather(version, places, version.manifest.dim);
  return { count: places.length, vectors, groups: [groupWithoutHidden(version, places.length)] };
}

function groupWithoutHidden({ shards }: LoadedVersion, to: number): QueryGroup {
  return { from: 0, to, hidden: shards.map(() => new Uint32Array(0)) };
}

function partOf(size: number, rows: number, all: number): number {
  return Math.ceil((size * rows) / all);
}

/** Shuffles rows of several shards; rows of one shard are in random order already. */
function inRandomOrder(byShard: readonly Uint32Array[], seed: number): RowPlace[] {
  const places = byShard.flatMap((rows, shard) => Array.from(rows, (row) => ({ shard, row })));
  if (byShard.length === 1) return places;
  const order = shuffle(
    Uint32Array.from(places, (_, position) => position),
    seed,
  );
  return Array.from(order, (position) => places[position]!);
}

function gather({ shards }: LoadedVersion, places: readonly RowPlace[], dim: number): Float32Array {
  const vectors = new Float32Array(places.length * dim);
  for (const [slot, { shard, row }] of places.entries()) {
    const { values } = shards[shard]!.graph.vectors;
    vectors.set(values.subarray(row * dim, (row + 1) * dim), slot * dim);
  }
  return vectors;
}
