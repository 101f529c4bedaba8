/**
 * Which columns a Parquet file has, and as which types they are read.
 *
 * A column is read as pyarrow reads it: if the file has the Arrow schema that pyarrow and polars store, with the types
 * of that schema (their units, time zones and list sizes are lost otherwise), else with those of its annotations. Lists
 * are read two levels deep, as in Arrow files. What is neither such a list nor a scalar has the kind `other`.
 */
import type { FileMetaData, SchemaElement, SchemaTree } from 'hyparquet';
import type { ArrowField, ColumnType } from '../../arrow/column.js';
import { readSchemaMessage } from '../../arrow/read/schema-message.js';

/** Where the values of a column are, and how to find rows and nulls among them. */
export interface Leaf {
  /** From the root to the values. */
  readonly schemaPath: SchemaTree[];
  readonly element: SchemaElement;
  /** Definition level of a value that is present. */
  readonly maxDefinition: number;
  /** For the lists of each depth, the definition level from which they have an item. None: the column is not a list. */
  readonly itemDefinitions: readonly number[];
}

export interface ParquetColumn {
  readonly field: ArrowField;
  /** Null for a column that is not read. */
  readonly leaf: Leaf | null;
}

/** @param root of the schema tree */
export function readColumns(metadata: FileMetaData, root: SchemaTree): ParquetColumn[] {
  const stored = new Map(readStoredSchema(metadata).map((field) => [field.name, field]));
  return root.children.map((node) => {
    const plain = plainColumn(root, node);
    const hint = stored.get(plain.field.name);
    if (plain.leaf === null || hint === undefined) return plain;
    const type = refine(plain.field.type, hint.type);
    return type === null ? plain : { ...plain, field: { ...plain.field, type, label: hint.label } };
  });
}

/** The Arrow schema that the writer stored, if it is there and readable; a hint only. */
function readStoredSchema({ key_value_metadata: pairs }: FileMetaData): readonly ArrowField[] {
  const stored = pairs?.find(({ key }) => key === 'ARROW:schema')?.value;
  if (stored === undefined) return [];
  try {
    return readSchemaMessage(new Uint8Array(Buffer.from(stored, 'base64')));
  } catch {
    return [];
  }
}

/** The stored type, if values of the plain type can be read as it; else null. */
function refine(plain: ColumnType, stored: ColumnType): ColumnType | null {
  if (stored.kind === 'null' || stored.kind === 'other') return stored;
  if (plain.kind === 'bytes16' && stored.kind === 'utf8') return stored;
  if (plain.kind !== stored.kind) return null;
  if (plain.kind === 'list' && stored.kind === 'list') {
    const item = refine(plain.item, stored.item);
    return item === null ? null : { ...stored, item };
  }
  if (plain.kind === 'float' && stored.kind === 'float' && plain.bits !== stored.bits) return null;
  if (plain.kind === 'timestamp' && stored.kind === 'timestamp' && finer(stored.unit, plain.unit)) return null;
  if (plain.kind === 'decimal' && stored.kind === 'decimal' && plain.scale !== stored.scale) return null;
  return stored;
}

const UNITS = ['s', 'ms', 'us', 'ns'] as const;
type Unit = (typeof UNITS)[number];

function finer(unit: Unit, than: Unit): boolean {
  return UNITS.indexOf(unit) > UNITS.indexOf(than);
}

const OTHER: ColumnType = { kind: 'other' };

function plainColumn(root: SchemaTree, node: SchemaTree): ParquetColumn {
  const { element } = node;
  const nullable = element.repetition_type === 'OPTIONAL';
  const nodes = pathToValues(node);
  const label = nodes === null ? groupLabel(node) : undefined;
  if (nodes === null) return { field: { name: element.name, type: OTHER, nullable, label: label! }, leaf: null };
  const values = nodes.at(-1)!;
  const scalar = scalarOf(values.element);
  const depth = nodes.filter((one) => one.element.repetition_type === 'REPEATED').length;
  const nested = listsOf(scalar, depth);
  const field = { name: element.name, nullable, ...nested };
  if (nested.type.kind === 'other') return { field, leaf: null };
  return { field, leaf: leafOf([root, ...nodes]) };
}

function listsOf(item: Scalar, depth: number): Scalar {
  if (depth === 0) return item;
  const { type, label } = listsOf(item, depth - 1);
  return { type: type.kind === 'other' ? OTHER : { kind: 'list', item: type, size: null }, label: `list<element: ${label}>` }; // prettier-ignore
}

/** Vectors may come as lists of one list. */
const MAX_LIST_DEPTH = 2;

/** The nodes from a column to its values, through at most two lists; null if there is anything else between. */
function pathToValues(node: SchemaTree, depth = MAX_LIST_DEPTH): SchemaTree[] | null {
  if (node.children.length === 0) return [node];
  const [repeated] = node.children;
  const { element } = node;
  const isList = element.converted_type === 'LIST' || element.logical_type?.type === 'LIST';
  if (depth === 0 || !isList || node.children.length !== 1 || repeated!.element.repetition_type !== 'REPEATED') return null; // prettier-ignore
  if (repeated!.children.length === 0) return [node, repeated!]; // two levels, as old writers have it
  const [item] = repeated!.children;
  const isStruct = repeated!.element.name === 'array' || repeated!.element.name === `${element.name}_tuple`;
  if (repeated!.children.length !== 1 || item!.element.repetition_type === 'REPEATED' || isStruct) return null;
  const inner = pathToValues(item!, depth - 1);
  return inner === null ? null : [node, repeated!, ...inner];
}

