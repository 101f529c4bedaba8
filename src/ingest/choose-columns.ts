/**
 * Chooses the columns of the id, the vector and the attributes.
 *
 * Takes the columns of all files of an input and what the user named; returns fields of the type that all files have in
 * common. Every refusal names the column, its type, a file and what to do, and is the same for any order of the files.
 */
import type { ArrowField, ColumnType } from '../arrow/column.js';
import { describeConversion } from '../arrow/conversion.js';
import { ShortlistError } from '../base/errors.js';
import type { IdType } from '../base/id-table.js';
import { MAX_DIM } from '../base/limits.js';
import { didYouMean } from '../base/nearest-name.js';
import {
  commonType,
  commonVectorType,
  componentsOf,
  idTypeOf,
  isAttributeType,
  isFixedBytes,
  isFloatList,
  isVectorType,
  labelOfType,
} from './column-types.js';
import type { ColumnVariant, UnionColumn } from './schema-union.js';

export interface ColumnOptions {
  /** Default `id`. */
  readonly idColumn?: string;
  /** Default: the only vector column, else `embedding`, else `vector`. */
  readonly vectorColumn?: string;
  /** Default `all`: every other scalar column, and lists of strings or integers. */
  readonly attributes?: 'all' | 'none' | readonly string[];
  /** Whether decimal columns are kept, as float64; default false. */
  readonly castDecimals?: boolean;
}

interface ChosenColumns {
  readonly id: ArrowField;
  readonly idType: IdType;
  readonly vector: ArrowField;
  readonly attributes: readonly ArrowField[];
  /** One sentence for each column that is left out, or that some files do not have. */
  readonly warnings: readonly string[];
}

export const DEFAULT_ID_COLUMN = 'id';
const DEFAULT_VECTOR_COLUMNS = ['embedding', 'vector'] as const;

/**
 * @param files name of the input in messages
 * @param columns those of all its files
 * @param count number of its files
 */
export function chooseColumns(
  files: string,
  columns: readonly UnionColumn[],
  count: number,
  options: ColumnOptions,
): ChosenColumns {
  const choice = new Choice(files, columns, count, options);
  const id = chooseId(files, choice.fields, options.idColumn);
  const vector = chooseVector(files, choice.fields, options.vectorColumn);
  choice.requireEverywhere(id.field.name, 'id');
  choice.requireEverywhere(vector.name, 'vector');
  const attributes = choice.attributes([id.field, vector]);
  return { id: id.field, idType: id.type, vector, attributes, warnings: choice.warnings };
}

export function chooseId(
  file: string,
  fields: readonly ArrowField[],
  name: string | undefined,
): { field: ArrowField; type: IdType } {
  const field = findField(file, fields, name ?? DEFAULT_ID_COLUMN, '--id-column');
  const type = idTypeOf(field.type);
  if (type !== null) return { field, type };
  throw wrongType(file, field, 'be the id column: ids are integers, strings or UUIDs', idAdvice(field));
}

/** @param option the flag or field that names the column, for messages */
export function chooseVector(
  file: string,
  fields: readonly ArrowField[],
  name: string | undefined,
  option = '--vector-column',
): ArrowField {
  const field = name === undefined ? defaultVector(file, fields, option) : findField(file, fields, name, option);
  const components = componentsOf(field.type);
  if (components === null) {
    throw wrongType(
      file,
      field,
      'be the vector column: vectors are lists of float16, float32, float64, int8 or uint8',
      vectorAdvice(field, option),
    );
  }
  const { size } = components;
  if (size !== null && (size < 1 || size > MAX_DIM)) {
    const message = `${file}: the vectors of column ${quote(field.name)} (${field.label}) have ${size} components; a vector may have 1 to ${MAX_DIM}`;
    throw new ShortlistError('column_type', message, { file, column: field.name, dim: size, limit: MAX_DIM });
  }
  return field;
}

function defaultVector(file: string, fields: readonly ArrowField[], option: string): ArrowField {
  const floats = fields.filter((field) => isFloatList(field.type));
  // Lists of bytes may be anything, so they are vectors by default only if there are no float lists.
  const vectors = floats.length > 0 ? floats : fields.filter((field) => isVectorType(field.type));
  if (vectors.length === 1) return vectors[0]!;
  for (const name of DEFAULT_VECTOR_COLUMNS) {
    if (fields.some((field) => field.name === name)) return findField(file, fields, name, option);
  }
  const problem =
    vectors.length === 0
      ? `there is no vector column (a list of float16, float32, float64, int8 or uint8); ${listColumns(fields)}`
      : `several columns hold vectors (${vectors.map((field) => quote(field.name)).join(', ')}): choose one with ${option}`;
  throw new ShortlistError('column_missing', `${file}: ${problem}`, { file, columns: fields.map(({ name }) => name) });
}

/** What a column is used as, which decides its common type: int8 and uint8 join to int16 items, but float32 vectors. */
type Role = 'id' | 'vector' | 'attribute';

