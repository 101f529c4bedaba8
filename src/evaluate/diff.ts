/**
 * Compares the candidates of two versions, for a person who decides whether to publish the new one. Takes two loaded
 * versions and queries, from a file or from rows of a version. Returns the overlap at each k, and the ids that entered
 * and left at the largest k. Each k is searched separately with the ef that a server would use.
 */
import { ShortlistError } from '../base/errors.js';
import { EventLoopYielder } from '../base/event-loop-yielder.js';
import type { LoadedVersion } from '../retrieve/load/loaded-version.js';
import { search } from '../retrieve/search/run-search.js';
import type { Manifest } from '../version/sealed/manifest.js';
import { externalQueries, queryAt, sampleVectors, type QuerySet } from './queries.js';

/** Ids listed of each change: enough to see a pattern. */
const LISTED_IDS = 20;

interface IdCount {
  readonly id: string;
  /** Number of queries whose answer it entered or left. */
  readonly queries: number;
}

/** Ids that only one version returns, most frequent first: the total number, and the first ids. */
export interface Change {
  readonly total: number;
  readonly ids: readonly IdCount[];
}

export interface DiffPoint {
  readonly k: number;
  /** Mean share of the candidates at k that both versions return. */
  readonly overlap: number;
  /** As used for the first query; null if every row is scanned. */
  readonly ef: { readonly from: number | null; readonly to: number | null };
}

export interface VersionDiff {
  readonly queries: number;
  readonly source: 'file' | 'sample';
  readonly points: readonly DiffPoint[];
  /** Number of queries whose best candidate at the largest k is the same. */
  readonly same_first: number;
  /** At the largest k: ids that only the second version returns. */
  readonly entered: Change;
  /** At the largest k: ids that only the first version returns. */
  readonly left: Change;
}

interface DiffOptions {
  readonly ks: readonly number[];
  /** Default: as a server would choose, by the calibration if there is one. */
  readonly ef?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** The queries as each of the two versions takes them, and which items they are. */
export interface DiffQueries {
  readonly source: VersionDiff['source'];
  readonly before: QuerySet;
  readonly after: QuerySet;
  /** For each query, the ordinal left out of its answer; -1 if the version does not have the item. */
  readonly selfOrdinals: { readonly before: Int32Array; readonly after: Int32Array } | null;
}

/** @throws dimension_mismatch */
export function requireComparable(before: Manifest, after: Manifest): void {
  if (before.dim === after.dim) return;
  const of = ({ index, version, dim }: Manifest): string => `${index}@${version} has vectors of ${dim} components`;
  const message = `${of(before)} and ${of(after)}; only versions of the same dimension can be compared`;
  throw new ShortlistError('dimension_mismatch', message, { from_dim: before.dim, to_dim: after.dim });
}

/** Queries from a file. @param vectors count x dim values, checked for the metric of each version */
export function fileQueries(
  before: LoadedVersion,
  after: LoadedVersion,
  vectors: { readonly before: Float32Array; readonly after: Float32Array },
): DiffQueries {
  return {
    source: 'file',
    before: externalQueries(before, vectors.before),
    after: externalQueries(after, vectors.after),
    selfOrdinals: null,
  };
}

/**
 * Samples rows of the first version; each is left out of its own answer in both versions. If only the first version has
 * normalized its vectors, samples the second: lengths cannot be recovered from directions.
 */
export async function sampledQueries(
  before: LoadedVersion,
  after: LoadedVersion,
  { size, seed, signal }: { readonly size: number; readonly seed: number; readonly signal?: AbortSignal | undefined },
): Promise<DiffQueries> {
  const isUnit = ({ manifest }: LoadedVersion): boolean => manifest.metric === 'cosine';
  const source = isUnit(before) && !isUnit(after) ? after : before;
  const sampled = await sampleVectors(source, size, seed, new EventLoopYielder(signal));
  const ids = Array.from(sampled.selfOrdinals!, (ordinal) => source.ids.text(ordinal));
  const selvesIn = (version: LoadedVersion): Int32Array => Int32Array.from(ids, (id) => version.ordinalOf(id));
  return {
    source: 'sample',
    before: externalQueries(before, sampled.vectors),
    after: externalQueries(after, sampled.vectors),
    selfOrdinals: { before: selvesIn(before), after: selvesIn(after) },
  };
}

/** @throws dimension_mismatch; the signal's reason when it is aborted */
export async function diffVersions(
  before: LoadedVersion,
  after: LoadedVersion,
  queries: DiffQueries,
  options: DiffOptions,
): Promise<VersionDiff> {
  requireComparable(before.manifest, after.manifest);
  const turns = new EventLoopYielder(options.signal);
  const ks = [...new Set(options.ks)].sort((a, b) => a - b);
  const points = ks.map((k) => ({ k, overlap: 0, ef: { from: null as number | null, to: null as number | null } }));
  const [entered, left] = [new Map<string, number>(), new Map<string, number>()];
  const { count } = queries.before;
  let sameFirst = 0;
  for (let position = 0; position < count; position++) {
    let [old, fresh]: [FoundIds, FoundIds] = [NO_ANSWER, NO_ANSWER];
    for (const point of points) {
      const wanted = { k: point.k, ef: options.ef };
      old = find(before, queries.before, position, wanted, queries.selfOrdinals?.before);
      fresh = find(after, queries.after, position, wanted, queries.selfOrdinals?.after);
      point.overlap += overlapOf(old.ids, fresh.ids);
      if (position === 0) point.ef = { from: old.ef, to: fresh.ef };
    }
    if (old.ids[0] === fresh.ids[0]) sameFirst++;
    countMissing(fresh.ids, new Set(old.ids), entered);
    countMissing(old.ids, new Set(fresh.ids), left);
    options.onProgress?.(position + 1, count);
    await turns.yieldIfDue();
  }
  return {
    queries: count,
    source: queries.source,
    points: points.map((point) => ({ ...point, overlap: point.overlap / Math.max(1, count) })),
    same_first: sameFirst,
    entered: summarize(entered),
    left: summarize(left),
  };
}

interface FoundIds {
  readonly ids: readonly string[];
  readonly ef: number | null;
}

const NO_ANSWER: FoundIds = { ids: [], ef: null };

function find(
  version: LoadedVersion,
  queries: QuerySet,
  position: number,
  wanted: { readonly k: number; readonly ef: number | undefined },
  selfOrdinals: Int32Array | undefined,
): FoundIds {
  const self = selfOrdinals?.[position] ?? -1;
  const query = queryAt(queries, position, version.manifest.dim);
  const { ordinals, quality } = search(version, query, wanted, self < 0 ? undefined : self);
  return { ids: version.ids.texts(ordinals), ef: quality.ef };
}

/** Shared ids divided by the length of the longer list; 1 for two empty lists. */
function overlapOf(old: readonly string[], fresh: readonly string[]): number {
  const longer = Math.max(old.length, fresh.length);
  if (longer === 0) return 1;
  const known = new Set(old);
  return fresh.filter((id) => known.has(id)).length / longer;
}

function countMissing(ids: readonly string[], known: ReadonlySet<string>, into: Map<string, number>): void {
  for (const id of ids) if (!known.has(id)) into.set(id, (into.get(id) ?? 0) + 1);
}

function summarize(counts: ReadonlyMap<string, number>): Change {
  const ids = [...counts].map(([id, queries]) => ({ id, queries }));
  ids.sort((a, b) => b.queries - a.queries || (a.id < b.id ? -1 : 1));
  return { total: counts.size, ids: ids.slice(0, LISTED_IDS) };
}
