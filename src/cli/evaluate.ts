import { Command } from 'commander';
import { MAX_EF, MAX_K } from '../base/limits.js';
import { evaluateVersion, type Evaluation } from '../evaluate/evaluate.js';
import { GRID_HEADER, gridRow } from '../evaluate/report.js';
import { resolveVersion } from '../version/catalog.js';
import { loadVersion } from '../retrieve/loaded-version.js';
import { action, parseTarget, wholeNumber, wholeNumbers } from './command.js';
import { readQueryFiles } from './query-file.js';
import { formatPlural } from './progress.js';
import { formatTable } from './table.js';

interface EvaluateOptions {
  readonly queries?: string;
  readonly sample: number;
  readonly vectorColumn?: string;
  readonly k: number[];
  readonly ef: number[];
  readonly seed: number;
}

export function evaluateCommand(): Command {
  return new Command('evaluate')
    .argument('<index[@version]>', 'what to measure; without a version the published one')
    .description('measure recall against exact search, and speed, over a grid of k and ef')
    .option('--queries <path>', 'Arrow file of query vectors')
    .option(
      '--sample <n>',
      'without --queries: this many rows of the index, each left out of its own answer',
      wholeNumber(1, 1_000_000),
      1000,
    )
    .option(
      '--vector-column <name>',
      'column of vectors in --queries (default: the column that the index was built from, else the only one)',
    )
    .option('-k <list>', 'values of k', wholeNumbers(1, MAX_K), [10, 100])
    .option('--ef <list>', 'values of ef; one below k counts as k', wholeNumbers(1, MAX_EF), [16, 32, 64, 128, 256])
    .option('--seed <n>', 'seed of the sample', wholeNumber(0, 2 ** 31 - 1), 42)
    .action(
      action(async ({ root, progress }, options: EvaluateOptions, target: string) => {
        const { index, ref } = parseTarget(target);
        const version = await loadVersion(root, index, await resolveVersion(root, index, ref));
        try {
          const queries =
            options.queries === undefined
              ? null
              : await readQueryFiles([options.queries], version.manifest, options.vectorColumn);
          const evaluation = await evaluateVersion(root, version, {
            queries: queries?.vectors ?? null,
            sample: options.sample,
            seed: options.seed,
            ks: options.k,
            efs: options.ef,
            onProgress: (stage, done, total, unit) => progress.update(stage, done, total, unit),
          });
          return { json: { index, version: version.manifest.version, ...evaluation }, text: describe(evaluation) };
        } finally {
          version.close();
        }
      }),
    );
}

function describe({ queries, points }: Evaluation): string {
  const rows = points.map(gridRow);
  const columns = GRID_HEADER.map((title, position) => ({
    title,
    value: (row: string[]) => row[position]!,
    align: 'right' as const,
  }));
  return `${formatTable(columns, rows)}\n${formatPlural(queries, 'query', 'queries')}, one thread; recall by distance against exact search`;
}