function leafOf(schemaPath: SchemaTree[]): Leaf {
  let level = 0;
  const itemDefinitions: number[] = [];
  for (const { element } of schemaPath.slice(1)) {
    if (element.repetition_type !== 'REQUIRED') level++;
    if (element.repetition_type === 'REPEATED') itemDefinitions.push(level);
  }
  return { schemaPath, element: schemaPath.at(-1)!.element, maxDefinition: level, itemDefinitions };
}

function groupLabel({ element, children }: SchemaTree): string {
  const kind = element.converted_type === 'LIST' ? 'list' : element.converted_type === 'MAP' ? 'map' : 'struct';
  return `${kind}<${children.map((child) => child.element.name).join(', ')}>`;
}

interface Scalar {
  readonly type: ColumnType;
  readonly label: string;
}

const int = (bits: 8 | 16 | 32 | 64, signed: boolean): Scalar => ({
  type: { kind: 'int', bits, signed },
  label: `${signed ? '' : 'u'}int${bits}`,
});

const other = (label: string): Scalar => ({ type: OTHER, label });

/** Annotations of releases before logical types. */
const CONVERTED: Readonly<Record<string, Scalar>> = {
  UTF8: { type: { kind: 'utf8' }, label: 'string' },
  ENUM: { type: { kind: 'utf8' }, label: 'string' },
  JSON: { type: { kind: 'utf8' }, label: 'string' },
  DATE: { type: { kind: 'date', unit: 'day' }, label: 'date32[day]' },
  INT_8: int(8, true),
  INT_16: int(16, true),
  INT_32: int(32, true),
  INT_64: int(64, true),
  UINT_8: int(8, false),
  UINT_16: int(16, false),
  UINT_32: int(32, false),
  UINT_64: int(64, false),
  TIME_MILLIS: other('time32[ms]'),
  TIME_MICROS: other('time64[us]'),
  INTERVAL: other('month_day_nano_interval'),
  BSON: other('binary'),
};

const TIME_UNITS = { MILLIS: 'ms', MICROS: 'us', NANOS: 'ns' } as const;

function scalarOf(element: SchemaElement): Scalar {
  const logical = element.logical_type;
  const { converted_type: converted, type, type_length: length } = element;
  if (logical?.type === 'TIMESTAMP') return timestamp(TIME_UNITS[logical.unit], logical.isAdjustedToUTC);
  if (logical?.type === 'INTEGER') return int(logical.bitWidth as 8 | 16 | 32 | 64, logical.isSigned);
  if (logical?.type === 'FLOAT16') return { type: { kind: 'float', bits: 16 }, label: 'halffloat' };
  if (logical?.type === 'UUID') return { type: { kind: 'utf8' }, label: 'extension<arrow.uuid>' };
  if (logical?.type === 'NULL') return { type: { kind: 'null' }, label: 'null' };
  if (logical?.type === 'TIME') return other(`time64[${TIME_UNITS[logical.unit]}]`);
  if (converted === 'TIMESTAMP_MILLIS') return timestamp('ms', true);
  if (converted === 'TIMESTAMP_MICROS') return timestamp('us', true);
  if (converted === 'DECIMAL' || logical?.type === 'DECIMAL') return decimal(element);
  const known = converted === undefined ? undefined : CONVERTED[converted];
  if (known !== undefined) return known;
  switch (type) {
    case 'BOOLEAN':
      return { type: { kind: 'bool' }, label: 'bool' };
    case 'INT32':
      return int(32, true);
    case 'INT64':
      return int(64, true);
    case 'INT96': // Spark's and Impala's timestamps
      return timestamp('ns', false);
    case 'FLOAT':
      return { type: { kind: 'float', bits: 32 }, label: 'float' };
    case 'DOUBLE':
      return { type: { kind: 'float', bits: 64 }, label: 'double' };
    case 'FIXED_LEN_BYTE_ARRAY':
      return length === 16 ? { type: { kind: 'bytes16' }, label: 'fixed_size_binary[16]' } : other(`fixed_size_binary[${length ?? '?'}]`); // prettier-ignore
    default:
      return logical?.type === 'STRING' || logical?.type === 'ENUM' || logical?.type === 'JSON' ? CONVERTED['UTF8']! : other('binary'); // prettier-ignore
  }
}

function timestamp(unit: 'ms' | 'us' | 'ns', isUtc: boolean): Scalar {
  const timezone = isUtc ? 'UTC' : null;
  const label = timezone === null ? `timestamp[${unit}]` : `timestamp[${unit}, tz=${timezone}]`;
  return { type: { kind: 'timestamp', unit, timezone }, label };
}

function decimal({ precision, scale, logical_type: logical }: SchemaElement): Scalar {
  const exact = logical?.type === 'DECIMAL' ? logical : { precision: precision ?? 0, scale: scale ?? 0 };
  const label = `decimal128(${exact.precision}, ${exact.scale})`;
  return { type: { kind: 'decimal', precision: exact.precision, scale: exact.scale }, label };
}
