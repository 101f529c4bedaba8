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
What stays, whatever N is: the published version, the one it replaced, the one a
rollback would go to, and those that an alias names. Besides those the newest N
that were published; and of those that never were, refused ones among them, the
newest N that are not older than all of these.`;

/** Why a version stays, in words. */
const REASONS: Readonly<Record<KeepReason, string>> = {
  current: 'is published',
  alias: 'has an alias',
  rollback: 'is where a rollback goes',
  replaced: 'was published until the last move, and servers may serve it still',
  published: 'is among the newest that were published',
  unpublished: 'is among the newest that never were published',
};

export function pruneCommand(): Command {
  return new Command('prune')
    .argument('<index>', 'index to prune')
    .description('delete old versions, and what killed builds have left')
    .requiredOption('--keep <n>', 'how many of the versions that were published to keep', wholeNumber(1, 10_000))
    .option('--dry-run', 'check everything and say what would be deleted, delete nothing')
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
            ? `nothing to delete of ${formatPlural(kept.length, 'version')}`
            : `${verb} ${formatPlural(deleted.length, 'version')} of ${formatPlural(deleted.length + kept.length, 'version')}, ${formatBytes(bytes)}`,
        ].join('\n');
        return { json, text };
      }),
    );
}
