/** The query string of a search whose body has only vectors: the fields of the search, and how to read the body. */
import { SEARCH_TERM_NAMES, SEARCH_TERMS } from '../../wire/search-terms.js';
import { fieldError } from './field-error.js';
import {
  textParameter,
  readParameters,
  booleanParameter,
  type Parameters,
  type ParameterReader,
} from './query-string.js';
import { parameterReaders } from './read-term.js';

const BINARY_PARAMETERS: Readonly<Record<string, ParameterReader>> = Object.fromEntries([
  ...SEARCH_TERM_NAMES.flatMap((name) => [...parameterReaders(name, SEARCH_TERMS[name])]),
  ['batch', booleanParameter],
]);

/** An Arrow stream may have several vector columns. */
const ARROW_PARAMETERS: Readonly<Record<string, ParameterReader>> = {
  ...BINARY_PARAMETERS,
  vector_column: textParameter,
};

export const SEARCH_PARAMETER_NAMES: readonly string[] = Object.keys(ARROW_PARAMETERS);

interface SearchParameters {
  /** Fields of the search. */
  readonly fields: Record<string, unknown>;
  readonly batch: boolean | null;
  readonly vectorColumn: string | undefined;
}

/** @throws unknown_field, bad_field, bad_json */
export function readSearchParameters(parameters: Parameters, form: 'binary' | 'arrow'): SearchParameters {
  const table = form === 'arrow' ? ARROW_PARAMETERS : BINARY_PARAMETERS;
  const fields = nest(readParameters(parameters, table));
  const { batch, vector_column: vectorColumn } = fields;
  if (batch !== undefined && typeof batch !== 'boolean')
    throw fieldError('bad_field', '/batch', 'batch is invalid; give true or false');
  if (batch !== undefined) delete fields['batch'];
  if (vectorColumn !== undefined) delete fields['vector_column'];
  return { fields, batch: batch ?? null, vectorColumn: vectorColumn as string | undefined };
}

/** `include.vectors` becomes the member `vectors` of the field `include`. */
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
