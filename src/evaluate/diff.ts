/**
 * How the candidates differ between two versions: what a person looks at before a new version is published. Takes two
 * loaded versions and queries; gives the overlap at each k, and the ids that came and went at the largest k.
 */
import type { LoadedVersion } from '../retrieve/loaded-version.js';
import { search } from '../retrieve/search.js';
import { externalQueries, queryAt, type QuerySet } from './queries.js';

/** Ids listed of those that entered and of those that left: enough to see a pattern. */
const LISTED_IDS = 20;

export interface IdCount {
  readonly id: string;
  /** Queries whose answer it entered or left. */
  readonly queries: number;
}

/** Ids on one side only, most frequent first; all are counted, the first are listed. */
export interface Change {
  readonly total: number;
  readonly ids: readonly IdCount[];
}

export interface VersionDiff {
  readonly queries: number;
  /** Mean share of the candidates at k that both versions return. */
  readonly points: readonly { readonly k: number; readonly overlap: number }[];
  /** Queries whose best candidate is the same. */
  readonly same_first: number;
  /** At the largest k: ids that only the second version returns. */
  readonly entered: Change;
  /** At the largest k: ids that only the first version returns. */
  readonly left: Change;
}

export interface DiffOptions {
  readonly ks: readonly number[];
  readonly ef?: number | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** @param vectors count x dim values. @throws dimension_mismatch where the versions have other dimensions */
export function diffVersions(
  before: LoadedVersion,
  after: LoadedVersion,
  vectors: Float32Array,
  options: DiffOptions,
): VersionDiff {
  const [queriesBefore, queriesAfter] = [externalQueries(before, vectors), externalQueries(after, vectors)];
  const ks = [...options.ks].sort((a, b) => a - b);
  const k = ks.at(-1)!;
  const overlaps = ks.map(() => 0);
  const [entered, left] = [new Map<string, number>(), new Map<string, number>()];
  let sameFirst = 0;
  for (let position = 0; position < queriesBefore.count; position++) {
    const [old, fresh] = [
      idsOf(before, queriesBefore, position, k, options.ef),
      idsOf(after, queriesAfter, position, k, options.ef),
    ];
    ks.forEach((size, i) => (overlaps[i]! += overlapOf(old.slice(0, size), fresh.slice(0, size))));
    if (old[0] === fresh[0]) sameFirst++;
    countMissing(fresh, new Set(old), entered);
    countMissing(old, new Set(fresh), left);
    options.onProgress?.(position + 1, queriesBefore.count);
  }
  const count = Math.max(1, queriesBefore.count);
  return {
    queries: queriesBefore.count,
    points: ks.map((size, i) => ({ k: size, overlap: overlaps[i]! / count })),
    same_first: sameFirst,
    entered: summarize(entered),
    left: summarize(left),
  };
}

function idsOf(
  version: LoadedVersion,
  queries: QuerySet,
  position: number,
  k: number,
  ef: number | undefined,
): string[] {
  const { ordinals } = search(version, queryAt(queries, position, version.manifest.dim), { k, ef });
  return Array.from(ordinals, (ordinal) => version.ids.text(ordinal));
}

/** Shared ids over those of the longer list; two empty lists agree. */
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
