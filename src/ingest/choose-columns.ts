/**
 * Which columns are the id, the vector and the attributes.
 *
 * Takes the schema of a file and what the user named; gives fields. Every refusal names the column, its type and what to do.
 */
import type { ArrowField, ColumnType } from '../arrow/column.js';
import { describeConversion } from '../arrow/conversion.js';
import { ShortlistError } from '../base/errors.js';
import type { IdType } from '../base/id-table.js';
import { MAX_DIM } from '../base/limits.js';
import { didYouMean } from '../base/nearest-name.js';

export interface ColumnOptions {
  /** Default `id`. */
  readonly idColumn?: string;
  /** Default: the only vector column, else `embedding`, else `vector`. */
  readonly vectorColumn?: string;
  /** Default `all`: every other scalar column, and lists of strings or integers. */
  readonly attributes?: 'all' | 'none' | readonly string[];
}

export interface ChosenColumns {
  readonly id: ArrowField;
  readonly idType: IdType;
  readonly vector: ArrowField;
  readonly attributes: readonly ArrowField[];
  /** One sentence for each column that was left out. */
  readonly warnings: readonly string[];
}

export const DEFAULT_ID_COLUMN = 'id';
const DEFAULT_VECTOR_COLUMNS = ['embedding', 'vector'] as const;

/** @param file names the file in messages */
export function chooseColumns(file: string, fields: readonly ArrowField[], options: ColumnOptions): ChosenColumns {
  const id = chooseId(file, fields, options.idColumn);
  const vector = chooseVector(file, fields, options.vectorColumn);
  const { attributes, warnings } = chooseAttributes(file, fields, [id.field, vector], options.attributes ?? 'all');
  return { id: id.field, idType: id.type, vector, attributes, warnings };
}

export function chooseId(
  file: string,
  fields: readonly ArrowField[],
  name: string | undefined,
): { field: ArrowField; type: IdType } {
  const field = findField(file, fields, name ?? DEFAULT_ID_COLUMN, '--id-column');
  const { type } = field;
  if (type.kind === 'int' || type.kind === 'utf8') return { field, type };
  throw wrongType(file, field, 'be the id column: ids are integers or strings', idAdvice(field));
}

/** @param option how a user names the column, for messages */
export function chooseVector(
  file: string,
  fields: readonly ArrowField[],
  name: string | undefined,
  option = '--vector-column',
): ArrowField {
  const field = name === undefined ? defaultVector(file, fields, option) : findField(file, fields, name, option);
  const { type } = field;
  if (!isVectorType(type)) {
    throw wrongType(
      file,
      field,
      'be the vector column: vectors are lists of float16, float32 or float64',
      vectorAdvice(field, option),
    );
  }
  if (type.kind === 'list' && type.size !== null && (type.size < 1 || type.size > MAX_DIM)) {
    const message = `${file}: the vectors of column ${quote(field.name)} (${field.label}) have ${type.size} components; from 1 to ${MAX_DIM} are taken`;
    throw new ShortlistError('column_type', message, { file, column: field.name, dim: type.size, limit: MAX_DIM });
  }
  return field;
}

function defaultVector(file: string, fields: readonly ArrowField[], option: string): ArrowField {
  const vectors = fields.filter((field) => isVectorType(field.type));
  if (vectors.length === 1) return vectors[0]!;
  for (const name of DEFAULT_VECTOR_COLUMNS) {
    if (fields.some((field) => field.name === name)) return findField(file, fields, name, option);
  }
  const problem =
    vectors.length === 0
      ? `there is no vector column, a list of float16, float32 or float64; ${listColumns(fields)}`
      : `several columns hold vectors (${vectors.map((field) => quote(field.name)).join(', ')}): name one with ${option}`;
  throw new ShortlistError('column_missing', `${file}: ${problem}`, { file, columns: fields.map(({ name }) => name) });
}

function chooseAttributes(
  file: string,
  fields: readonly ArrowField[],
  taken: readonly ArrowField[],
  wanted: 'all' | 'none' | readonly string[],
): { attributes: ArrowField[]; warnings: string[] } {
  if (wanted === 'none') return { attributes: [], warnings: [] };
  if (wanted !== 'all') {
    return { attributes: [...new Set(wanted)].map((name) => namedAttribute(file, fields, taken, name)), warnings: [] };
  }
  const attributes: ArrowField[] = [];
  const warnings: string[] = [];
  for (const field of fields) {
    if (taken.includes(field)) continue;
    const left = leftOut(fields, field);
    if (left === null) attributes.push(field);
    else warnings.push(`${file}: column ${quote(field.name)} (${field.label}) is left out: ${left}`);
  }
  return { attributes, warnings };
}

/** Why a column does not become an attribute when all are wanted; null where it does. */
function leftOut(fields: readonly ArrowField[], field: ArrowField): string | null {
  if (isVectorType(field.type)) return 'it is a second vector column; --vector-column chooses which one is searched';
  if (!isAttributeType(field.type)) return `its type is not kept; to keep it, ${attributeAdvice(field)}`;
  return fields.some((other) => other !== field && other.name === field.name) ? 'another column has that name' : null;
}

