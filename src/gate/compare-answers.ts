/**
 * How much the answers of a version and of the live one have in common: over recorded queries if there are some, else
 * over rows of both versions.
 */
import { ShortlistError } from '../base/errors.js';
import type { EventLoopYielder } from '../base/event-loop-yielder.js';
import { fileQueries, sampledQueries, type DiffQueries } from '../evaluate/diff/diff-queries.js';
import { diffVersions } from '../evaluate/diff/diff-versions.js';
import type { OnStageProgress } from '../evaluate/evaluate.js';
import { readQueries } from '../ingest/read-queries.js';
import type { LoadedVersion } from '../retrieve/load/loaded-version.js';
import { countDistances, GATE_K } from './check-recall.js';
import type { Report } from './report.js';

/** Queries without a file. At an overlap of 0.9 the standard error is below 0.01. */
const SAMPLED = 200;
/** Recorded queries that are used: the first ones. */
const MAX_RECORDED = 1_000;
const SEED = 42;
/** The answers of fewer rows are nearly all of them. */
const MIN_ROWS = 2 * GATE_K;

interface AnswersOptions {
  readonly turns: EventLoopYielder;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: OnStageProgress | undefined;
}

export async function compareAnswers(
  version: LoadedVersion,
  live: LoadedVersion | null,
  report: Report,
  options: AnswersOptions,
): Promise<void> {
  const { turns } = options;
  const distances = await countDistances(version, turns);
  if (distances !== null) {
    report.add('distances', { value: distances, live: live && (await countDistances(live, turns)) });
  }
  if (live === null || live.manifest.dim !== version.manifest.dim || report.skips('overlap')) return;
  if (Math.min(live.manifest.count, version.manifest.count) < MIN_ROWS) return;
  const queries = await chooseQueries(version, live, report, options);
  const diff = await diffVersions(live, version, queries, {
    ks: [GATE_K],
    signal: options.signal,
    onProgress: (done, total) => options.onProgress?.('overlap', done, total, 'queries'),
  });
  const source = queries.source === 'file' ? 'recorded queries' : 'rows of both versions';
  report.add('overlap', { value: diff.points[0]!.overlap, detail: `${diff.queries} ${source}` }, `@${GATE_K}`);
}

async function chooseQueries(
  version: LoadedVersion,
  live: LoadedVersion,
  report: Report,
  { signal }: AnswersOptions,
): Promise<DiffQueries> {
  const { queries: paths } = report.limits;
  const sample = () => sampledQueries(live, version, { size: SAMPLED, seed: SEED, signal });
  if (paths.length === 0) return sample();
  try {
    const warnings: string[] = [];
    const before = await readRecorded(live, report, warnings);
    const isSame = live.manifest.metric === version.manifest.metric;
    const queries = fileQueries(live, version, {
      before,
      after: isSame ? before : await readRecorded(version, report),
    });
    report.add('queries', { value: warnings.length, ...(warnings.length > 0 && { detail: warnings.join('; ') }) });
    return queries;
  } catch (error) {
    if (!(error instanceof ShortlistError)) throw error;
    signal?.throwIfAborted();
    report.add('queries', { value: 1, detail: `rows are sampled instead: ${error.message}` });
    return sample();
  }
}

/** @param warnings gets what is said about the files @throws input_not_found, dimension_mismatch, bad_rows, ... */
export async function readRecorded(
  { manifest }: Pick<LoadedVersion, 'manifest'>,
  { limits }: Pick<Report, 'limits'>,
  warnings: string[] = [],
): Promise<Float32Array> {
  const { dim, metric, vector } = manifest;
  const { queries, vectorColumn } = limits;
  const column = vectorColumn === null ? { preferredColumn: vector.column } : { vectorColumn };
  const onWarning = (message: string): void => void warnings.push(message);
  const { vectors } = await readQueries(queries, { dim, metric, onWarning, ...column });
  return vectors.subarray(0, MAX_RECORDED * dim);
}
