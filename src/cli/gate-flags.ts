/** The flags of commands that run the gate. */
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { ShortlistError } from '../base/errors.js';
import { MAX_REASON_LENGTH } from '../version/state/state.js';
import type { GateOptions } from '../gate/gate.js';
import { DEFAULT_MIN_RECALL } from '../gate/checks.js';
import { numberBetween, type CommandContext } from './command.js';
import { parseFilterFlag } from './search-flags.js';

export interface GateFlags {
  readonly minRecall?: number;
  readonly queries?: string[];
  readonly queryColumn?: string;
  readonly gateFilter?: unknown[];
  readonly newEmbedding?: boolean;
}

export interface PublishFlags extends GateFlags {
  readonly force?: boolean;
  readonly reason?: string;
}

/**
 * @param when begins each description, as in `with --publish: `
 * @param remembers whether --queries is written to gate.json
 */
export function addGateFlags(command: Command, when = '', remembers = false): Command {
  const remembered = remembers ? '; remembered in gate.json' : '';
  return command
    .option(
      '--queries <path...>',
      `${when}files of recorded queries, in any format of --input, for the overlap${remembered}`,
    )
    .option(
      '--query-column <name>',
      `${when}column of vectors in --queries (default: that of the index; of HDF5, the dataset test)`,
    )
    .addOption(
      new Option('--gate-filter <json>', `${when}a filter whose recall the gate measures; may be repeated`).argParser(
        collectFilters,
      ),
    )
    .option(
      '--min-recall <r>',
      `${when}least recall at each k to pass the gate (default: gate.json, else ${DEFAULT_MIN_RECALL})`,
      numberBetween(0, 1),
    )
    .option('--new-embedding', `${when}the vectors come from a new model: do not compare them with the live version`);
}

export function addPublishFlags(command: Command, when = ''): Command {
  return addGateFlags(command, when, true)
    .option('--force', `${when}publish even if the gate refuses (not if files are damaged); needs --reason`)
    .option('--reason <text>', `${when}reason to record in HISTORY (at most ${MAX_REASON_LENGTH} characters)`);
}

/** Names of the flags in commander's camel case, for flags that need another one. */
export const PUBLISH_FLAGS: readonly (keyof PublishFlags)[] = ['minRecall', 'queries', 'queryColumn', 'gateFilter', 'newEmbedding', 'force', 'reason']; // prettier-ignore

function collectFilters(text: string, before: unknown): unknown[] {
  const filters = Array.isArray(before) ? (before as unknown[]) : [];
  return [...filters, parseFilterFlag('--gate-filter', text)];
}

/** Whoever overrules the gate says why. @throws usage */
export function requireReason({ force, reason }: PublishFlags): void {
  if (force !== true || (reason !== undefined && reason.trim() !== '')) return;
  throw new ShortlistError('usage', '--force needs --reason "why", which history shows', { option: '--reason' });
}

export function gateOptions(context: CommandContext, flags: GateFlags): GateOptions {
  context.refuseWithout(['queryColumn'], 'queries');
  return {
    minRecall: flags.minRecall,
    // gate.json remembers them, and the next run may be in another folder.
    queries: flags.queries?.map((path) => resolve(path)),
    vectorColumn: flags.queryColumn,
    filters: flags.gateFilter,
    newEmbedding: flags.newEmbedding,
    signal: context.signal,
    onProgress: (stage, done, total, unit) => context.progress.update(stage, done, total, unit),
  };
}
