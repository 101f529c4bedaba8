import { Command } from 'commander';
import { prune } from '../version/prune.js';
import { action, wholeNumber } from './command.js';
import { warnOfDamage } from './list.js';
import { formatPlural } from './progress.js';

interface PruneOptions {
  readonly keep: number;
  readonly dryRun?: boolean;
}

export function pruneCommand(): Command {
  return new Command('prune')
    .argument('<index>', 'index to prune')
    .description('delete old versions, never one that CURRENT or an alias names')
    .requiredOption('--keep <n>', 'how many of the newest versions to keep', wholeNumber(1, 10_000))
    .option('--dry-run', 'say what would be deleted, delete nothing')
    .action(
      action(async (context, options: PruneOptions, index: string) => {
        const dryRun = options.dryRun ?? false;
        const { deleted, kept, damaged } = await prune(context.root, index, { keep: options.keep, dryRun });
        warnOfDamage(context, index, damaged);
        const verb = dryRun ? 'would delete' : 'deleted';
        const lines = deleted.map((version) => `${verb} ${version}`);
        const text =
          deleted.length === 0
            ? `nothing to delete: the newest ${options.keep}, CURRENT's and those with an alias stay, ${formatPlural(kept.length, 'version')}`
            : lines.join('\n');
        return { json: { index, deleted, kept, damaged, ...(dryRun && { dry_run: true }) }, text };
      }),
    );
}
