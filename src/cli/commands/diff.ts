import { Command } from 'commander';
import { EXIT, ShortlistError } from '../../base/errors.js';
import { EventLoopYielder } from '../../base/event-loop-yielder.js';
import { MAX_EF, MAX_K } from '../../base/limits.js';
import { didYouMean } from '../../base/nearest-name.js';
import { fileQueries, requireComparable, sampledQueries, type DiffQueries } from '../../evaluate/diff/diff-queries.js';
import { diffVersions, type VersionDiff } from '../../evaluate/diff/diff-versions.js';
import { chooseReadable } from '../../evaluate/diff/readable-attributes.js';
import { formatRecall } from '../../evaluate/report.js';
import { measureDrift } from '../../gate/drift.js';
import { explainDiff } from '../../gate/explain-diff.js';
import { loadVersion, type LoadedVersion } from '../../retrieve/load/loaded-version.js';
import { resolveVersion } from '../../version/state/catalog.js';
import type { AttributeEntry, Manifest } from '../../version/sealed/manifest.js';
import { readManifest } from '../../version/sealed/manifest-file.js';
import { action, numberBetween, wholeNumber, wholeNumbersOption, type CommandContext } from '../command.js'; // prettier-ignore
import { checkReportPath, writeReport } from '../output/html/report-file.js';
import { diffPage } from '../output/html/diff-page.js';
import { describeDiff } from '../output/diff-text.js';
import type { DiffReport } from '../output/diff-report.js';
import { formatCount } from '../output/progress.js';
import { readQueryFiles } from '../query-file.js';
import { parseJson } from '../search-flags.js';

interface DiffCommandOptions {
  readonly queries?: string[];
  readonly vectorColumn?: string;
  readonly sample: number;
  readonly seed: number;
  readonly ownVectors?: boolean;
  readonly k: number[];
  readonly ef?: number;
  readonly filter?: string;
  readonly attribute?: string[];
  readonly include?: string[];
  readonly minOverlap?: number;
  readonly report?: string;
}

export function diffCommand(): Command {
  return new Command('diff')
    .argument('<index>', 'index')
    .argument('<v1>', 'old version or alias')
    .argument('<v2>', 'new version or alias')
    .description('show how the candidates of two versions differ, and why')
    .option('--queries <path...>', 'files of query vectors, in any format that build --input takes')
    .option('--vector-column <name>', 'column of vectors in --queries')
    .option(
      '--sample <n>',
      'without --queries: number of rows to search for, half of each version; a row is not counted in its own answer',
      wholeNumber(1, 1_000_000),
      1000,
    )
    .option('--seed <n>', 'seed of the sample', wholeNumber(0, 2 ** 31 - 1), 42)
    .option(
      '--own-vectors',
      'without --queries: search in each version with its own vector of the row, as a search by id; compares models',
    )
    .addOption(wholeNumbersOption('-k <list>', 'values of k, comma-separated', MAX_K, [10, 100]))
    .option(
      '--ef <n>',
      'number of graph nodes to expand (default: from the calibration, else max(200, 2k))',
      wholeNumber(1, MAX_EF),
    )
    .option('--filter <json>', 'search only these items, such as \'{"price": {"$lt": 50}}\'')
    .option(
      '--attribute <name...>',
      'count the candidates of each value of these attributes (default: texts and flags with at most 50 values)',
    )
    .option('--include <name...>', 'attributes shown with ids (default: up to 4, titles and names first)')
    .option(
      '--min-overlap <share>',
      'exit with code 1 if the overlap at any k is lower, such as 0.8',
      numberBetween(0, 1),
    )
    .option('--report <file.html>', 'write a page with everything, to read in a browser or to send')
    .action(
      action(async (context, options: DiffCommandOptions, index: string, v1: string, v2: string) => {
        context.refuseWith(['sample', 'seed', 'ownVectors'], 'queries');
        context.refuseWithout(['vectorColumn'], 'queries');
        const { root, signal } = context;
        const [from, to] = [await resolveVersion(root, index, v1), await resolveVersion(root, index, v2)];
        const manifests = [await readManifest(root, index, from), await readManifest(root, index, to)] as const;
        if (options.ownVectors !== true) requireComparable(...manifests);
        requireAttributes(options, manifests);
        if (options.report !== undefined) await checkReportPath(options.report);
        const versions: LoadedVersion[] = [];
        try {
          for (const name of [from, to]) versions.push(await loadVersion(root, index, name, { signal }));
          const [before, after] = versions as [LoadedVersion, LoadedVersion];
          const report = await compare(context, options, before, after);
          if (options.report !== undefined) await writeReport(options.report, diffPage(report));
          const failure = findFailure(report.diff, options.minOverlap);
          const { diff, drift, verdict } = report;
          const json = {
            index,
            from,
            to,
            verdict,
            ...diff,
            drift,
            ...(options.report !== undefined && { report: options.report }),
            ...(options.minOverlap !== undefined && { min_overlap: options.minOverlap, ok: failure === null }),
            ...(failure !== null && { error: { code: failure.code, message: failure.message } }),
          };
          const written = options.report === undefined ? [] : [`the report is in ${options.report}`];
          const failed = failure === null ? [] : [failure.message];
          return { json, text: [describeDiff(report), ...written, ...failed].join('\n'), exit: failure?.exit ?? EXIT.done, failure: failure?.message }; // prettier-ignore
        } finally {
          for (const version of versions) version.close();
        }
      }),
    );
}

