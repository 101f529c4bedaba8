/**
 * Options of a request that stand in its query string. Each parameter is turned into the JSON value that it spells,
 * and then read like the field of the same name; what spells no value stays text, which the field's reader refuses.
 */
import { fieldError } from './field-error.js';
import { didYouMean } from '../../base/nearest-name.js';
import { refuseDuplicates } from './json-values.js';

export type Parameters = Readonly<Record<string, string | readonly string[] | undefined>>;

type Spelling = (texts: readonly string[], field: string) => unknown;

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

export function one(texts: readonly string[], field: string): string {
  if (texts.length === 1) return texts[0]!;
  throw fieldError('bad_field', field, `${field} is given ${texts.length} times; give it once`);
}

const spellNumber: Spelling = (texts, field) => {
  const text = one(texts, field);
  return NUMBER.test(text) ? Number(text) : text;
};

export const spellBoolean: Spelling = (texts, field) => {
  const text = one(texts, field);
  return text === 'true' ? true : text === 'false' ? false : text;
};

const spellList: Spelling = (texts) => texts;

/** `true` stands for all attributes, as in JSON; a list is the parameter repeated. */
export const spellNames: Spelling = (texts) => (texts.length === 1 && texts[0] === 'true' ? true : texts);

/**
 * A value as JSON text: a filter has no shorter spelling. @throws bad_json; bad_request for a member that stands
 * twice
 */
const spellJson: Spelling = (texts, field) => {
  const text = one(texts, field);
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
  table: Readonly<Record<string, Spelling>>,
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(parameters)) {
    const given = parameters[name];
    const spell = Object.hasOwn(table, name) ? table[name] : undefined;
    if (spell === undefined) {
      const shown = JSON.stringify(name.slice(0, 64));
      throw fieldError(
        'unknown_field',
        `/${name.slice(0, 64)}`,
        `there is no parameter ${shown}${didYouMean(name, Object.keys(table))}`,
      );
    }
    values[name] = spell(typeof given === 'string' ? [given] : (given ?? []), `/${name}`);
  }
  return values;
}

/** The parameters of a search whose body is nothing but vectors. */
const SEARCH_PARAMETERS: Readonly<Record<string, Spelling>> = {
  k: spellNumber,
  ef: spellNumber,
  target_recall: spellNumber,
  exact: spellBoolean,
  filter: spellJson,
  'crowding.attribute': one,
  'crowding.limit': spellNumber,
  min_score: spellNumber,
  version: one,
  exclude_ids: spellList,
  'include.attributes': spellNames,
  'include.vectors': spellBoolean,
  timeout_ms: spellNumber,
  allow_partial: spellBoolean,
  explain: spellBoolean,
  why_not: spellList,
  batch: spellBoolean,
};

/** Those of one whose body is an Arrow stream, which may have several columns of vectors. */
const ARROW_PARAMETERS: Readonly<Record<string, Spelling>> = { ...SEARCH_PARAMETERS, vector_column: one };

export const SEARCH_PARAMETER_NAMES: readonly string[] = Object.keys(ARROW_PARAMETERS);

interface SearchParameters {
  /** The fields of a search that the parameters stand for. */
  readonly fields: Record<string, unknown>;
  readonly batch: boolean | null;
  readonly vectorColumn: string | undefined;
}

/** @throws unknown_field, bad_field, bad_json */
export function readSearchParameters(parameters: Parameters, form: 'binary' | 'arrow'): SearchParameters {
  const table = form === 'arrow' ? ARROW_PARAMETERS : SEARCH_PARAMETERS;
  const fields = nest(readParameters(parameters, table));
  const { batch, vector_column: vectorColumn } = fields;
  if (batch !== undefined && typeof batch !== 'boolean')
    throw fieldError('bad_field', '/batch', 'batch is true or false');
  if (batch !== undefined) delete fields['batch'];
  if (vectorColumn !== undefined) delete fields['vector_column'];
  return { fields, batch: batch ?? null, vectorColumn: vectorColumn as string | undefined };
}

/** `include.vectors` is the member `vectors` of the field `include`. */
function nest(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const name of Object.keys(values)) {
    const value = values[name];
    const [outer, inner] = name.split('.') as [string, string | undefined];
    if (inner === undefined) fields[name] = value;
    else fields[outer] = { ...(fields[outer] as object | undefined), [inner]: value };
  }
  return fields;
}
