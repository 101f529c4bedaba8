import { Command, Option } from 'commander';
import { EXIT, ShortlistError } from '../../base/errors.js';
import { availableCores } from '../../base/machine.js';
import { MAX_DIM, MAX_EF_CONSTRUCTION, MAX_M, MAX_SHARDS, MIN_M } from '../../base/limits.js';
import { METRICS, type Metric } from '../../base/metric.js';
import { buildIndex } from '../../builder/build-index.js';
import { DEFAULT_MAX_REJECTED, type BuildResult } from '../../builder/build-options.js';
import { publishGated } from '../../builder/publish-gated.js';
import { forgetBuild } from '../../builder/unfinished.js';
import type { Planned } from '../../builder/forecast/past-builds.js';
import { ENGINE_NAMES } from '../../engine/engines.js';
import type { EngineName } from '../../engine/engine.js';
import { calibrationLine, defaultEfs } from '../output/calibration-table.js';
import { action, byteSize, numberBetween, wholeNumber, type CommandContext } from '../command.js';
import { formatFigureLine } from '../output/figures.js';
import { formatBytes, formatCount, formatDuration, formatPlural } from '../output/progress.js';
import { addPublishFlags, gateOptions, PUBLISH_FLAGS, requireReason, type PublishFlags } from '../gate-flags.js';
import { describePublished, missingRecord, publishedJson, refusalLine } from '../output/published.js';
import { runningUser } from '../running-user.js';

interface BuildCommandOptions extends PublishFlags {
  readonly input: string[];
  readonly ids?: string[];
  readonly idColumn: string;
  readonly vectorColumn?: string;
  readonly attributes: string;
  readonly metric: Metric;
  readonly shards: number;
  readonly m: number;
  readonly efConstruction: number;
  readonly engine: EngineName;
  readonly seed: number;
  readonly threads?: number;
  readonly dim?: number;
  readonly castDecimals?: boolean;
  readonly onBadRow: 'fail' | 'skip';
  readonly maxRejected: number;
  readonly rejects?: string;
  readonly memoryLimit?: number;
  readonly resume?: boolean;
  readonly calibrate: boolean;
  readonly publish?: boolean;
}

export function buildCommand(): Command {
  const command = new Command('build')
    .argument('<index>', 'name of the index')
    .description('build and verify a new version of an index from files of vectors; publish it with --publish')
    .requiredOption(
      '--input <path...>',
      'files, folders or globs, read in the given order: Arrow, Parquet, npy, fvecs, bvecs, fbin, u8bin, i8bin, HDF5 (required)',
    ) // prettier-ignore
    .option(
      '--ids <path...>',
      'files of ids, one for each file of --input: npy, ibin, Arrow, Parquet, or text with one id a line (default: the column of ids; of files without columns, the positions of rows)',
    ) // prettier-ignore
    .option('--id-column <name>', 'column of ids', 'id')
    .option(
      '--vector-column <name>',
      'column of vectors (default: the only vector column, else embedding, else vector); of HDF5, a dataset (default: train)',
    )
    .option('--attributes <names>', 'columns to keep as attributes: a,b or all or none', 'all')
    .option('--cast-decimals', 'keep decimal columns as float64 attributes (default: leave them out)')
    .option(
      '--dim <n>',
      'dimension that every vector must have (default: that of most vectors)',
      wholeNumber(1, MAX_DIM),
    )
    .addOption(
      new Option('--metric <metric>', 'how vectors are compared: cosine, inner product or Euclidean distance')
        .choices(METRICS)
        .default('cosine'),
    )
    .option('--shards <n>', 'number of shards, each with its own graph', wholeNumber(1, MAX_SHARDS), 1)
    .option('--m <n>', 'maximum links per row above level 0; twice as many at level 0', wholeNumber(MIN_M, MAX_M), 16)
    .option(
      '--ef-construction <n>',
      'size of the candidate list while building',
      wholeNumber(1, MAX_EF_CONSTRUCTION),
      200,
    )
    .addOption(
      new Option('--engine <name>', 'engine that builds and searches the graph')
        .choices(ENGINE_NAMES)
        .default(ENGINE_NAMES[0]),
    )
    .option(
      '--seed <n>',
      'seed of all random choices; same input, options and seed, same bytes',
      wholeNumber(0, 2 ** 31 - 1),
      42,
    )
    .option('--threads <n>', 'number of threads (default: all cores)', wholeNumber(1, 1024))
    .addOption(
      new Option('--on-bad-row <what>', 'what to do about invalid rows').choices(['fail', 'skip']).default('fail'),
    )
    .option(
      '--max-rejected <share>',
      'with --on-bad-row skip: fail if a larger share of the rows is invalid, from 0 to 1',
      numberBetween(0, 1),
      DEFAULT_MAX_REJECTED,
    )
    .option('--rejects <file>', 'file that lists skipped rows (default: in the notes of the version)')
    .option(
      '--memory-limit <size>',
      'refuse to build if it needs more memory, such as 8GiB (default: free memory)',
      byteSize(1),
    )
    .option('--resume', 'continue a build of the same input and options that was killed (the default)')
    .option('--no-resume', 'start over, and delete what a killed build has left')
    .option('--no-calibrate', 'skip the calibration, which measures the ef needed for each recall')
    .option('--publish', 'run the gate and publish the version if it passes');
  return addPublishFlags(command, 'with --publish: ').action(
    action(async (context, options: BuildCommandOptions, index: string) => {
      context.refuseWithout(PUBLISH_FLAGS, 'publish');
      requireReason(options);
      const { signal } = context;
      const result = await build(context, index, options, signal);
      const json = { ...resultJson(result), published: false };
      if (options.publish !== true)
        return {
          json,
          text: `${describe(result)}\npublish it with: shortlist publish ${index}@${result.manifest.version}`,
        };
      const { version } = result.manifest;
      const published = await publishGated(context.root, index, version, {
        ...gateOptions(context, options),
        dryRun: false,
        force: options.force,
        reason: options.reason,
        who: runningUser(),
      }).catch((error: unknown) => {
        throw signal.aborted ? interruptedBeforePublish(index, version, error) : error;
      });
      await forgetBuild(context.root, index);
      const missing = missingRecord(published);
      if (missing !== null) context.warn(missing);
      return {
        json: { ...json, ...publishedJson(published, false) },
        text: `${describe(result)}\n${describePublished(index, published, false)}`,
        exit: published.accepted ? EXIT.done : EXIT.checkFailed,
        failure: refusalLine(index, published, false),
      };
    }),
  );
}

