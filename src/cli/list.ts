import { Command } from 'commander';
import { listIndexes, listVersions, readAliases, readCurrent } from '../version/catalog.js';
import { action, type CommandContext, type CommandResult } from './command.js';
import { formatBytes, formatCount } from './progress.js';
import { formatTable } from './table.js';

export function listCommand(): Command {
  return new Command('list')
    .argument('[index]', 'list the versions of this index instead of the indexes')
    .description('list indexes, or the versions of one')
    .action(action((context, _options, index?: string) => (index ? listVersionsOf(context, index) : listAll(context))));
}

async function listAll({ root }: CommandContext): Promise<CommandResult> {
  const names = await listIndexes(root);
  const indexes = await Promise.all(
    names.map(async (index) => {
      const versions = await listVersions(root, index);
      const current = await readCurrent(root, index);
      const live = versions.find(({ version }) => version === current?.version);
      return {
        index,
        current: current?.version ?? null,
        versions: versions.length,
        vectors: live?.manifest.count ?? null,
      };
    }),
  );
  const table = formatTable(
    [
      { title: 'index', value: (row) => row.index },
      { title: 'current', value: (row) => row.current ?? '(none published)' },
      { title: 'vectors', value: (row) => (row.vectors === null ? '' : formatCount(row.vectors)), align: 'right' },
      { title: 'versions', value: (row) => String(row.versions), align: 'right' },
    ],
    indexes,
  );
  return {
    json: { indexes },
    text: indexes.length === 0 ? `no index in ${root}; make one with: shortlist build` : table,
  };
}

async function listVersionsOf({ root }: CommandContext, index: string): Promise<CommandResult> {
  const [found, current, aliases] = [
    await listVersions(root, index),
    await readCurrent(root, index),
    await readAliases(root, index),
  ];
  const versions = found.map(({ version, manifest }) => ({
    version,
    current: version === current?.version,
    aliases: Object.keys(aliases).filter((alias) => aliases[alias] === version),
    vectors: manifest.count,
    dim: manifest.dim,
    metric: manifest.metric,
    engine: manifest.engine.name,
    shards: manifest.shards.length,
    bytes: manifest.files.reduce((sum, file) => sum + file.bytes, 0),
    created_at: manifest.created_at,
  }));
  const table = formatTable(
    [
      { title: 'version', value: (row) => row.version },
      { title: 'names', value: (row) => [...(row.current ? ['current'] : []), ...row.aliases].join(', ') },
      { title: 'vectors', value: (row) => formatCount(row.vectors), align: 'right' },
      { title: 'dim', value: (row) => String(row.dim), align: 'right' },
      { title: 'metric', value: (row) => row.metric },
      { title: 'engine', value: (row) => row.engine },
      { title: 'size', value: (row) => formatBytes(row.bytes), align: 'right' },
      { title: 'created', value: (row) => row.created_at },
    ],
    versions,
  );
  return { json: { index, versions }, text: versions.length === 0 ? `index ${index} has no version` : table };
}