/** The columns of several files as one schema: one field a name, or two if a file repeats the name. */
class Choice {
  /** Ids and vectors are chosen from these. */
  readonly fields: readonly ArrowField[];
  readonly warnings: string[] = [];
  private readonly columns: ReadonlyMap<string, UnionColumn>;

  constructor(
    private readonly input: string,
    columns: readonly UnionColumn[],
    private readonly count: number,
    private readonly options: ColumnOptions,
  ) {
    this.columns = new Map(columns.map((column) => [column.name, column]));
    this.fields = columns.flatMap((column) => {
      const field = this.merge(column, 'vector');
      return column.repeats > 0 ? [field, field] : [field];
    });
  }

  /** @param chosen the id and the vector */
  attributes(chosen: readonly ArrowField[]): ArrowField[] {
    const wanted = this.options.attributes ?? 'all';
    if (wanted === 'none') return [];
    if (wanted !== 'all') return [...new Set(wanted)].map((name) => this.namedAttribute(chosen, name));
    return [...this.columns.values()].flatMap((column) => {
      const field = this.fields.find(({ name }) => name === column.name)!;
      if (chosen.includes(field)) return [];
      const reason = this.reasonToSkip(column, field);
      if (reason === null) return [this.keep(column)];
      this.warnings.push(`${this.input}: column ${quote(field.name)} (${field.label}) is left out: ${reason}`);
      return [];
    });
  }

  /** @throws schema_mismatch if a file lacks the column, or if no type holds the values of all files */
  requireEverywhere(name: string, role: Role): void {
    const column = this.requireAgreement(name, role);
    if (column.missingFrom !== null) throw missingColumn(column, column.missingFrom);
    if (column.variants.some(({ field }) => field.type.kind === 'null')) throw mismatch(column, this.isId(column));
  }

  private requireAgreement(name: string, role: Role): UnionColumn {
    const column = this.columns.get(name)!;
    if (column.repeatedIn !== null) throw ambiguous(column.repeatedIn, name);
    if (this.typeOf(column, role) === null) throw mismatch(column, this.isId(column));
    return column;
  }

  private namedAttribute(taken: readonly ArrowField[], name: string): ArrowField {
    const field = findField(this.input, this.fields, name, '--attributes');
    if (taken.includes(field)) {
      const role = field === taken[0] ? 'id' : 'vector';
      const message = `column ${quote(name)} is the ${role} column, which every index keeps: leave it out of --attributes`;
      throw new ShortlistError('usage', message, { file: this.input, column: name });
    }
    const column = this.requireAgreement(name, 'attribute');
    if (isAttributeType(this.typeOf(column, 'attribute')!)) return this.keep(column);
    throw wrongType(
      this.input,
      field,
      'be an attribute: attributes are booleans, numbers, strings, dates, timestamps and lists of strings or integers',
      attributeAdvice(field),
    );
  }

  private keep({ name }: UnionColumn): ArrowField {
    const column = this.requireAgreement(name, 'attribute');
    const field = this.merge(column, 'attribute');
    if (column.missingFrom === null) return field;
    const lacking = this.count - column.files;
    this.warnings.push(
      `column ${quote(field.name)} (${field.label}) is not in ${lacking} of ${this.count} files, such as ${column.missingFrom}: its values there are null`,
    );
    return field;
  }

  /** Why a column is not kept if all attributes are wanted; null if it is kept. */
  private reasonToSkip(column: UnionColumn, field: ArrowField): string | null {
    // If a file has the name only once, nobody can say which of the columns of other files that is.
    if (column.repeats > 0 && column.repeats < column.files) throw ambiguous(column.repeatedIn!, column.name);
    if (column.repeats > 0) return 'another column has the same name';
    if (PANDAS_INDEX.test(field.name)) {
      return 'it is the row number that pandas adds; to keep it, name it in --attributes';
    }
    const second = 'it is a second vector column; --vector-column chooses the one to search';
    const types = column.variants.map((variant) => this.cast(column, variant.field.type));
    if (types.every(isFixedBytes)) return `${second}; to keep it as lists of integers, name it in --attributes`;
    const type = this.typeOf(column, 'attribute');
    // A column that one file would keep is not dropped because of another.
    if (type === null ? types.some(isAttributeType) : isAttributeType(type)) return null;
    if (isVectorType(field.type)) return second;
    return `attributes cannot have its type; to keep it, ${attributeAdvice(field)}`;
  }

  /** The field of the column for all files. If its types have none in common, it has one of them, for choosing. */
  private merge(column: UnionColumn, role: Role): ArrowField {
    const { variants } = column;
    const [only] = variants;
    const type =
      this.typeOf(column, role) ??
      variants.map(({ field }) => field.type).find((variant) => isVectorType(variant) || isAttributeType(variant)) ??
      only!.field.type;
    const labels = new Set(variants.filter(({ field }) => field.type.kind !== 'null').map(({ field }) => field.label));
    const agreed = labels.size <= 1;
    return {
      name: column.name,
      type,
      nullable:
        column.missingFrom !== null || variants.some(({ field }) => field.nullable || field.type.kind === 'null'),
      label: agreed ? ([...labels][0] ?? only!.field.label) : labelOfType(type),
    };
  }

