import { Command } from 'commander';
import { rollback } from '../../version/state/publish.js';
import { action } from '../command.js';
import { HISTORY_NOT_WRITTEN } from '../output/published.js';
import { withRoot } from '../root.js';
import { runningUser } from '../running-user.js';

interface RollbackOptions {
  readonly to?: string;
  readonly dryRun?: boolean;
  readonly reason?: string;
}

export function rollbackCommand(): Command {
  return new Command('rollback')
    .argument('<index>', 'index to roll back')
    .description('publish the previous version again')
    .option('--to <version>', 'version to go back to; it must have been published before (default: the previous one)')
    .option('--reason <text>', 'reason to record in HISTORY')
    .option('--dry-run', 'check everything and show what would happen; change nothing')
    .action(
      action(
        async (context, options: RollbackOptions, index: string) => {
          const dryRun = options.dryRun ?? false;
          const { to, reason } = options;
          const how = { to, reason, who: runningUser(), dryRun, signal: context.signal };
          const moved = await withRoot(context.root, async ({ root, store }) => {
            if (store === null) return rollback(root, index, how);
            const { rollbackInStore } = await import('../../store/moves.js');
            return rollbackInStore(store, index, how);
          });
          for (const version of moved.skipped)
            context.warn(`${version} was published before but is skipped: it no longer exists or is damaged`);
          if (!moved.recorded) context.warn(HISTORY_NOT_WRITTEN);
          const json = {
            index,
            version: moved.version,
            previous: moved.previous,
            skipped: moved.skipped,
            ...(dryRun && { dry_run: true }),
          };
          if (!moved.changed) return { json, text: `${index} already serves ${moved.version}` };
          const verb = dryRun ? 'would serve' : 'now serves';
          return { json, text: `${index} ${verb} ${moved.version} (before: ${moved.previous ?? 'nothing'})` };
        },
        { takesStores: true },
      ),
    );
}
