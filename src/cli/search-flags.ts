/** The flags of a search, which `query` and `batch` share, and what they mean for it. */
import { Option, type Command } from 'commander';
import { SEVERAL_CONDITIONS, findDuplicateMember } from '../base/duplicate-members.js';
import { ShortlistError } from '../base/errors.js';
import { DEFAULT_K, MAX_EF, MAX_K } from '../base/limits.js';
import type { IndexSearchOptions } from '../retrieve/library/open-index.js';
import { numberBetween, wholeNumber } from './command.js';

export interface SearchFlags {
  readonly k: number;
  readonly ef?: number;
  readonly targetRecall?: number;
  readonly exact?: boolean;
  readonly filter?: string;
  readonly exclude?: string[];
  readonly crowding?: string;
  readonly minScore?: number;
}

export function addSearchFlags(command: Command): Command {
  return command
    .option('-k <n>', 'candidates for each query', wholeNumber(1, MAX_K), DEFAULT_K)
    .option(
      '--ef <n>',
      'size of the candidate list (default: as calibrated, else max(200, 2k))',
      wholeNumber(1, MAX_EF),
    )
    .addOption(
      new Option('--target-recall <r>', 'recall@k to reach; the calibration says with which ef')
        .argParser(numberBetween(0, 1))
        .conflicts('ef'),
    )
    .addOption(
      new Option('--exact', 'scan every vector instead of searching the graph').conflicts(['ef', 'targetRecall']),
    )
    .option('--filter <json>', 'which items may come back, such as \'{"price": {"$lt": 50}}\'')
    .option('--exclude <id...>', 'ids that must not come back')
    .option('--crowding <attribute:n>', 'at most n candidates of one value of the attribute')
    .option('--min-score <s>', 'least score that may come back', numberBetween(-Infinity, Infinity));
}

/** @throws bad_json, usage */
export function searchOptions(flags: SearchFlags): IndexSearchOptions {
  return {
    k: flags.k,
    ef: flags.ef,
    targetRecall: flags.targetRecall,
    exact: flags.exact,
    ...(flags.filter !== undefined && { filter: parseJson('--filter', flags.filter, '{"category": "jewelry"}') }),
    excludeIds: flags.exclude,
    crowding: flags.crowding === undefined ? undefined : parseCrowding(flags.crowding),
    minScore: flags.minScore,
  };
}

/** @throws bad_json, bad_request for a member that stands twice, naming the flag */
export function parseJson(flag: string, text: string, example: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ShortlistError('bad_json', `${flag} is not valid JSON; give something like ${example}`, {}, { cause });
  }
  const duplicate = findDuplicateMember(text);
  if (duplicate === null) return value;
  throw new ShortlistError('bad_request', `${flag} has ${duplicate} twice; give it once. ${SEVERAL_CONDITIONS}`);
}

/** The limit stands behind the last colon: names may have some. */
function parseCrowding(text: string): { attribute: string; limit: number } {
  const colon = text.lastIndexOf(':');
  const limit = Number(text.slice(colon + 1));
  if (colon > 0 && text.length > colon + 1 && Number.isInteger(limit))
    return { attribute: text.slice(0, colon), limit };
  throw new ShortlistError('usage', `--crowding is ${text}; give an attribute and a number, such as shop_id:3`);
}
