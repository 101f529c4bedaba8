/** The types of the Arrow format as plain data, their names as pyarrow prints them, and as what they are read. */
import type { ColumnType, IntegerWidth } from './column.js';

export type TimeUnit = 's' | 'ms' | 'us' | 'ns';

/** Layout of a type of variable length: 32-bit offsets, 64-bit offsets, or views. */
type OffsetLayout = 'small' | 'large' | 'view';

export interface IntegerType {
  readonly id: 'int';
  readonly bits: IntegerWidth;
  readonly signed: boolean;
}

export type ArrowType =
  | IntegerType
  | { readonly id: 'null' | 'bool' | 'struct' | 'run_end_encoded' }
  | { readonly id: 'float'; readonly bits: 16 | 32 | 64 }
  | { readonly id: 'utf8' | 'binary'; readonly layout: OffsetLayout }
  | { readonly id: 'fixed_size_binary'; readonly bytes: number }
  | { readonly id: 'decimal'; readonly precision: number; readonly scale: number; readonly bits: number }
  | { readonly id: 'date'; readonly unit: 'day' | 'ms' }
  | { readonly id: 'time'; readonly unit: TimeUnit; readonly bits: 32 | 64 }
  | { readonly id: 'timestamp'; readonly unit: TimeUnit; readonly timezone: string | null }
  | { readonly id: 'duration'; readonly unit: TimeUnit }
  | { readonly id: 'interval'; readonly unit: 'month' | 'day_time' | 'month_day_nano' }
  | { readonly id: 'list' | 'list_view'; readonly large: boolean }
  | { readonly id: 'fixed_size_list'; readonly size: number }
  | { readonly id: 'map'; readonly keysSorted: boolean }
  | { readonly id: 'union'; readonly dense: boolean; readonly codes: readonly number[] };

/** A field of the schema. If it is dictionary-encoded, `type` is the type of the values. */
export interface SchemaField {
  readonly name: string;
  readonly nullable: boolean;
  readonly type: ArrowType;
  readonly dictionary: DictionaryEncoding | null;
  readonly extension: string | null;
  readonly children: readonly SchemaField[];
}

export interface DictionaryEncoding {
  readonly id: number;
  readonly index: IntegerType;
  readonly ordered: boolean;
}

const OTHER: ColumnType = { kind: 'other' };

/** Lists are read two levels deep: vectors may come as lists of one list. */
const MAX_LIST_DEPTH = 2;

/** The type as which the field is read. */
export function columnTypeOf(field: SchemaField, depth = MAX_LIST_DEPTH): ColumnType {
  const type = field.type;
  if (type.id !== 'list' && type.id !== 'fixed_size_list') return scalarTypeOf(field);
  const item = field.children[0];
  if (item === undefined || field.dictionary !== null || depth === 0) return OTHER;
  if (type.id === 'fixed_size_list' && type.size === 0) return OTHER;
  const itemType = columnTypeOf(item, depth - 1);
  if (itemType.kind === 'other') return OTHER;
  return { kind: 'list', item: itemType, size: type.id === 'fixed_size_list' ? type.size : null };
}

/** Bytes of a UUID; the extension arrow.uuid always has them. */
export const UUID_BYTES = 16;

function scalarTypeOf({ type, extension }: SchemaField): ColumnType {
  switch (type.id) {
    case 'null':
      return { kind: 'null' };
    case 'decimal':
      return { kind: 'decimal', precision: type.precision, scale: type.scale };
    case 'fixed_size_binary':
      if (type.bytes !== UUID_BYTES) return OTHER;
      return extension === 'arrow.uuid' ? { kind: 'utf8' } : { kind: 'bytes16' };
    case 'bool':
      return { kind: 'bool' };
    case 'int':
      return { kind: 'int', bits: type.bits, signed: type.signed };
    case 'float':
      return { kind: 'float', bits: type.bits };
    case 'utf8':
      return { kind: 'utf8' };
    case 'date':
      return { kind: 'date', unit: type.unit };
    case 'timestamp':
      return { kind: 'timestamp', unit: type.unit, timezone: type.timezone };
    default:
      return OTHER;
  }
}

/** Extensions that pyarrow knows and prints by name; it prints others as their storage. */
const NAMED_EXTENSIONS = new Set([
  'arrow.bool8',
  'arrow.fixed_shape_tensor',
  'arrow.json',
  'arrow.opaque',
  'arrow.uuid',
]);

/** The field's type as pyarrow prints it. Named extensions are printed without their parameters. */
export function labelOf(field: SchemaField): string {
  if (field.extension !== null && NAMED_EXTENSIONS.has(field.extension)) return `extension<${field.extension}>`;
  const values = storageLabel(field);
  if (field.dictionary === null) return values;
  const { index, ordered } = field.dictionary;
  return `dictionary<values=${values}, indices=${integerLabel(index)}, ordered=${ordered ? 1 : 0}>`;
}

const FLOAT_LABELS = { 16: 'halffloat', 32: 'float', 64: 'double' } as const;
const OFFSET_LABELS = {
  utf8: { small: 'string', large: 'large_string', view: 'string_view' },
  binary: { small: 'binary', large: 'large_binary', view: 'binary_view' },
} as const;

function storageLabel(field: SchemaField): string {
  const { type, children } = field;
  switch (type.id) {
    case 'null':
    case 'bool':
      return type.id;
    case 'int':
      return integerLabel(type);
    case 'float':
      return FLOAT_LABELS[type.bits];
    case 'utf8':
    case 'binary':
      return OFFSET_LABELS[type.id][type.layout];
    case 'fixed_size_binary':
      return `fixed_size_binary[${type.bytes}]`;
    case 'decimal':
      return `decimal${type.bits}(${type.precision}, ${type.scale})`;
    case 'date':
      return type.unit === 'day' ? 'date32[day]' : 'date64[ms]';
    case 'time':
      return `time${type.bits}[${type.unit}]`;
    case 'timestamp':
      return type.timezone === null ? `timestamp[${type.unit}]` : `timestamp[${type.unit}, tz=${type.timezone}]`;
    case 'duration':
      return `duration[${type.unit}]`;
    case 'interval':
      return `${type.unit}_interval`;
    case 'struct':
      return `struct<${children.map(childLabel).join(', ')}>`;
    case 'run_end_encoded':
      return `run_end_encoded<run_ends: ${labelOf(children[0]!)}, values: ${labelOf(children[1]!)}>`;
    case 'list':
    case 'list_view':
      return `${type.large ? 'large_' : ''}${type.id}<${children.map(childLabel).join(', ')}>`;
    case 'fixed_size_list':
      return `fixed_size_list<${children.map(childLabel).join(', ')}>[${type.size}]`;
    case 'map':
      return `map<${mapEntryLabels(children).join(', ')}${type.keysSorted ? ', keys_sorted' : ''}>`;
    case 'union': {
      const members = children.map((child, i) => `${childLabel(child)}=${type.codes[i]!}`);
      return `${type.dense ? 'dense' : 'sparse'}_union<${members.join(', ')}>`;
    }
  }
}

function integerLabel(type: IntegerType): string {
  return `${type.signed ? '' : 'u'}int${type.bits}`;
}

function childLabel(child: SchemaField): string {
  return `${child.name}: ${labelOf(child)}${child.nullable ? '' : ' not null'}`;
}

function mapEntryLabels(children: readonly SchemaField[]): string[] {
  return (children[0]?.children ?? []).map(labelOf);
}
