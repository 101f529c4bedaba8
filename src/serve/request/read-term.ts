/** Readers of a search's fields, from JSON and from a query string, according to wire/search-terms.ts. */
import { ShortlistError } from '../../base/errors.js';
import type { Term } from '../../wire/search-terms.js';
import { fieldError, isObject, kindOf } from './field-error.js';
import { readBoolean, readCount, readIds, readList, readMembers, readNumber, readText } from './json-values.js';
import {
  textParameter,
  booleanParameter,
  jsonParameter,
  listParameter,
  namesParameter,
  numberParameter,
  type ParameterReader,
} from './query-string.js';

/** @throws the code of the field, bad_field, unknown_field; bad_request for a missing member */
export function readTerm(term: Term, value: unknown, field: string): unknown {
  switch (term.kind) {
    case 'whole':
      return readCount(value, field, term.max, term.code);
    case 'number':
      return readBounded(term, value, field);
    case 'boolean':
      return readBoolean(value, field);
    case 'text':
      return readText(value, field);
    case 'ids':
      return readIds(value, field, term.max);
    case 'names':
      return readNames(value, field, term.max);
    case 'filter':
      return readFilter(value, field);
    case 'members':
      return readObjectTerm(term, value, field);
  }
}

function readBounded(
  { above = -Infinity, max = Infinity, example, code }: Extract<Term, { kind: 'number' }>,
  value: unknown,
  field: string,
): number {
  const number = readNumber(value, field);
  if (number > above && number <= max) return number;
  const shown = example === undefined ? '' : `, such as ${example}`;
  const message = `${field.slice(1)} is ${number}; give a number above ${above}, up to ${max}${shown}`;
  throw fieldError(code ?? 'bad_field', field, message);
}

/** `true` stands for all names. */
function readNames(value: unknown, field: string, max: number): readonly string[] | boolean {
  if (typeof value === 'boolean') return value;
  const names = readList(value, field, max);
  return [...new Set(names.map((name, position) => readText(name, `${field}/${position}`)))];
}

/** Its content depends on the attributes of the version, so it is parsed when the search is planned. */
function readFilter(value: unknown, field: string): Record<string, unknown> {
  if (isObject(value)) return value;
  const message = `${field} is ${kindOf(value)}; give an object such as {"category": "jewelry"}`;
  throw new ShortlistError('bad_filter', message, { field, path: field });
}

function readObjectTerm(
  { members, required }: Extract<Term, { kind: 'members' }>,
  value: unknown,
  field: string,
): Record<string, unknown> {
  const names = Object.keys(members);
  const given = readMembers(value, field, names);
  const missing = required ? names.find((name) => given[name] === undefined) : undefined;
  if (missing !== undefined) {
    const message = `${field.slice(1)} has no ${missing}; give ${names.join(' and ')}`;
    throw fieldError('bad_request', `${field}/${missing}`, message);
  }
  const read: Record<string, unknown> = {};
  for (const name of Object.keys(given)) read[name] = readTerm(members[name]!, given[name], `${field}/${name}`);
  return read;
}

/** The query parameters of a field with their readers; each member of an object has its own. */
export function* parameterReaders(name: string, term: Term): Generator<[string, ParameterReader], void> {
  if (term.kind !== 'members') yield [name, READERS[term.kind]];
  else for (const [member, inner] of Object.entries(term.members)) yield* parameterReaders(`${name}.${member}`, inner);
}

const READERS: Readonly<Record<Exclude<Term['kind'], 'members'>, ParameterReader>> = {
  whole: numberParameter,
  number: numberParameter,
  boolean: booleanParameter,
  text: textParameter,
  ids: listParameter,
  names: namesParameter,
  filter: jsonParameter,
};
