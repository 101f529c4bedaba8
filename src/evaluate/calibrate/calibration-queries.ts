/**
 * The queries that a version is calibrated with: its own rows, asked as new rows would be, so that no file is needed
 * and nothing has to be known of the data.
 *
 * A row asked as it is finds more than a new one: its node is in the graph, nearer to the query than any other, and
 * its links lead to just the rows that are looked for. So it is hidden, from the walk and from the truth. What is
 * left is the graph that the row met when it was inserted, if it was one of the last: a graph prunes other links to
 * make room for those to a row, which are missing once it is hidden. The rows that entered last are a random sample
 * (`GraphEngine.lastRows`). Recall of 2,000 such rows and of 2,000 that were never in the index, k 10, at the ef
 * where it is about 0.99:
 *
 *   100,000 x 256 in diffuse clusters       0.988 and 0.990 (standard error 0.002)
 *   50,000 x 32 normal deviates             0.992 and 0.991 (0.0007); rows that entered at any time 0.986 to 0.989
 *   50,000 x 64, ip, lognormal norms        0.980 and 0.982 (0.001)
 *   66,000 x 64 texts, many of them twice   0.990 and 0.988 (0.002)
 *
 * Rows are hidden in folds: a few hundred at a time of a large version, a tenth of a small one, of which every row
 * may be asked in turn. A row that equals another is found by its twin's node and stays out of the answers alone, as
 * it would for a new row.
 */
import { sampleDistinct, shuffle } from '../../base/random.js';
import { engineOf, isMapped } from '../../engine/engines.js';
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import { engineSettings } from '../../retrieve/load/shards.js';
import { externalQueries, queryAt } from '../queries.js';

/** Rows that are hidden together: no more than a batch of a build, and no more than this part of the rows. */
const GROUP_ROWS = 500;
/** Where a fold costs a copy of the graph, fewer of them are made, each with more rows. */
const COPIED_GROUP_ROWS = 1_000;
const MAX_GROUP_SHARE = 0.1;

/** Queries `from` to `to`, exclusive, which are rows of the version, or from elsewhere. */
export interface QueryGroup {
  readonly from: number;
  readonly to: number;
  /** By shard: rows, ascending, that must not be met; none for queries from elsewhere. */
  readonly hidden: readonly Uint32Array[];
}

export interface CalibrationQueries {
  readonly count: number;
  /** count x dim values, in random order: the first of them are a sample too. */
  readonly vectors: Float32Array;
  readonly groups: readonly QueryGroup[];
}

/** Rows of the version to be hidden, as many as `maxQueries` or a few more. */
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
  const places: Place[] = [];
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
  // One row alone, whose hiding would leave nothing to find, asks for itself.
  if (count < 2 || places.length === 0) return unhiddenQueries(version, [{ shard: version.locate(0).shard, row: 0 }]);
  return { count: places.length, vectors: gather(version, places, dim), groups };
}

/** Some of the queries given, in random order. @throws as `checkQuery` */
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

interface Place {
  readonly shard: number;
  readonly row: number;
}

function unhiddenQueries(version: LoadedVersion, places: readonly Place[]): CalibrationQueries {
  const vectors = gather(version, places, version.manifest.dim);
  return { count: places.length, vectors, groups: [groupWithoutHidden(version, places.length)] };
}

function groupWithoutHidden({ shards }: LoadedVersion, to: number): QueryGroup {
  return { from: 0, to, hidden: shards.map(() => new Uint32Array(0)) };
}

function partOf(size: number, rows: number, all: number): number {
  return Math.ceil((size * rows) / all);
}

/** Rows of one shard are in random order already. */
function inRandomOrder(byShard: readonly Uint32Array[], seed: number): Place[] {
  const places = byShard.flatMap((rows, shard) => Array.from(rows, (row) => ({ shard, row })));
  if (byShard.length === 1) return places;
  const order = shuffle(
    Uint32Array.from(places, (_, position) => position),
    seed,
  );
  return Array.from(order, (position) => places[position]!);
}

function gather({ shards }: LoadedVersion, places: readonly Place[], dim: number): Float32Array {
  const vectors = new Float32Array(places.length * dim);
  for (const [slot, { shard, row }] of places.entries()) {
    const { values } = shards[shard]!.graph.vectors;
    vectors.set(values.subarray(row * dim, (row + 1) * dim), slot * dim);
  }
  return vectors;
}
