/**
 * The queries that a version is calibrated with, made of its own rows so that no file is needed.
 *
 * A row is not asked as it is, even where it is left out of its own answer: its node is in the graph, nearer to the query
 * than any other, and its links lead to just the rows that are looked for. On 8,000 uniform vectors of 24 dimensions, the
 * hardest there are, that makes recall@10 0.91 at an ef where new queries have 0.86. So a row is moved away from itself, by 2.25
 * times the distance to its nearest neighbour, into a random mixture of the directions in which its neighbours lie, which
 * keeps it where the data is. Recall is then that of new queries, 0.012 above in that case and 0.002 at an ef of 0.94; moved by
 * 1.75 such distances it is 0.022 and 0.009 above.
 *
 * Under ip a row is not the nearest to itself, and rows asked as they are, each left out of its own answer, have the recall of
 * new queries (0.990 for 0.989 with lognormal norms, 0.996 for 0.995 with equal ones).
 */
import { MAX_COMPONENT } from '../base/limits.js';
import { normalizeRow } from '../base/metric.js';
import { sampleDistinct, seededRandom } from '../base/random.js';
import type { LoadedVersion } from '../retrieve/loaded-version.js';
import { search } from '../retrieve/search.js';
import { externalQueries, queryAt, type QuerySet } from './queries.js';

/** Neighbours whose directions are mixed: 30 did no worse, and fewer than the dimensions of the data may not span it. */
const NEIGHBORS = 100;
const NEIGHBORS_EF = 200;

/** How far a row is moved, in distances to its nearest neighbour: less promises too much. */
const MOVED = 2.25;

/** Moved rows of the version, in random order, so that the first of them are a sample too. */
export function moveRows(version: LoadedVersion, size: number, seed: number): QuerySet {
  const { count, dim, metric } = version.manifest;
  const chosen = shuffle(sampleDistinct(count, size, seed), seed);
  const random = seededRandom(seed);
  const vectors = new Float32Array(chosen.length * dim);
  for (const [position, ordinal] of chosen.entries()) {
    const row = rowAt(version, ordinal);
    vectors.set(metric === 'ip' ? row : moveRow(version, ordinal, row, random), position * dim);
  }
  return { count: chosen.length, vectors, selves: metric === 'ip' ? chosen : null };
}

/** Some of the queries given, in random order. @throws as `checkQuery` */
export function drawQueries(version: LoadedVersion, given: Float32Array, size: number, seed: number): QuerySet {
  const { dim } = version.manifest;
  const all = externalQueries(version, given);
  const chosen = shuffle(sampleDistinct(all.count, size, seed), seed);
  const vectors = new Float32Array(chosen.length * dim);
  for (const [slot, position] of chosen.entries()) vectors.set(queryAt(all, position, dim), slot * dim);
  return { count: chosen.length, vectors, selves: null };
}

function moveRow(version: LoadedVersion, ordinal: number, row: Float32Array, random: () => number): Float32Array {
  const { ordinals } = search(version, row, { k: NEIGHBORS, ef: NEIGHBORS_EF }, ordinal);
  const mixture = new Float64Array(row.length);
  let nearest = Infinity;
  for (const neighbor of ordinals) {
    const distance = addOffset(mixture, row, rowAt(version, neighbor), 2 * random() - 1);
    if (distance > 0) nearest = Math.min(nearest, distance);
  }
  const length = Math.sqrt(mixture.reduce((sum, value) => sum + value * value, 0));
  if (length === 0) return row; // no neighbours, or all of them equal
  const scale = (MOVED * nearest) / length;
  const moved = row.map((value, j) => clamp(value + scale * mixture[j]!));
  return version.manifest.metric === 'cosine' && !normalizeRow(moved, 0, moved.length) ? row : moved;
}

/** A view of the stored vector. */
function rowAt(version: LoadedVersion, ordinal: number): Float32Array {
  const { shard, row } = version.locate(ordinal);
  const { values, dim } = version.shards[shard]!.graph.vectors;
  return values.subarray(row * dim, (row + 1) * dim);
}

/** Adds `weight` times the way from `row` to `neighbor`. @returns the length of that way */
function addOffset(mixture: Float64Array, row: Float32Array, neighbor: Float32Array, weight: number): number {
  let squared = 0;
  for (let j = 0; j < row.length; j++) {
    const offset = neighbor[j]! - row[j]!;
    mixture[j]! += weight * offset;
    squared += offset * offset;
  }
  return Math.sqrt(squared);
}

function clamp(value: number): number {
  return Math.max(-MAX_COMPONENT, Math.min(MAX_COMPONENT, value));
}

/** In place, by Fisher and Yates. */
function shuffle(values: Uint32Array, seed: number): Uint32Array {
  const random = seededRandom(seed);
  for (let last = values.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [values[last], values[other]] = [values[other]!, values[last]!];
  }
  return values;
}
