/**
 * Which types can be ids, vectors and attributes, and the one type that several files' types become.
 *
 * Takes Arrow column types; gives answers about them. Values that are equal are equal in the common type too: nothing
 * is rounded, no digit lost. Which type comes out does not depend on the order of the types.
 */
import type { ColumnType, IntegerWidth } from '../arrow/column.js';
import type { IdType } from '../base/id-table.js';

type Of<K extends ColumnType['kind']> = Extract<ColumnType, { readonly kind: K }>;

/** How the ids of a column are kept; null where they cannot be. 16 bytes are kept as the text of a UUID. */
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

/** A list of floats: what a vector column is without being named. */
export function isFloatList(type: ColumnType): boolean {
  return type.kind === 'list' && type.item.kind === 'float';
}

/** What can be read as vectors: lists of floats or of bytes, and lists of one such list. */
export function isVectorType(type: ColumnType): boolean {
  return componentsOf(type) !== null;
}

/** Lists of so many bytes: most likely vectors, in a column that is not chosen as one either. */
export function isFixedBytes(type: ColumnType): boolean {
  return type.kind === 'list' && type.size !== null && type.item.kind === 'int' && type.item.bits === 8;
}

/** The innermost list of a vector column, and null for a column that holds no vectors. */
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

/**
 * The type of vectors of several types: their size where they have one, and the widest component. Null where one is
 * no vector.
 */
export function commonVectorType(types: readonly ColumnType[]): Of<'list'> | null {
  const lists = types.map(componentsOf);
  if (!allPresent(lists)) return null;
  const item = commonType(lists.map((list) => list.item));
  // Of signed and unsigned bytes the common integer has 16 bits, which no vector has; float32 holds both.
  const isComponent = item !== null && (item.kind === 'float' || (item.kind === 'int' && item.bits === 8));
  return { kind: 'list', item: isComponent ? item : { kind: 'float', bits: 32 }, size: commonSize(lists) };
}

/** The narrowest type that holds all values of all types; null where there is none. Nulls fit every type. */
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

function allPresent<T>(values: (T | null)[]): values is T[] {
  return !values.includes(null);
}

function commonSize(lists: readonly Of<'list'>[]): number | null {
  const size = lists[0]?.size ?? null;
  return lists.every((list) => list.size === size) ? size : null;
}

const WIDTHS: readonly IntegerWidth[] = [8, 16, 32, 64];

function commonInteger(ints: readonly Of<'int'>[]): ColumnType | null {
  const signed = ints.some((int) => int.signed);
  // An unsigned integer needs one bit more among signed ones.
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

/** Names of one and the same timezone. Others are not told apart by their values, but say something about them. */
const UTC_NAMES: ReadonlySet<string | null> = new Set(['UTC', 'Etc/UTC', 'Z', '+00:00', 'GMT', 'Etc/GMT']);

function commonTimestamp(stamps: readonly Of<'timestamp'>[]): ColumnType | null {
  const unit = TIME_UNITS.findLast((finest) => stamps.some((stamp) => stamp.unit === finest))!;
  const { timezone } = stamps[0]!;
  if (stamps.every((stamp) => stamp.timezone === timezone)) return { kind: 'timestamp', unit, timezone };
  return stamps.every((stamp) => UTC_NAMES.has(stamp.timezone)) ? { kind: 'timestamp', unit, timezone: 'UTC' } : null;
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
    case 'decimal':
      return b.kind === 'decimal' && a.precision === b.precision && a.scale === b.scale;
    case 'bool':
    case 'utf8':
    case 'null':
    case 'bytes16':
    case 'other':
      return a.kind === b.kind;
  }
}

const FLOAT_LABELS = { 16: 'halffloat', 32: 'float', 64: 'double' } as const;

/** A type that no file has, as pyarrow would print it. */
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
