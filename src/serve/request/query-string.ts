/**
 * Reads options from the query string. Each parameter is converted to a JSON value and then read like the field of the
 * same name. Text that is not a value of its kind stays text, which the reader of the field rejects.
 */
import { fieldError } from './field-error.js';
import { didYouMean } from '../../base/nearest-name.js';
import { refuseDuplicates } from './json-values.js';

export type Parameters = Readonly<Record<string, string | readonly string[] | undefined>>;

export type ParameterReader = (texts: readonly string[], field: string) => unknown;

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

export function textParameter(texts: readonly string[], field: string): string {
  if (texts.length === 1) return texts[0]!;
  throw fieldError('bad_field', field, `${field} is given ${texts.length} times; give it once`);
}

export const numberParameter: ParameterReader = (texts, field) => {
  const text = textParameter(texts, field);
  return NUMBER.test(text) ? Number(text) : text;
};

export const booleanParameter: ParameterReader = (texts, field) => {
  const text = textParameter(texts, field);
  return text === 'true' ? true : text === 'false' ? false : text;
};

export const listParameter: ParameterReader = (texts) => texts;

/** `true` stands for all attributes, as in JSON; a list repeats the parameter. */
export const namesParameter: ParameterReader = (texts) => (texts.length === 1 && texts[0] === 'true' ? true : texts);

/** JSON text, for filters. @throws bad_json; bad_request for a duplicate member */
export const jsonParameter: ParameterReader = (texts, field) => {
  const text = textParameter(texts, field);
  let value: unknown;
  try {
    value = JSON.parse(text) as unknown;
  } catch {
    throw fieldError('bad_json', field, `${field} is not valid JSON; give an object as JSON text, percent-encoded`);
  }
  refuseDuplicates(text, field);
  return value;
};

/** @throws unknown_field for parameters that are not in the table */
export function readParameters(
  parameters: Parameters,
  table: Readonly<Record<string, ParameterReader>>,
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(parameters)) {
    const given = parameters[name];
    const read = Object.hasOwn(table, name) ? table[name] : undefined;
    if (read === undefined) {
      const shown = JSON.stringify(name.slice(0, 64));
      throw fieldError(
        'unknown_field',
        `/${name.slice(0, 64)}`,
        `there is no parameter ${shown}${didYouMean(name, Object.keys(table))}`,
      );
    }
    values[name] = read(typeof given === 'string' ? [given] : (given ?? []), `/${name}`);
  }
  return values;
}
