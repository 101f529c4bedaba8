/** The flags of commands that read an input and decide the bytes of a version: `build` and `plan-build`. */
import { Option, type Command } from 'commander';
import { MAX_DIM, MAX_EF_CONSTRUCTION, MAX_M, MAX_SHARDS, MIN_M } from '../base/limits.js';
import { METRICS, type Metric } from '../base/metric.js';
import { DEFAULT_MAX_REJECTED, type VersionOptions } from '../builder/build-options.js';
import { ENGINE_NAMES } from '../engine/engines.js';
import type { EngineName } from '../engine/engine.js';
import { numberBetween, wholeNumber } from './command.js';

export interface BuildFlags {
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
  readonly dim?: number;
  readonly castDecimals?: boolean;
  readonly onBadRow: 'fail' | 'skip';
  readonly maxRejected: number;
}

export function addBuildFlags(command: Command): Command {
  return command
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
    .addOption(
      new Option('--on-bad-row <what>', 'what to do about invalid rows').choices(['fail', 'skip']).default('fail'),
    )
    .option(
      '--max-rejected <share>',
      'with --on-bad-row skip: fail if a larger share of the rows is invalid, from 0 to 1',
      numberBetween(0, 1),
      DEFAULT_MAX_REJECTED,
    );
}

export function versionOptions(index: string, flags: BuildFlags): VersionOptions {
  return {
    index,
    attributes: parseAttributes(flags.attributes),
    metric: flags.metric,
    shards: flags.shards,
    engine: flags.engine,
    parameters: { m: flags.m, efConstruction: flags.efConstruction, seed: flags.seed },
    dim: flags.dim,
    castDecimals: flags.castDecimals,
    onBadRow: flags.onBadRow,
    maxRejected: flags.maxRejected,
  };
}

function parseAttributes(text: string): 'all' | 'none' | string[] {
  if (text === 'all' || text === 'none') return text;
  return text.split(',').map((name) => name.trim()).filter((name) => name !== ''); // prettier-ignore
}
