import { Command } from 'commander';
import { MAX_EF, MAX_K } from '../../base/limits.js';
import { calibrate, storeCalibration } from '../../evaluate/calibrate/calibrate.js';
import { evaluateVersion, type Evaluation } from '../../evaluate/evaluate.js';
import { GRID_HEADER, gridRow } from '../../evaluate/report.js';
import { openExactSearch } from '../../engine/exact-search.js';
import { resolveVersion } from '../../version/state/catalog.js';
import type { Calibration } from '../../retrieve/load/calibration.js';
import { loadVersion, type LoadedVersion } from '../../retrieve/load/loaded-version.js';
import { calibrationLines } from '../output/calibration-table.js';
import { action, parseTarget, wholeNumber, wholeNumbersOption, type CommandContext } from '../command.js';
import { readQueryFiles } from '../query-file.js';
import { formatPlural } from '../output/progress.js';
import { parseFilterFlag } from '../search-flags.js';
import { formatTable } from '../output/table.js';

const DEFAULT_EFS = [16, 32, 64, 128, 256];

interface EvaluateOptions {
  readonly queries?: string;
  readonly sample: number;
  readonly vectorColumn?: string;
  readonly k: number[];
  readonly ef: number[];
  readonly filter?: string;
  readonly seed: number;
  readonly calibrate?: boolean;
}

export function evaluateCommand(): Command {
  return new Command('evaluate')
    .argument('<index[@version]>', 'version to measure (default: the published one)')
    .description('measure recall against exact search and speed over a grid of k and ef')
    .option('--queries <path>', 'file of query vectors, in any format that build --input takes')
    .option(
      '--sample <n>',
      'without --queries: number of rows of the index to search for; a row is not counted in its own answer',
      wholeNumber(1, 1_000_000),
      1000,
    )
    .option(
      '--vector-column <name>',
      'column of vectors in --queries (default: the one the index was built from, else the only one)',
    )
    .addOption(wholeNumbersOption('-k <list>', 'values of k, comma-separated', MAX_K, [10, 100]))
    .addOption(
      wholeNumbersOption('--ef <list>', 'values of ef, comma-separated; raised to k if smaller', MAX_EF, DEFAULT_EFS),
    )
    .option('--filter <json>', 'search only these items, also in the exact search, such as \'{"price": {"$lt": 50}}\'')
    .option('--seed <n>', 'seed of the sample', wholeNumber(0, 2 ** 31 - 1), 42)
    .option('--calibrate', 'measure and store the ef needed for each recall, for target_recall and the default ef')
    .action(
      action(async (context, options: EvaluateOptions, target: string) => {
        context.refuseWith(['sample', 'seed'], 'queries');
        context.refuseWithout(['vectorColumn'], 'queries');
        const { root, progress, signal, warn } = context;
        const { index, ref } = parseTarget(target);
        const version = await loadVersion(root, index, await resolveVersion(root, index, ref), { signal });
        try {
          const queries =
            options.queries === undefined
              ? null
              : await readQueryFiles([options.queries], version.manifest, options.vectorColumn, { signal, warn });
          const calibration = options.calibrate === true ? await recalibrate(context, version, queries?.vectors) : null;
          const evaluation = await evaluateVersion(root, version, {
            queries: queries?.vectors ?? null,
            sample: options.sample,
            seed: options.seed,
            ks: options.k,
            efs: options.ef,
            signal,
            ...(options.filter !== undefined && {
              filter: parseFilterFlag('--filter', options.filter),
            }),
            onProgress: (stage, done, total, unit) => progress.update(stage, done, total, unit),
          });
          return {
            json: {
              index,
              version: version.manifest.version,
              ...evaluation,
              ...(calibration !== null && { calibration }),
            },
            text: [describe(evaluation), ...(calibration === null ? [] : calibrationLines(calibration))].join('\n'),
          };
        } finally {
          version.close();
        }
      }),
    );
}

/** Measures and stores the calibration, with the queries of the file if there is one. */
async function recalibrate(
  { root, progress, signal }: CommandContext,
  version: LoadedVersion,
  queries: Float32Array | undefined,
): Promise<Calibration> {
  const pool = openExactSearch();
  try {
    const onProgress = (stage: string, done: number, total: number, unit: string): void =>
      progress.update(stage, done, total, unit);
    const calibration = await calibrate(version, { pool, queries, root, signal, onProgress });
    await storeCalibration(root, version.manifest, calibration);
    await version.refreshCalibration(); // so that the grid marks the new default ef
    return calibration;
  } finally {
    await pool.close();
  }
}

function describe({ queries, selectivity, points }: Evaluation): string {
  const rows = points.map(gridRow);
  const columns = GRID_HEADER.map((title, position) => ({
    title,
    value: (row: string[]) => row[position]!,
    align: 'right' as const,
  }));
  const among =
    selectivity === undefined
      ? ''
      : ` among the ${Number((100 * selectivity).toPrecision(3))} % of the rows that pass the filter`;
  return `${formatTable(columns, rows)}\n${formatPlural(queries, 'query', 'queries')}, one thread; recall by distance against exact search${among}\n*: default ef; by id: share of the ids of the exact answer that are found; worst: recall of the worst query; QPS: searches per second`;
}
