import { Command } from 'commander';
import { ShortlistError } from '../base/errors.js';
import { removeAlias, setAlias } from '../version/publish.js';
import { action } from './command.js';

interface AliasOptions {
  readonly remove?: boolean;
  readonly dryRun?: boolean;
}

export function aliasCommand(): Command {
  return new Command('alias')
    .argument('<index>', 'index')
    .argument('<name>', 'alias, such as canary')
    .argument('[version]', 'version that the alias names; required unless --remove')
    .description('give a version a second name that is served beside the current one')
    .option('--remove', 'remove the alias')
    .option('--dry-run', 'check everything and say what would happen, change nothing')
    .action(
      action(async ({ root }, options: AliasOptions, index: string, alias: string, version?: string) => {
        const dryRun = options.dryRun ?? false;
        if ((version !== undefined) === (options.remove ?? false)) {
          throw new ShortlistError('usage', 'give a version for the alias, or --remove; see shortlist alias --help');
        }
        const change =
          version === undefined
            ? await removeAlias(root, index, alias, { dryRun })
            : await setAlias(root, index, alias, version, { dryRun });
        const text =
          change.version === null
            ? `alias ${alias} of ${index} ${dryRun ? 'would be' : 'is'} removed; it named ${change.previous ?? 'nothing'}`
            : `alias ${alias} of ${index} ${dryRun ? 'would name' : 'names'} ${change.version}`;
        return { json: { ...change, ...(dryRun && { dry_run: true }) }, text };
      }),
    );
}
