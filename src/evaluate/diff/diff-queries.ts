/**
 * The queries of a comparison, as each of the two versions takes them: from a file, or rows of both versions. The same
 * vector is searched in both, so that versions of different dimensions are refused. With own vectors, each version
 * searches with the vector that it has of the row, as a search by id does: this also compares two models.
 */
import { ShortlistError } from '../../base/errors.js';
import { EventLoopYielder } from '../../base/event-loop-yielder.js';
import { shuffle } from '../../base/random.js';
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import type { Manifest } from '../../version/sealed/manifest.js';
import { externalQueries, sampleOrdinals, type QuerySet } from '../queries.js';

/** Number of queries that are rows of each version. */
export interface SampledRows {
  readonly from: number;
  readonly to: number;
}

export interface DiffQueries {
  readonly source: 'file' | 'sample';
  readonly before: QuerySet;
  readonly after: QuerySet;
  /** Rows: the ordinals that are left out of their answers, -1 if the version lacks the id. Null for a file. */
  readonly selfOrdinals: { readonly before: Int32Array; readonly after: Int32Array } | null;
  /** Null for queries of a file. */
  readonly sampled: SampledRows | null;
  /** True if each version searches with its own vector of the row. */
  readonly ownVectors: boolean;
}

/** @throws dimension_mismatch */
export function requireComparable(before: Manifest, after: Manifest): void {
  if (before.dim === after.dim) return;
  const of = ({ index, version, dim }: Manifest): string => `${index}@${version} has vectors of ${dim} components`;
  const message = `${of(before)} and ${of(after)}; the same query vectors cannot be searched in both; without --queries, --own-vectors searches in each version with its own vectors`;
  throw new ShortlistError('dimension_mismatch', message, { from_dim: before.dim, to_dim: after.dim });
}

/** Queries from a file. @param vectors count x dim values, for the metric of each version @throws dimension_mismatch */
export function fileQueries(
  before: LoadedVersion,
  after: LoadedVersion,
  vectors: { readonly before: Float32Array; readonly after: Float32Array },
): DiffQueries {
  requireComparable(before.manifest, after.manifest);
  return {
    source: 'file',
    before: externalQueries(before, vectors.before),
    after: externalQueries(after, vectors.after),
    selfOrdinals: null,
    sampled: null,
    ownVectors: false,
  };
}

interface Source {
  readonly side: keyof SampledRows;
  readonly version: LoadedVersion;
}

interface SampledRow extends Source {
  readonly ordinal: number;
  readonly id: string;
}

interface SampleOptions {
  readonly size: number;
  readonly seed: number;
  /** Only rows that both versions have; each version searches with its own vector of the row. */
  readonly ownVectors?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Samples rows, half of each version; an id counts once. The row itself is left out of its answer in both versions. If
 * only one version has normalized its vectors, all rows are of the other one: lengths cannot be recovered from
 * directions. The same rows are chosen if the versions are exchanged.
 * @throws dimension_mismatch unless `ownVectors`; usage if it finds no row; the signal's reason when it is aborted
 */
export async function sampledQueries(
  before: LoadedVersion,
  after: LoadedVersion,
  { size, seed, ownVectors = false, signal }: SampleOptions,
): Promise<DiffQueries> {
  if (!ownVectors) requireComparable(before.manifest, after.manifest);
  const turns = new EventLoopYielder(signal);
  const samples: SampledRow[][] = [];
  for (const source of sourcesOf(before, after)) {
    const { version } = source;
    const ordinals = shuffle(await sampleOrdinals(version, size, seed, turns), seed);
    const rows = Array.from(ordinals, (ordinal) => ({ ...source, ordinal, id: version.ids.text(ordinal) }));
    const isKept = ({ id }: SampledRow): boolean => before.ordinalOf(id) >= 0 && after.ordinalOf(id) >= 0;
    samples.push(ownVectors ? rows.filter(isKept) : rows);
  }
  const rows = takeInTurn(samples, size);
  if (ownVectors && rows.length === 0) throw noSharedIds(before.manifest, after.manifest);
  const selvesIn = (version: LoadedVersion): Int32Array => Int32Array.from(rows, ({ id }) => version.ordinalOf(id));
  const selfOrdinals = { before: selvesIn(before), after: selvesIn(after) };
  const gather = (version: LoadedVersion, selves: Int32Array): Promise<Float32Array> =>
    gatherVectors(ownVectors ? Array.from(selves, (ordinal) => ({ version, ordinal })) : rows, version.manifest.dim, turns); // prettier-ignore
  const old = await gather(before, selfOrdinals.before);
  const from = rows.filter(({ side }) => side === 'from').length;
  return {
    source: 'sample',
    before: externalQueries(before, old),
    after: externalQueries(after, ownVectors ? await gather(after, selfOrdinals.after) : old),
    selfOrdinals,
    sampled: { from, to: rows.length - from },
    ownVectors,
  };
}

function noSharedIds(before: Manifest, after: Manifest): ShortlistError {
  const message = `own vectors need ids that both versions have, and none of the sampled rows of ${before.index}@${before.version} and ${after.index}@${after.version} is in both; search with --queries, or with more rows`;
  return new ShortlistError('usage', message, { from: before.version, to: after.version });
}

async function gatherVectors(
  rows: readonly Pick<SampledRow, 'version' | 'ordinal'>[],
  dim: number,
  turns: EventLoopYielder,
): Promise<Float32Array> {
  const vectors = new Float32Array(rows.length * dim);
  for (const [position, { version, ordinal }] of rows.entries()) {
    vectors.set(version.vectorOf(ordinal), position * dim);
    await turns.yieldIfDue();
  }
  return vectors;
}

/** The versions to sample, the older first, whichever of them the caller names first. */
function sourcesOf(before: LoadedVersion, after: LoadedVersion): Source[] {
  const [old, fresh]: [Source, Source] = [
    { side: 'from', version: before },
    { side: 'to', version: after },
  ];
  const sources = before.manifest.version <= after.manifest.version ? [old, fresh] : [fresh, old];
  const whole = sources.filter(({ version }) => version.manifest.metric !== 'cosine');
  return whole.length === 1 ? whole : sources;
}

/**
 * One row of each sample in turn, and of rows with equal ids the first. Every other turn begins with the other sample:
 * equal samples then give half of the rows each.
 */
function takeInTurn(samples: readonly (readonly SampledRow[])[], size: number): SampledRow[] {
  const taken = new Map<string, SampledRow>();
  const longest = Math.max(...samples.map(({ length }) => length));
  for (let turn = 0; turn < longest; turn++) {
    for (const sample of turn % 2 === 0 ? samples : samples.toReversed()) {
      const row = sample[turn];
      if (row !== undefined && !taken.has(row.id) && taken.size < size) taken.set(row.id, row);
    }
  }
  return [...taken.values()];
}
