/** The search flags that `query` and `batch` share, made from the table in wire/search-terms.ts. */
import { Option, type Command } from 'commander';
import { SEVERAL_CONDITIONS, findDuplicateMember } from '../base/duplicate-members.js';
import { ShortlistError } from '../base/errors.js';
import { DEFAULT_K } from '../base/limits.js';
import type { IndexSearchOptions } from '../retrieve/library/open-index.js';
import { SEARCH_OPTIONS, type Term } from '../wire/search-terms.js';
import { numberBetween, wholeNumber } from './command.js';

/** Values of the flags, by their names in commander. */
export type SearchFlags = Readonly<Record<string, unknown>>;

/** @param single one search, which can be explained */
export function addSearchFlags(command: Command, { single }: { single: boolean }): Command {
  for (const [name, term] of SEARCH_OPTIONS) {
    if (term.flag === undefined || (term.flag.queryOnly === true && !single)) continue;
    const option = flagOf(term, term.flag);
    command.addOption(name === 'k' ? option.default(DEFAULT_K) : option);
  }
  return command;
}

function flagOf(term: Term, { flags, text, conflicts = [] }: NonNullable<Term['flag']>): Option {
  const option = new Option(flags, text).conflicts([...conflicts]);
  if (term.kind === 'whole') return option.argParser(wholeNumber(1, term.max));
  if (term.kind === 'number') return option.argParser(numberBetween(term.above ?? -Infinity, term.max ?? Infinity));
  return option;
}

/** @throws bad_json, usage */
export function searchOptions(flags: SearchFlags): IndexSearchOptions {
  const options: Record<string, unknown> = {};
  for (const [name, term] of SEARCH_OPTIONS) {
    if (term.flag === undefined) continue;
    const option = new Option(term.flag.flags);
    const value = flags[option.attributeName()];
    if (value !== undefined) options[name] = readFlag(term, option.long ?? option.flags, value);
  }
  return options;
}

function readFlag({ kind }: Term, flag: string, value: unknown): unknown {
  if (kind === 'filter') return parseJson(flag, value as string, '{"category": "jewelry"}');
  return kind === 'members' ? parseCrowding(flag, value as string) : value;
}

/** @throws bad_json; bad_request for a duplicate member; both name the flag */
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

/** The limit follows the last colon, since attribute names may contain colons. */
function parseCrowding(flag: string, text: string): { attribute: string; limit: number } {
  const colon = text.lastIndexOf(':');
  const limit = Number(text.slice(colon + 1));
  if (colon > 0 && text.length > colon + 1 && Number.isInteger(limit))
    return { attribute: text.slice(0, colon), limit };
  throw new ShortlistError('usage', `${flag} is ${text}; give an attribute and a limit, such as shop_id:3`);
}
