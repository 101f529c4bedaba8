import { Command } from 'commander';
import { MAX_EF, MAX_K } from '../base/limits.js';
import { diffVersions, type Change, type VersionDiff } from '../evaluate/diff.js';
import { formatRecall } from '../evaluate/report.js';
import { loadVersion } from '../retrieve/loaded-version.js';
import { resolveVersion } from '../version/catalog.js';
import { action, wholeNumber, wholeNumbers } from './command.js';
import { readQueryFiles } from './query-file.js';
import { formatTable } from './table.js';

interface DiffCommandOptions {
  readonly queries: string[];
  readonly vectorColumn?: string;
  readonly k: number[];
  readonly ef?: number;
}

export function diffCommand(): Command {
  return new Command('diff')
    .argument('<index>', 'index')
    .argument('<v1>', 'version or alias to compare from')
    .argument('<v2>', 'version or alias to compare to')
    .description('show how the candidates differ between two versions')
    .requiredOption('--queries <path...>', 'Arrow files of query vectors')
    .option('--vector-column <name>', 'column of vectors in --queries')
    .option('-k <list>', 'values of k', wholeNumbers(1, MAX_K), [10, 100])
    .option('--ef <n>', 'size of the candidate list (default: max(200, 2k))', wholeNumber(1, MAX_EF))
    .action(
      action(async ({ root, progress, warn }, options: DiffCommandOptions, index: string, v1: string, v2: string) => {
        const before = await loadVersion(root, index, await resolveVersion(root, index, v1));
        const after = await loadVersion(root, index, await resolveVersion(root, index, v2));
        try {
          const { vectors } = await readQueryFiles(options.queries, before.manifest, options.vectorColumn, warn);
          const diff = diffVersions(before, after, vectors, {
            ks: options.k,
            ef: options.ef,
            onProgress: (done, total) => progress.update('diff', done, total, 'queries'),
          });
          const names = { index, from: before.manifest.version, to: after.manifest.version };
          return { json: { ...names, ...diff }, text: describe(diff) };
        } finally {
          before.close();
          after.close();
        }
      }),
    );
}

function describe({ queries, points, same_first: sameFirst, entered, left }: VersionDiff): string {
  const table = formatTable(
    [
      { title: 'k', value: (point) => String(point.k), align: 'right' },
      { title: 'overlap', value: (point) => formatRecall(point.overlap), align: 'right' },
    ],
    points,
  );
  const first = `${queries} queries; the best candidate is the same for ${sameFirst}`;
  return [table, first, describeChange('entered', entered), describeChange('left', left)].join('\n');
}

function describeChange(verb: string, { total, ids }: Change): string {
  const listed = ids.map(({ id, queries }) => `${id} (${queries})`).join(', ');
  return `${total} ids ${verb}${total === 0 ? '' : `, in most queries: ${listed}`}`;
}
