import { Command } from 'commander';
import { prune, type KeepReason } from '../../version/state/prune.js';
import { action, wholeNumber } from '../command.js';
import { warnDamaged } from './list.js';
import { formatBytes, formatPlural } from '../output/progress.js';

interface PruneOptions {
  readonly keep: number;
  readonly dryRun?: boolean;
}

const HELP = `
These versions are always kept: the published one, the one it replaced, the
target of a rollback, and those with an alias. In addition, prune keeps the
N most recently published versions, and the newest N versions that were refused
or never published, if they are newer than the oldest of these published ones.`;

const REASONS: Readonly<Record<KeepReason, string>> = {
  current: 'is published',
  alias: 'has an alias',
  rollback: 'is the target of a rollback',
  replaced: 'was published until the last change, so servers may still serve it',
  published: 'is among the newest published versions',
  unpublished: 'is among the newest unpublished versions',
};

export function pruneCommand(): Command {
  return new Command('prune')
    .argument('<index>', 'index to prune')
    .description('delete old versions and the remains of killed builds')
    .requiredOption('--keep <n>', 'number of published versions to keep (required)', wholeNumber(1, 10_000))
    .option('--dry-run', 'check everything and show what would be deleted; delete nothing')
    .addHelpText('after', HELP)
    .action(
      action(async (context, options: PruneOptions, index: string) => {
        const { root, signal } = context;
        const dryRun = options.dryRun ?? false;
        const { deleted, kept, damaged, bytes } = await prune(root, index, { keep: options.keep, dryRun, signal });
        warnDamaged(context, index, damaged);
        const json = {
          index,
          deleted,
          kept: kept.map(({ version }) => version),
          kept_because: Object.fromEntries(kept.map(({ version, reason }) => [version, reason])),
          damaged,
          bytes,
          ...(dryRun && { dry_run: true }),
        };
        const verb = dryRun ? 'would delete' : 'deleted';
        const text = [
          ...kept.map(({ version, reason }) => `keep ${version}: ${REASONS[reason]}`),
          ...deleted.map((version) => `${verb} ${version}`),
          deleted.length === 0
            ? `nothing to delete; ${formatPlural(kept.length, 'version')} kept`
            : `${verb} ${formatPlural(deleted.length, 'version')} of ${formatPlural(deleted.length + kept.length, 'version')}, ${formatBytes(bytes)}`,
        ].join('\n');
        return { json, text };
      }),
    );
}