/** @throws unknown_attribute for one that neither version has */
function requireAttributes({ attribute = [], include = [] }: DiffCommandOptions, manifests: readonly Manifest[]): void {
  const known = allAttributes(manifests).map(({ name }) => name);
  const unknown = [...attribute, ...include].find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const message = `neither version has an attribute '${unknown}'; the attributes are ${known.join(', ')}${didYouMean(unknown, known)}`;
  throw new ShortlistError('unknown_attribute', message, { attribute: unknown });
}

/** The attributes of both versions, each name once. */
function allAttributes(manifests: readonly Manifest[]): AttributeEntry[] {
  const fields = manifests.flatMap(({ attributes }) => attributes);
  return [...new Map(fields.map((field) => [field.name, field])).values()];
}

async function compare(
  context: CommandContext,
  options: DiffCommandOptions,
  before: LoadedVersion,
  after: LoadedVersion,
): Promise<DiffReport> {
  const { progress, signal } = context;
  const turns = new EventLoopYielder(signal);
  const queries = await chooseQueries(context, options, before, after);
  const filter = options.filter === undefined ? undefined : parseJson('--filter', options.filter, '{"category": "jewelry"}'); // prettier-ignore
  const drift = await measureDrift(before, after, turns, (done, total) =>
    progress.update('contents', done, total, 'columns'),
  );
  const fields = allAttributes([before.manifest, after.manifest]);
  const include = options.include ?? chooseReadable(fields, drift.categories);
  const diff = await diffVersions(before, after, queries, {
    ks: options.k,
    ef: options.ef,
    filter,
    attributes: options.attribute ?? drift.categories,
    include,
    signal,
    onProgress: (done, total) => progress.update('diff', done, total, 'queries'),
  });
  const verdict = explainDiff(diff, drift, filter !== undefined);
  const { index, version: from } = before.manifest;
  return { index, from, to: after.manifest.version, filter, include, diff, drift, verdict };
}

async function chooseQueries(
  { signal, warn }: CommandContext,
  { queries, vectorColumn, sample, seed, ownVectors = false }: DiffCommandOptions,
  before: LoadedVersion,
  after: LoadedVersion,
): Promise<DiffQueries> {
  if (queries === undefined) return sampledQueries(before, after, { size: sample, seed, ownVectors, signal });
  const read = async ({ manifest }: LoadedVersion): Promise<Float32Array> =>
    (await readQueryFiles(queries, manifest, vectorColumn, { signal, warn })).vectors;
  const old = await read(before);
  // With another metric the vectors differ too: for cosine they are normalised.
  const isSame = before.manifest.metric === after.manifest.metric;
  return fileQueries(before, after, { before: old, after: isSame ? old : await read(after) });
}

function findFailure({ points }: VersionDiff, minOverlap: number | undefined): ShortlistError | null {
  if (minOverlap === undefined) return null;
  const unmeasured = points.find(({ overlap }) => Number.isNaN(overlap));
  if (unmeasured !== undefined)
    return new ShortlistError('check_failed', `the overlap at k ${formatCount(unmeasured.k)} was not measured, since neither version returns a candidate for any query; --min-overlap needs one`); // prettier-ignore
  const worst = points.reduce((low, point) => (point.overlap < low.overlap ? point : low));
  if (worst.overlap >= minOverlap) return null;
  const message = `the overlap at k ${formatCount(worst.k)} is ${formatRecall(worst.overlap)}, below --min-overlap ${minOverlap}`;
  return new ShortlistError('check_failed', message);
}
