import { Command } from 'commander';
import { EXIT, ShortlistError } from '../../base/errors.js';
import { MAX_EF, MAX_K } from '../../base/limits.js';
import { diffVersions, fileQueries, requireComparable, sampledQueries, type Change, type DiffPoint, type DiffQueries, type VersionDiff } from '../../evaluate/diff.js'; // prettier-ignore
import { formatRecall } from '../../evaluate/report.js';
import { loadVersion, type LoadedVersion } from '../../retrieve/load/loaded-version.js';
import { resolveVersion } from '../../version/state/catalog.js';
import { readManifest } from '../../version/sealed/manifest-file.js';
import { action, numberBetween, wholeNumber, wholeNumbersOption, type CommandContext } from '../command.js'; // prettier-ignore
import { readQueryFiles } from '../query-file.js';
import { formatCount, formatPlural } from '../output/progress.js';
import { formatHanging, formatTable } from '../output/table.js';

interface DiffCommandOptions {
  readonly queries?: string[];
  readonly vectorColumn?: string;
  readonly sample: number;
  readonly seed: number;
  readonly k: number[];
  readonly ef?: number;
  readonly minOverlap?: number;
}

export function diffCommand(): Command {
  return new Command('diff')
    .argument('<index>', 'index')
    .argument('<v1>', 'old version or alias')
    .argument('<v2>', 'new version or alias')
    .description('show how the candidates of two versions differ')
    .option('--queries <path...>', 'files of query vectors, in any format that build --input takes')
    .option('--vector-column <name>', 'column of vectors in --queries')
    .option(
      '--sample <n>',
      'without --queries: number of rows of v1 to search for; a row is not counted in its own answer',
      wholeNumber(1, 1_000_000),
      1000,
    )
    .option('--seed <n>', 'seed of the sample', wholeNumber(0, 2 ** 31 - 1), 42)
    .addOption(wholeNumbersOption('-k <list>', 'values of k, comma-separated', MAX_K, [10, 100]))
    .option(
      '--ef <n>',
      'number of graph nodes to expand (default: from the calibration, else max(200, 2k))',
      wholeNumber(1, MAX_EF),
    )
    .option(
      '--min-overlap <share>',
      'exit with code 1 if the overlap at any k is lower, such as 0.8',
      numberBetween(0, 1),
    )
    .action(
      action(async (context, options: DiffCommandOptions, index: string, v1: string, v2: string) => {
        context.refuseWith(['sample', 'seed'], 'queries');
        context.refuseWithout(['vectorColumn'], 'queries');
        const { root, progress, signal } = context;
        const [from, to] = [await resolveVersion(root, index, v1), await resolveVersion(root, index, v2)];
        requireComparable(await readManifest(root, index, from), await readManifest(root, index, to));
        const versions: LoadedVersion[] = [];
        try {
          for (const name of [from, to]) versions.push(await loadVersion(root, index, name, { signal }));
          const [before, after] = versions as [LoadedVersion, LoadedVersion];
          const queries = await chooseQueries(context, options, before, after);
          const diff = await diffVersions(before, after, queries, {
            ks: options.k,
            ef: options.ef,
            signal,
            onProgress: (done, total) => progress.update('diff', done, total, 'queries'),
          });
          const failure = findFailure(diff, options.minOverlap);
          const json = {
            index,
            from,
            to,
            ...diff,
            ...(options.minOverlap !== undefined && { min_overlap: options.minOverlap, ok: failure === null }),
            ...(failure !== null && { error: { code: failure.code, message: failure.message } }),
          };
          const text = failure === null ? describe(diff) : `${describe(diff)}\n${failure.message}`;
          return { json, text, exit: failure?.exit ?? EXIT.done };
        } finally {
          for (const version of versions) version.close();
        }
      }),
    );
}

async function chooseQueries(
  { signal, warn }: CommandContext,
  { queries, vectorColumn, sample, seed }: DiffCommandOptions,
  before: LoadedVersion,
  after: LoadedVersion,
): Promise<DiffQueries> {
  if (queries === undefined) return sampledQueries(before, after, { size: sample, seed, signal });
  const read = async ({ manifest }: LoadedVersion): Promise<Float32Array> =>
    (await readQueryFiles(queries, manifest, vectorColumn, { signal, warn })).vectors;
  const old = await read(before);
  // With another metric the vectors differ too: for cosine they are normalised.
  const isSame = before.manifest.metric === after.manifest.metric;
  return fileQueries(before, after, { before: old, after: isSame ? old : await read(after) });
}

function findFailure({ points }: VersionDiff, minOverlap: number | undefined): ShortlistError | null {
  const worst = points.reduce((low, point) => (point.overlap < low.overlap ? point : low));
  if (minOverlap === undefined || worst.overlap >= minOverlap) return null;
  const message = `the overlap at k ${worst.k} is ${formatRecall(worst.overlap)}, below --min-overlap ${minOverlap}`;
  return new ShortlistError('check_failed', message);
}

function describe({ queries, source, points, same_first: sameFirst, entered, left }: VersionDiff): string {
  const ef = (value: number | null): string => (value === null ? 'exact' : String(value));
  const table = formatTable<DiffPoint>(
    [
      { title: 'k', value: (point) => String(point.k), align: 'right' },
      { title: 'overlap', value: (point) => formatRecall(point.overlap), align: 'right' },
      { title: 'ef of v1', value: (point) => ef(point.ef.from), align: 'right' },
      { title: 'ef of v2', value: (point) => ef(point.ef.to), align: 'right' },
    ],
    points,
  );
  const from = source === 'sample' ? ', rows of the index' : '';
  const first = `${formatPlural(queries, 'query', 'queries')}${from}; the best candidate is the same for ${formatCount(sameFirst)}`;
  const legend = 'overlap: mean share of candidates that both versions return';
  return [table, legend, first, describeChange('entered', entered), describeChange('left', left)].join('\n');
}

function describeChange(verb: string, { total, ids }: Change): string {
  const lead = `${formatPlural(total, 'id')} ${verb}`;
  if (total === 0) return lead;
  const listed = ids.map(({ id, queries }) => `${id} (${formatCount(queries)})`).join(', ');
  return formatHanging('', `${lead}, most frequent first, with their number of queries: ${listed}`);
}
