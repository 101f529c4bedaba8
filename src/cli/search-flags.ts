/** The search flags that `query` and `batch` share, made from the table in wire/search-terms.ts. */
import { Option, type Command } from 'commander';
import { SEVERAL_CONDITIONS } from '../base/duplicate-members.js';
import { ShortlistError } from '../base/errors.js';
import { JsonTextError, parseJsonText } from '../base/json-text.js';
import { DEFAULT_K } from '../base/limits.js';
import { MAX_FILTER_DEPTH } from '../retrieve/filter/filter-plan.js';
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
  if (kind === 'filter') return parseFilterFlag(flag, value as string);
  return kind === 'members' ? parseCrowding(flag, value as string) : value;
}

/** @throws bad_json; bad_request for a duplicate member; both name the flag */
export function parseJson(flag: string, text: string, example: string): unknown {
  try {
    return parseJsonText(text);
  } catch (cause) {
    if (!(cause instanceof JsonTextError)) throw cause;
    const { kind, message } = cause;
    if (kind === 'duplicate') throw new ShortlistError('bad_request', `${flag} ${message}. ${SEVERAL_CONDITIONS}`, {}, { cause }); // prettier-ignore
    throw new ShortlistError('bad_json', `${flag} ${message}; give something like ${example}`, {}, { cause });
  }
}

/** As parseJson. @throws bad_filter for one that is nested too deeply to be checked against attributes */
export function parseFilterFlag(flag: string, text: string): unknown {
  try {
    return parseJson(flag, text, '{"category": "jewelry"}');
  } catch (error) {
    const { cause } = error as Error;
    if (!(cause instanceof JsonTextError) || cause.kind !== 'depth') throw error;
    const message = `${flag}: filters can be nested at most ${MAX_FILTER_DEPTH} deep`;
    throw new ShortlistError('bad_filter', message, { limit: MAX_FILTER_DEPTH }, { cause });
  }
}

/** The limit follows the last colon, since attribute names may contain colons. */
function parseCrowding(flag: string, text: string): { attribute: string; limit: number } {
  const colon = text.lastIndexOf(':');
  const limit = Number(text.slice(colon + 1));
  if (colon > 0 && text.length > colon + 1 && Number.isInteger(limit))
    return { attribute: text.slice(0, colon), limit };
  throw new ShortlistError('usage', `${flag} is ${text}; give an attribute and a limit, such as shop_id:3`);
}