function namedAttribute(
  file: string,
  fields: readonly ArrowField[],
  taken: readonly ArrowField[],
  name: string,
): ArrowField {
  const field = findField(file, fields, name, '--attributes');
  if (taken.includes(field)) {
    const role = field === taken[0] ? 'id' : 'vector';
    const message = `column ${quote(name)} is the ${role} column, which every index keeps: leave it out of --attributes`;
    throw new ShortlistError('usage', message, { file, column: name });
  }
  if (isAttributeType(field.type)) return field;
  throw wrongType(
    file,
    field,
    'be an attribute: attributes are booleans, numbers, strings, dates, timestamps and lists of strings or integers',
    attributeAdvice(field),
  );
}

/** The one column of that name. */
function findField(file: string, fields: readonly ArrowField[], name: string, flag: string): ArrowField {
  const named = fields.filter((field) => field.name === name);
  if (named.length === 1) return named[0]!;
  const details = { file, column: name, columns: fields.map((field) => field.name) };
  if (named.length > 1) throw ambiguous(file, name);
  const hint = didYouMean(name, details.columns);
  const message = `${file}: there is no column ${quote(name)} (${flag}); ${listColumns(fields)}${hint}`;
  throw new ShortlistError('column_missing', message, details);
}

function ambiguous(file: string, name: string): ShortlistError {
  const message = `${file}: several columns are named ${quote(name)}: rename all but one`;
  return new ShortlistError('input_unsupported', message, { file, column: name });
}

function wrongType(file: string, field: ArrowField, cannot: string, advice: string): ShortlistError {
  const message = `${file}: column ${quote(field.name)} has the type ${field.label} and cannot ${cannot}; ${advice}`;
  return new ShortlistError('column_type', message, { file, column: field.name, type: field.label });
}

function idAdvice(field: ArrowField): string {
  return field.type.kind === 'other' ? describeConversion(field) : 'cast it to int64 or to string';
}

function vectorAdvice(field: ArrowField, option: string): string {
  const { type, label } = field;
  if (/binary/.test(label)) return 'read its bytes as numbers (numpy.frombuffer) and write them as a list of float32';
  if (type.kind === 'other') return describeConversion(field);
  if (type.kind === 'utf8') return 'parse its text and write it as a list of float32';
  if (type.kind === 'list') return 'cast it: column.cast(pyarrow.list_(pyarrow.float32()))';
  return `name another column with ${option}`;
}

function attributeAdvice(field: ArrowField): string {
  return field.type.kind === 'list' ? 'make it a list of strings or integers' : describeConversion(field);
}

/**
 * Where the chosen columns are in another file of the same input.
 * @throws schema_mismatch where one is missing or has another type, naming both files
 */
export function locateColumns(
  file: string,
  fields: readonly ArrowField[],
  chosen: readonly ArrowField[],
  firstFile: string,
): number[] {
  return chosen.map((wanted) => {
    const position = fields.findIndex((field) => field.name === wanted.name);
    const found = fields[position];
    if (fields.findLastIndex((field) => field.name === wanted.name) !== position) throw ambiguous(file, wanted.name);
    if (found !== undefined && isSameType(found.type, wanted.type)) return position;
    const here = found === undefined ? 'is not' : `has the type ${found.label}`;
    const message = `column ${quote(wanted.name)} ${here} in ${file}, and has the type ${wanted.label} in ${firstFile}: all files of an input need equal columns`;
    const types = { type: found?.label ?? null, first_type: wanted.label };
    throw new ShortlistError('schema_mismatch', message, {
      file,
      first_file: firstFile,
      column: wanted.name,
      ...types,
    });
  });
}

/** A list of floats. */
export function isVectorType(type: ColumnType): boolean {
  return type.kind === 'list' && type.item.kind === 'float';
}

export function isAttributeType(type: ColumnType): boolean {
  if (type.kind === 'list') return type.item.kind === 'utf8' || type.item.kind === 'int';
  return type.kind !== 'other';
}

/** Equal values behind both: a dictionary, a large or a view variant is the type of its values. */
export function isSameType(a: ColumnType, b: ColumnType): boolean {
  switch (a.kind) {
    case 'int':
      return b.kind === 'int' && a.bits === b.bits && a.signed === b.signed;
    case 'float':
      return b.kind === 'float' && a.bits === b.bits;
    case 'date':
      return b.kind === 'date' && a.unit === b.unit;
    case 'timestamp':
      return b.kind === 'timestamp' && a.unit === b.unit && a.timezone === b.timezone;
    case 'list':
      return b.kind === 'list' && a.size === b.size && isSameType(a.item, b.item);
    case 'bool':
    case 'utf8':
    case 'other':
      return a.kind === b.kind;
  }
}

/** As many columns as a message can carry. */
const MAX_LISTED_COLUMNS = 30;

function listColumns(fields: readonly ArrowField[]): string {
  const shown = fields.slice(0, MAX_LISTED_COLUMNS).map((field) => `${quote(field.name)} (${field.label})`);
  if (fields.length > MAX_LISTED_COLUMNS) shown.push(`${fields.length - MAX_LISTED_COLUMNS} more`);
  return fields.length === 0 ? 'it has no columns' : `its columns are ${shown.join(', ')}`;
}

/** JSON's escapes keep a hostile name from steering the terminal. */
function quote(name: string): string {
  return JSON.stringify(name);
}