/** The version is complete and need not be built again. */
function interruptedBeforePublish(index: string, version: string, cause: unknown): ShortlistError {
  const message = `interrupted before ${index}@${version} was published; the version is built, publish it with: shortlist publish ${index}@${version}`;
  return new ShortlistError('interrupted', message, { version }, { cause });
}

function build(
  context: CommandContext,
  index: string,
  options: BuildCommandOptions,
  signal: AbortSignal,
): Promise<BuildResult> {
  return buildIndex({
    root: context.root,
    index,
    inputs: options.input,
    ids: options.ids,
    idColumn: options.idColumn,
    vectorColumn: options.vectorColumn,
    attributes: parseAttributes(options.attributes),
    metric: options.metric,
    shards: options.shards,
    engine: options.engine,
    parameters: { m: options.m, efConstruction: options.efConstruction, seed: options.seed },
    threads: options.threads ?? availableCores(),
    calibrate: options.calibrate,
    dim: options.dim,
    castDecimals: options.castDecimals,
    onBadRow: options.onBadRow,
    maxRejected: options.maxRejected,
    rejectsPath: options.rejects,
    memoryLimitBytes: options.memoryLimit,
    onProgress: (stage, done, total, unit) => context.progress.update(stage, done, total, unit),
    onWarning: (message) => context.warn(message),
    onNote: (message) => context.note(message),
    resume: options.resume,
    publishes: options.publish,
    signal,
  });
}

function parseAttributes(text: string): 'all' | 'none' | string[] {
  if (text === 'all' || text === 'none') return text;
  return text.split(',').map((name) => name.trim()).filter((name) => name !== ''); // prettier-ignore
}

function resultJson(result: BuildResult): Record<string, unknown> {
  const { manifest, seconds } = result;
  return {
    index: manifest.index,
    version: manifest.version,
    vectors: manifest.count,
    dim: manifest.dim,
    metric: manifest.metric,
    shards: manifest.shards.length,
    bytes: result.bytes,
    seconds,
    stages: result.stages,
    resumed: result.resumed,
    planned: result.planned,
    peak_memory_bytes: result.peakBytes,
    calibrated: result.calibration !== null,
    default_ef: result.calibration === null ? null : defaultEfs(result.calibration),
    figures: manifest.shards.map(({ figures }) => figures),
    rejected: manifest.rejects.total,
    rejects: manifest.rejects.kinds,
    duplicates: manifest.duplicates,
    rejects_file: result.rejectsPath,
    content: manifest.content,
  };
}

function describePlanned({ seconds, peakBytes }: BuildResult, planned: Planned): string {
  const times = (measured: number, foreseen: number): string => (measured / foreseen).toPrecision(2);
  return `planned ${formatDuration(planned.seconds)} and ${formatBytes(planned.memory_bytes)} of memory: it took ${times(seconds, planned.seconds)} and ${times(peakBytes, planned.memory_bytes)} times that`; // prettier-ignore
}

function describe(result: BuildResult): string {
  const { manifest } = result;
  const rate = result.resumed ? '' : ` (${formatCount(Math.round(manifest.count / result.seconds))}/s)`;
  const lines = [
    `built ${manifest.index}@${manifest.version}`,
    `  ${formatCount(manifest.count)} vectors of ${manifest.dim}, ${manifest.metric}, ${formatPlural(manifest.shards.length, 'shard')}, ${formatBytes(result.bytes)}`,
    `  ${formatDuration(result.seconds)}${rate}: ${Object.entries(result.stages).map(([name, seconds]) => `${name} ${formatDuration(seconds)}`).join(', ')}`, // prettier-ignore
  ];
  const figures = formatFigureLine(manifest.shards);
  if (figures !== null) lines.push(`  graph: ${figures} (shortlist inspect explains them)`);
  if (result.calibration !== null) lines.push(`  calibrated: ${calibrationLine(result.calibration)}`);
  if (result.planned !== null) lines.push(`  ${describePlanned(result, result.planned)}`);
  if (manifest.rejects.total > 0) {
    const kinds = Object.entries(manifest.rejects.kinds).map(([kind, count]) => `${formatCount(count)} ${kind}`);
    lines.push(
      `  skipped ${formatPlural(manifest.rejects.total, 'row')}: ${kinds.join(', ')}; listed in ${result.rejectsPath ?? ''}`,
    );
  }
  return lines.join('\n');
}
