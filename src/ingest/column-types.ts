/**
 * Which types can be ids, vectors and attributes, and which one type holds the values of several.
 *
 * Takes Arrow column types. Equal values stay equal in the common type: nothing is rounded and no digit is lost. The
 * common type does not depend on the order of the types.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ColumnType, IntegerWidth } from '../arrow/column.js';
import type { IdType } from '../base/id-table.js';

type Of<K extends ColumnType['kind']> = Extract<ColumnType, { readonly kind: K }>;

/** How the ids of a column are stored; null if its type cannot be an id. 16 bytes become the text of a UUID. */
export function idTypeOf(type: ColumnType): IdType | null {
  if (type.kind === 'bytes16') return { kind: 'utf8' };
  return type.kind === 'int' || type.kind === 'utf8' ? type : null;
}

export function isAttributeType(type: ColumnType): boolean {
  switch (type.kind) {
    case 'list':
      return type.item.kind === 'utf8' || type.item.kind === 'int';
    case 'null':
    case 'decimal':
    case 'bytes16':
    case 'other':
      return false;
    default:
      return true;
  }
}

/** Lists of floats: the default vector column. */
export function isFloatList(type: ColumnType): boolean {
  return type.kind === 'list' && type.item.kind === 'float';
}

/** What can be read as vectors: lists of floats or bytes, and lists of one such list. */
export function isVectorType(type: ColumnType): boolean {
  return componentsOf(type) !== null;
}

/** Lists of a fixed number of bytes: most likely vectors, even in a column that is not the chosen one. */
export function isFixedBytes(type: ColumnType): boolean {
  return type.kind === 'list' && type.size !== null && type.item.kind === 'int' && type.item.bits === 8;
}

/** The innermost list of a vector type; null for any other type. */
export function componentsOf(type: ColumnType): Of<'list'> | null {
  if (type.kind !== 'list') return null;
  const { item, size } = type;
  if (item.kind === 'list') return size === null || size === 1 ? plainComponents(item) : null;
  return plainComponents(type);
}

function plainComponents(list: Of<'list'>): Of<'list'> | null {
  const { item } = list;
  return item.kind === 'float' || (item.kind === 'int' && item.bits === 8) ? list : null;
}

/** The common type of vectors: the widest component, and the size if all have one. Null if a type is not a vector. */
export function commonVectorType(types: readonly ColumnType[]): Of<'list'> | null {
  const lists = types.map(componentsOf);
  if (!lists.every((list) => list !== null)) return null;
  const item = commonType(lists.map((list) => list.item));
  // The common integer of int8 and uint8 has 16 bits, which no vector type has; float32 holds both.
  const isComponent = item !== null && (item.kind === 'float' || (item.kind === 'int' && item.bits === 8));
  return { kind: 'list', item: isComponent ? item : { kind: 'float', bits: 32 }, size: commonSize(lists) };
}

/** The narrowest type that holds all values of all types; null if there is none. Nulls fit every type. */
export function commonType(types: readonly ColumnType[]): ColumnType | null {
  const [first, ...others] = types.filter(({ kind }) => kind !== 'null');
  if (first === undefined) return { kind: 'null' };
  const all = [first, ...others];
  const floats = ofKind(all, 'float');
  const ints = ofKind(all, 'int');
  if (floats.length > 0 && floats.length + ints.length === all.length) return commonFloat(floats, ints);
  if (others.some(({ kind }) => kind !== first.kind)) return null;
  switch (first.kind) {
    case 'int':
      return commonInteger(ints);
    case 'date':
      return { kind: 'date', unit: ofKind(all, 'date').some(({ unit }) => unit === 'ms') ? 'ms' : 'day' };
    case 'timestamp':
      return commonTimestamp(ofKind(all, 'timestamp'));
    case 'list': {
      const lists = ofKind(all, 'list');
      const item = commonType(lists.map((list) => list.item));
      return item === null ? null : { kind: 'list', item, size: commonSize(lists) };
    }
    default:
      return first;
  }
}

function ofKind<K extends ColumnType['kind']>(types: readonly ColumnType[], kind: K): Of<K>[] {
  return types.filter((type): type is Of<K> => type.kind === kind);
}

function commonSize(lists: readonly Of<'list'>[]): number | null {
  const size = lists[0]?.size ?? null;
  return lists.every((list) => list.size === size) ? size : null;
}

const WIDTHS: readonly IntegerWidth[] = [8, 16, 32, 64];

function commonInteger(ints: readonly Of<'int'>[]): ColumnType | null {
  const signed = ints.some((int) => int.signed);
  // Among signed integers, an unsigned one needs one bit more.
  const needed = Math.max(...ints.map((int) => int.bits + (signed && !int.signed ? 1 : 0)));
  const bits = WIDTHS.find((width) => width >= needed);
  return bits === undefined ? null : { kind: 'int', bits, signed };
}

/** Widest integer, in bits, that each float holds exactly. */
const EXACT_BITS = { 16: 11, 32: 24, 64: 53 } as const;

function commonFloat(floats: readonly Of<'float'>[], ints: readonly Of<'int'>[]): ColumnType | null {
  const widest = Math.max(...floats.map(({ bits }) => bits));
  const integers = Math.max(0, ...ints.map(({ bits }) => bits));
  const bits = ([16, 32, 64] as const).find((width) => width >= widest && EXACT_BITS[width] >= integers);
  return bits === undefined ? null : { kind: 'float', bits };
}

const TIME_UNITS = ['s', 'ms', 'us', 'ns'] as const;

/** Names of one timezone. Other names may stand for equal times too, but they say something about the column. */
const UTC_NAMES: ReadonlySet<string | null> = new Set(['UTC', 'Etc/UTC', 'Z', '+00:00', 'GMT', 'Etc/GMT']);

function commonTimestamp(stamps: readonly Of<'timestamp'>[]): ColumnType | null {
  const unit = TIME_UNITS.findLast((finest) => stamps.some((stamp) => stamp.unit === finest))!;
  const { timezone } = stamps[0]!;
  if (stamps.every((stamp) => stamp.timezone === timezone)) return { kind: 'timestamp', unit, timezone };
  return stamps.every((stamp) => UTC_NAMES.has(stamp.timezone)) ? { kind: 'timestamp', unit, timezone: 'UTC' } : null;
}

/** Dictionary, large and view variants have the same type as their values. */
export function isSameType(a: ColumnType, b: ColumnType): boolean {
  return isDeepStrictEqual(a, b);
}

const FLOAT_LABELS = { 16: 'halffloat', 32: 'float', 64: 'double' } as const;

/** The type as pyarrow prints it, for types that no file has. */
export function labelOfType(type: ColumnType): string {
  switch (type.kind) {
    case 'int':
      return `${type.signed ? '' : 'u'}int${type.bits}`;
    case 'float':
      return FLOAT_LABELS[type.bits];
    case 'utf8':
      return 'string';
    case 'date':
      return type.unit === 'day' ? 'date32[day]' : 'date64[ms]';
    case 'timestamp':
      return type.timezone === null ? `timestamp[${type.unit}]` : `timestamp[${type.unit}, tz=${type.timezone}]`;
    case 'list': {
      const item = `list<item: ${labelOfType(type.item)}>`;
      return type.size === null ? item : `fixed_size_${item}[${type.size}]`;
    }
    case 'decimal':
      return `decimal(${type.precision}, ${type.scale})`;
    case 'bytes16':
      return 'fixed_size_binary[16]';
    case 'bool':
    case 'null':
    case 'other':
      return type.kind;
  }
}
