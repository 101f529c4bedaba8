import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { ShortlistError } from '../../base/errors.js';
import { DEFAULT_TARGET_RECALL, findCalibration, type CalibrationState } from '../../retrieve/load/calibration.js';
import {
  listIndexes,
  listVersions,
  readAliases,
  readCurrent,
  readHistory,
  surveyVersions,
} from '../../version/state/catalog.js';
import { readVersionStatuses, type Status } from '../../version/state/version-status.js';
import { defaultEfs } from '../output/calibration-table.js';
import { action, type CommandContext, type CommandResult } from '../command.js';
import { unlessAborted } from '../interrupt.js';
import { withRoot, type OpenRoot } from '../root.js';
import { formatBytes, formatCount } from '../output/progress.js';
import { formatHanging, formatTable, screenWidth, type TableColumn } from '../output/table.js';

export function listCommand(): Command {
  return new Command('list')
    .argument('[index]', 'index whose versions to list (default: list all indexes)')
    .description('list all indexes, or the versions of one index')
    .action(
      action(
        (context, _options, index?: string) =>
          withRoot(context.root, (opened) => {
            const listing = index === undefined ? listAll(context, opened) : listVersionsOf(context, opened, index);
            return unlessAborted(listing, context.signal);
          }),
        { takesStores: true },
      ),
    );
}

async function listAll(context: CommandContext, opened: OpenRoot): Promise<CommandResult> {
  const { root, files, store } = opened;
  const names = await listIndexes(root, files);
  const indexes = await Promise.all(names.map((index) => describeIndex(context, opened, index)));
  const table = formatTable(
    [
      { title: 'index', value: (row) => row.index },
      {
        title: 'current',
        value: (row) => row.current ?? (row.error === null ? '(none published)' : '(damaged)'),
        noWrap: true,
      },
      { title: 'vectors', value: (row) => (row.vectors === null ? '' : formatCount(row.vectors)), align: 'right' },
      { title: 'versions', value: (row) => String(row.versions), align: 'right' },
    ],
    indexes,
  );
  const none = store !== null || existsSync(root) ? `no index in ${root}` : `the root ${root} does not exist`;
  const remedy = `create one with: shortlist ${store === null ? 'build' : 'push'}`;
  return { json: { indexes }, text: indexes.length === 0 ? `${none}; ${remedy}` : table };
}

/** A damaged CURRENT must not hide the other indexes. */
async function describeIndex(context: CommandContext, { root, files }: OpenRoot, index: string) {
  const versions = await listVersions(root, index, files);
  let [current, error]: [string | null, { code: string; message: string } | null] = [null, null];
  try {
    current = (await readCurrent(root, index, files))?.version ?? null;
  } catch (cause) {
    if (!(cause instanceof ShortlistError)) throw cause;
    error = { code: cause.code, message: cause.message };
    context.warn(cause.message);
  }
  const currentVersion = versions.find(({ version }) => version === current);
  return { index, current, versions: versions.length, vectors: currentVersion?.manifest.count ?? null, error };
}

/** A version with a damaged manifest is not listed and never deleted: a person must examine it. */
export function warnDamaged(context: CommandContext, index: string, damaged: readonly string[]): void {
  for (const version of damaged) {
    context.warn(
      `${index}@${version} is damaged and is ignored; examine it with: shortlist verify ${index}@${version}`,
    );
  }
}

/** Meanings of the values in the column `state`. */
const STATES: Readonly<Record<Status, string>> = {
  current: 'published now',
  published: 'published before',
  refused: 'refused by the gate, see: shortlist history',
  new: 'never published',
};

async function listVersionsOf(
  context: CommandContext,
  { root, files }: OpenRoot,
  index: string,
): Promise<CommandResult> {
  const survey = await surveyVersions(root, index, files);
  const damaged = survey.damaged.map(({ version }) => version);
  warnDamaged(context, index, damaged);
  const aliases = await readAliases(root, index, files);
  const names = survey.versions.map(({ version }) => version);
  const current = (await readCurrent(root, index, files))?.version ?? null;
  const moves = await readHistory(root, index, files);
  const statuses = await readVersionStatuses(root, index, names, { current, moves }, files);
  const calibrations = await Promise.all(names.map((version) => findCalibration(root, index, version, files)));
  const versions = survey.versions.map(({ version, manifest }, position) => ({
    version,
    state: statuses[position]!.status,
    current: statuses[position]!.status === 'current',
    aliases: Object.keys(aliases).filter((alias) => aliases[alias] === version),
    vectors: manifest.count,
    dim: manifest.dim,
    metric: manifest.metric,
    engine: manifest.engine.name,
    shards: manifest.shards.length,
    bytes: manifest.files.reduce((sum, file) => sum + file.bytes, 0),
    created_at: manifest.created_at,
    default_ef: defaultEfsOf(calibrations[position]!),
  }));
  type Row = (typeof versions)[number];
  const aliasColumn: TableColumn<Row> = { title: 'aliases', value: (row) => row.aliases.join(', ') };
  const dimColumn: TableColumn<Row> = { title: 'dim', value: (row) => String(row.dim), align: 'right' };
  const table = formatTable<Row>(
    [
      { title: 'version', value: (row) => row.version, noWrap: true },
      { title: 'state', value: (row) => row.state, noWrap: true },
      ...(versions.some((row) => row.aliases.length > 0) ? [aliasColumn] : []),
      { title: 'vectors', value: (row) => formatCount(row.vectors), align: 'right' },
      ...(versions.some((row) => row.dim !== versions[0]!.dim) ? [dimColumn] : []),
      { title: 'size', value: (row) => formatBytes(row.bytes), align: 'right' },
      { title: 'ef', value: (row) => (row.default_ef === null ? '-' : Object.values(row.default_ef).join('/')) },
    ],
    versions,
    screenWidth(),
  );
  const states = (Object.keys(STATES) as Status[]).filter((state) => versions.some((row) => row.state === state));
  const legend = formatHanging('states: ', states.map((state) => `${state} = ${STATES[state]}`).join('; '));
  const ks = Object.keys(versions.find(({ default_ef }) => default_ef !== null)?.default_ef ?? {});
  const note = ks.length === 0 ? '' : `\nef: default ef for recall ${DEFAULT_TARGET_RECALL} at k ${ks.join('/')}`;
  const text = versions.length === 0 ? `index ${index} has no versions` : `${table}\n${legend}${note}`;
  return { json: { index, versions, damaged }, text };
}

/** Null if the version has no usable calibration. */
function defaultEfsOf({ calibration }: CalibrationState): Record<string, number> | null {
  return calibration === null ? null : defaultEfs(calibration);
}
