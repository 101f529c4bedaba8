import { Command, Option } from 'commander';
import { exportVersion } from '../../export/export-version.js';
import { resolveVersion } from '../../version/state/catalog.js';
import { action, parseTarget } from '../command.js';
import { formatBytes, formatDuration, formatPlural } from '../output/progress.js';

interface ExportCommandOptions {
  readonly format: 'hnswlib';
  readonly out: string;
}

export function exportCommand(): Command {
  return new Command('export')
    .argument('<index[@version]>', 'version to export (default: the published one)')
    .description('write a version as files that other libraries can load')
    .addOption(new Option('--format <name>', 'library whose format to write').choices(['hnswlib']).default('hnswlib'))
    .requiredOption(
      '--out <dir>',
      'folder to create, with a graph and an id table per shard, and export.json (required)',
    )
    .action(
      action(async ({ root, progress, signal }, options: ExportCommandOptions, target: string) => {
        const { format, out } = options;
        const { index, ref } = parseTarget(target);
        const version = await resolveVersion(root, index, ref);
        const started = performance.now();
        const { description, files } = await exportVersion(root, index, version, out, {
          signal,
          onProgress: (stage, done, total) => progress.update(stage, done, total, 'bytes'),
        });
        const seconds = (performance.now() - started) / 1000;
        const { count, dim, space } = description;
        const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
        const text = [
          `exported ${index}@${version} to ${out}`,
          `  ${formatPlural(count, 'vector')} of ${dim}, ${formatPlural(files.length, 'file')}, ${formatBytes(bytes)}, ${formatDuration(seconds)}`,
          `load them with space '${space}' and dim ${dim}; export.json has all details`,
        ].join('\n');
        return { json: { index, version, format, out, files, seconds }, text };
      }),
    );
}
