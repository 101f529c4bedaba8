import { Command } from 'commander';
import { readCurrent } from '../../version/state/catalog.js';
import { readEntries, type HistoryEntry } from '../../version/state/history.js';
import { action, wholeNumber } from '../command.js';
import { unlessAborted } from '../interrupt.js';
import { withRoot } from '../root.js';
import { formatHanging } from '../output/table.js';

interface HistoryOptions {
  readonly last?: number;
}

const HELP = `
Times are UTC. A refusal is a publish that the gate stopped; the version
published before remained published.`;

export function historyCommand(): Command {
  return new Command('history')
    .argument('<index>', 'index')
    .description('show every publish, rollback and refusal with time, user and reason, newest last')
    .option('--last <n>', 'show only the newest n', wholeNumber(1, 10_000))
    .addHelpText('after', HELP)
    .action(
      action(
        async ({ root: given, signal, warn }, { last }: HistoryOptions, index: string) => {
          const [{ entries: all, damage }, move] = await withRoot(given, ({ root, files }) =>
            unlessAborted(Promise.all([readEntries(root, index, files), readCurrent(root, index, files)]), signal),
          );
          if (damage !== null) warn(`refusals are not shown: ${damage.message}`);
          const entries = last === undefined ? all : all.slice(-last);
          const current = move?.version ?? null;
          const text = entries.map((entry) => describe(entry, entry === newestMove(entries))).join('\n');
          const none = `no version of ${index} was ever published or refused; publish one with: shortlist publish ${index}@VERSION`;
          return { json: { index, current, entries }, text: text === '' ? none : text };
        },
        { takesStores: true },
      ),
    );
}

function newestMove(entries: readonly HistoryEntry[]): HistoryEntry | undefined {
  return entries.findLast(({ action: what }) => what !== 'refuse');
}

const ACTIONS: Readonly<Record<HistoryEntry['action'], string>> = {
  publish: 'publish',
  rollback: 'rollback',
  refuse: 'REFUSED',
};

function describe(entry: HistoryEntry, isCurrent: boolean): string {
  const { action: what, version, previous, at, reason, who } = entry;
  const before = what === 'refuse' ? `${previous ?? 'nothing'} stayed` : `before: ${previous ?? 'nothing'}`;
  const parts = [
    `${version}${isCurrent ? ' (current)' : ''}`,
    before,
    ...(entry.refused_by === undefined ? [] : [entry.refused_by]),
    ...(entry.forced === undefined ? [] : [`forced although ${entry.forced}`]),
    ...(entry.warned === undefined ? [] : [`warned: ${entry.warned.join(', ')}`]),
    ...(entry.new_embedding === true ? ['new embedding'] : []),
    ...(who === null ? [] : [`by ${who}`]),
    ...(reason === null ? [] : [`reason: ${reason}`]),
  ];
  const time = at.slice(0, 19).replace('T', ' ');
  return formatHanging(`${time}  ${ACTIONS[what].padEnd(8)}  `, parts.join('; '));
}
