import { Command } from 'commander';
import { ShortlistError } from '../../base/errors.js';
import { listVersions, surveyAliases } from '../../version/state/catalog.js';
import { removeAlias, setAlias, type AliasChange } from '../../version/state/publish.js';
import { action, type CommandContext, type CommandResult } from '../command.js';
import { unlessAborted } from '../interrupt.js';
import { formatTable } from '../output/table.js';
import { withRoot, type OpenRoot } from '../root.js';

interface AliasOptions {
  readonly remove?: boolean;
  readonly dryRun?: boolean;
}

export function aliasCommand(): Command {
  return new Command('alias')
    .argument('<index>', 'index')
    .argument('[name]', 'alias, such as canary (default: list all aliases)')
    .argument('[version]', 'version that the alias points to; required unless --remove')
    .description('set or remove an alias, a second name under which a version is served, or list all aliases')
    .option('--remove', 'remove the alias')
    .option('--dry-run', 'check everything and show what would happen; change nothing')
    .action(
      action(
        (context, options: AliasOptions, index: string, alias?: string, version?: string) => {
          const { root, signal } = context;
          if (alias !== undefined) {
            return withRoot(root, (opened) => changeAlias(opened, signal, options, index, alias, version));
          }
          if (options.remove !== true) {
            return withRoot(root, (opened) => unlessAborted(listAliases(context, opened, index), signal));
          }
          throw new ShortlistError('usage', 'no alias is given; give the alias to remove, see shortlist alias --help');
        },
        { takesStores: true },
      ),
    );
}

async function changeAlias(
  opened: OpenRoot,
  signal: AbortSignal,
  options: AliasOptions,
  index: string,
  alias: string,
  version: string | undefined,
): Promise<CommandResult> {
  const dryRun = options.dryRun ?? false;
  if ((version !== undefined) === (options.remove ?? false)) {
    throw new ShortlistError('usage', 'give either a version for the alias or --remove; see shortlist alias --help');
  }
  const change = await writeAlias(opened, index, alias, version, { dryRun, signal });
  const before = change.previous === null ? '' : ` (before: ${change.previous})`;
  const text =
    change.version === null
      ? `alias ${alias} of ${index} ${dryRun ? 'would be' : 'is'} removed${before}`
      : `alias ${alias} of ${index} ${dryRun ? 'would point to' : 'points to'} ${change.version}${before}`;
  return { json: { ...change, ...(dryRun && { dry_run: true }) }, text };
}

/** @param version undefined: the alias is removed */
async function writeAlias(
  { root, store }: OpenRoot,
  index: string,
  alias: string,
  version: string | undefined,
  options: { readonly dryRun: boolean; readonly signal: AbortSignal },
): Promise<AliasChange> {
  if (store === null) {
    return version === undefined
      ? removeAlias(root, index, alias, options)
      : setAlias(root, index, alias, version, options);
  }
  const { removeAliasInStore, setAliasInStore } = await import('../../store/aliases.js');
  return version === undefined
    ? removeAliasInStore(store, index, alias, options)
    : setAliasInStore(store, index, alias, version, options);
}

async function listAliases(context: CommandContext, { root, files }: OpenRoot, index: string): Promise<CommandResult> {
  const versions = new Set((await listVersions(root, index, files)).map(({ version }) => version));
  const { aliases: named, damaged } = await surveyAliases(root, index, files);
  for (const error of damaged.values()) context.warn(error.message);
  const aliases = Object.entries(named).map(([alias, version]) => ({ alias, version, exists: versions.has(version) }));
  const table = formatTable<(typeof aliases)[number]>(
    [
      { title: 'alias', value: (row) => row.alias },
      { title: 'version', value: (row) => row.version, noWrap: true },
      ...(aliases.every(({ exists }) => exists)
        ? []
        : [{ title: 'exists', value: ({ exists }: { exists: boolean }) => (exists ? 'yes' : 'NO') }]),
    ],
    aliases,
  );
  const none = `${index} has no aliases; set one with: shortlist alias ${index} NAME VERSION`;
  return {
    json: { index, aliases, damaged: [...damaged.keys()] },
    text: aliases.length === 0 ? none : table,
  };
}