  /** The type that holds the values of all files; null if there is none. */
  private typeOf(column: UnionColumn, role: Role): ColumnType | null {
    const types = column.variants.map(({ field }) => this.cast(column, field.type));
    if (role === 'vector' && types.every(isVectorType)) return commonVectorType(types);
    return commonType(types);
  }

  private isId({ name }: UnionColumn): boolean {
    return name === (this.options.idColumn ?? DEFAULT_ID_COLUMN);
  }

  /** The type as which the column is read. */
  private cast(column: UnionColumn, type: ColumnType): ColumnType {
    const isId = this.isId(column);
    if (isId && type.kind === 'bytes16') return { kind: 'utf8' };
    // An id must keep every digit.
    return type.kind === 'decimal' && !isId && this.options.castDecimals === true ? { kind: 'float', bits: 64 } : type;
  }
}

/** How pandas names the levels of an index that has no name. */
const PANDAS_INDEX = /^__index_level_\d+__$/;

/** The only column with that name. */
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

/** Most types that a message lists. */
const MAX_LISTED_TYPES = 5;

function mismatch(column: UnionColumn, isId: boolean): ShortlistError {
  const variants = distinctLabels(column.variants);
  const listed = variants.slice(0, MAX_LISTED_TYPES).map(({ field, file, files }) => {
    return `${field.label} in ${file}${files > 1 ? ` and ${files - 1} more` : ''}`;
  });
  if (variants.length > MAX_LISTED_TYPES) listed.push(`${variants.length - MAX_LISTED_TYPES} more types`);
  const decimals = variants.some(({ field }) => field.type.kind === 'decimal');
  const hint = decimals && !isId ? ', or use --cast-decimals if float64 is precise enough' : '';
  const message = `no type holds the values of column ${quote(column.name)} in all files without loss: it has ${listed.join(', ')}; write it with one type in all files${hint}`;
  const [first, other] = variants;
  return new ShortlistError('schema_mismatch', message, {
    file: (other ?? first)!.file,
    first_file: first!.file,
    column: column.name,
    type: (other ?? first)!.field.label,
    first_type: first!.field.label,
  });
}

function distinctLabels(variants: readonly ColumnVariant[]): ColumnVariant[] {
  return variants.filter(({ field }, i) => variants.findIndex((other) => other.field.label === field.label) === i);
}

function missingColumn(column: UnionColumn, file: string): ShortlistError {
  const [{ field, file: first }] = column.variants as [ColumnVariant];
  const message = `column ${quote(column.name)} is not in ${file}, but in ${first} (${field.label}): every file of an input needs the id and the vector column`;
  const types = { type: null, first_type: field.label };
  return new ShortlistError('schema_mismatch', message, { file, first_file: first, column: column.name, ...types });
}

function idAdvice(field: ArrowField): string {
  const column = `table[${quote(field.name)}]`;
  const place = `table.schema.get_field_index(${quote(field.name)})`;
  if (field.type.kind === 'decimal') {
    // Decimals of any width and scale fit into strings; 64-bit integers hold only some of them.
    return `write it as strings, which keeps every digit: table.set_column(${place}, ${quote(field.name)}, ${column}.cast(pyarrow.string()))`;
  }
  return field.type.kind === 'other' ? describeConversion(field) : 'cast it to int64 or to string';
}

function vectorAdvice(field: ArrowField, option: string): string {
  const { type, label } = field;
  if (/binary/.test(label)) return 'read its bytes as numbers (numpy.frombuffer) and write them as a list of float32';
  if (type.kind === 'other') return describeConversion(field);
  if (type.kind === 'utf8') return 'parse its text and write it as a list of float32';
  if (type.kind === 'list' && type.item.kind === 'list') return 'flatten it: one list of float32 a row';
  if (type.kind === 'list') return 'cast it: column.cast(pyarrow.list_(pyarrow.float32()))';
  return `name another column with ${option}`;
}

function attributeAdvice(field: ArrowField): string {
  if (field.type.kind === 'decimal')
    return 'use --cast-decimals if float64 is precise enough, or cast it to string to keep every digit';
  return field.type.kind === 'list' ? 'make it a list of strings or integers' : describeConversion(field);
}

/** Most columns that a message lists. */
const MAX_LISTED_COLUMNS = 30;

function listColumns(fields: readonly ArrowField[]): string {
  const shown = fields.slice(0, MAX_LISTED_COLUMNS).map((field) => `${quote(field.name)} (${field.label})`);
  if (fields.length > MAX_LISTED_COLUMNS) shown.push(`${fields.length - MAX_LISTED_COLUMNS} more`);
  return fields.length === 0 ? 'it has no columns' : `its columns are ${shown.join(', ')}`;
}

/** JSON escapes control characters, which must not reach the terminal. */
function quote(name: string): string {
  return JSON.stringify(name);
}
