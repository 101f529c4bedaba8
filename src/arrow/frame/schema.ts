/**
 * Decodes the Schema of a message or footer from its flatbuffer. Bounded in size and depth: tables of hostile metadata
 * can be shared, so that a small file becomes an endless tree.
 */
import { MAX_NAME_BYTES, MAX_SCHEMA_ITEMS, MAX_TYPE_DEPTH } from '../bounds.js';
import {
  labelOf,
  type ArrowType,
  type DictionaryEncoding,
  type IntegerType,
  type SchemaField,
  type TimeUnit,
} from '../arrow-type.js';
import { corrupt, unsupported } from '../fault.js';
import type { FlatTable } from './flatbuffer.js';

export interface Schema {
  readonly fields: readonly SchemaField[];
  /** The values of each dictionary, as a field that is not dictionary-encoded itself. */
  readonly dictionaries: ReadonlyMap<number, SchemaField>;
}

const EXTENSION_KEY = 'ARROW:extension:name';
const TIME_UNITS: readonly TimeUnit[] = ['s', 'ms', 'us', 'ns'];
const INT32: IntegerType = { id: 'int', bits: 32, signed: true };

interface Walk {
  readonly maxItems: number;
  itemsLeft: number;
  readonly dictionaries: Map<number, SchemaField>;
}

/** @param maxItems most fields, children included, and most metadata pairs */
export function decodeSchema(table: FlatTable, maxItems = MAX_SCHEMA_ITEMS): Schema {
  if (table.int16(0, 0) !== 0) {
    throw unsupported('its schema is big-endian; write it again on a little-endian machine');
  }
  const walk: Walk = { maxItems, itemsLeft: maxItems, dictionaries: new Map() };
  const fields = Array.from(table.tables(1), (field) => decodeField(field, 1, walk));
  return { fields, dictionaries: walk.dictionaries };
}

function decodeField(table: FlatTable, depth: number, walk: Walk): SchemaField {
  spendItem(walk);
  if (depth > MAX_TYPE_DEPTH) throw corrupt(`the schema nests types more than ${MAX_TYPE_DEPTH} deep`);
  const children = Array.from(table.tables(5), (child) => decodeField(child, depth + 1, walk));
  const field: SchemaField = {
    name: table.text(0, MAX_NAME_BYTES) ?? '',
    nullable: table.bool(1, false),
    type: decodeType(table, walk),
    dictionary: decodeDictionary(table.table(4)),
    extension: decodeExtension(table, walk),
    children,
  };
  checkChildren(field);
  if (field.dictionary !== null) noteDictionary(field, field.dictionary.id, walk);
  return field;
}

function spendItem(walk: Walk): void {
  if (--walk.itemsLeft < 0) throw corrupt(`the schema has more than ${walk.maxItems} fields and metadata pairs`);
}

/** Fields may share a dictionary if they agree on the type of its values. */
function noteDictionary(field: SchemaField, id: number, walk: Walk): void {
  const values: SchemaField = { ...field, dictionary: null, nullable: true, extension: null };
  const known = walk.dictionaries.get(id);
  if (known !== undefined && labelOf(known) !== labelOf(values)) {
    throw corrupt(`dictionary ${id} holds ${labelOf(known)} for one column and ${labelOf(values)} for another`);
  }
  walk.dictionaries.set(id, values);
}

function decodeDictionary(table: FlatTable | null): DictionaryEncoding | null {
  if (table === null) return null;
  const index = table.table(1);
  return { id: table.int64(0, 0), index: index === null ? INT32 : decodeInteger(index), ordered: table.bool(2, false) };
}

function decodeExtension(table: FlatTable, walk: Walk): string | null {
  for (const pair of table.tables(6)) {
    spendItem(walk);
    if (pair.hasText(0, EXTENSION_KEY)) return pair.text(1, MAX_NAME_BYTES);
  }
  return null;
}

/** Number of children of types that have a fixed number. */
const CHILD_COUNTS: Partial<Record<ArrowType['id'], number>> = {
  list: 1,
  list_view: 1,
  fixed_size_list: 1,
  map: 1,
  run_end_encoded: 2,
};

function checkChildren(field: SchemaField): void {
  const { type, children } = field;
  if (type.id === 'struct') return;
  const expected = type.id === 'union' ? type.codes.length : (CHILD_COUNTS[type.id] ?? 0);
  if (children.length !== expected) {
    throw corrupt(`column '${field.name}' is of type ${type.id} and has ${children.length} child fields`);
  }
  if (type.id === 'map' && (children[0]!.type.id !== 'struct' || children[0]!.children.length !== 2)) {
    throw corrupt(`column '${field.name}' is a map whose entries are no pairs`);
  }
}

/** Decoders by the number of the type in the `Type` union of the format. */
const TYPES: Record<number, (table: FlatTable, children: number, walk: Walk) => ArrowType> = {
  1: () => ({ id: 'null' }),
  2: decodeInteger,
  3: (table) => ({ id: 'float', bits: pick([16, 32, 64] as const, table.int16(0, 0), 'float precision') }),
  4: () => ({ id: 'binary', layout: 'small' }),
  5: () => ({ id: 'utf8', layout: 'small' }),
  6: () => ({ id: 'bool' }),
  7: decodeDecimal,
  8: (table) => ({ id: 'date', unit: pick(['day', 'ms'] as const, table.int16(0, 1), 'date unit') }),
  9: decodeTime,
  10: (table) => ({ id: 'timestamp', unit: decodeUnit(table, 0), timezone: table.text(1, MAX_NAME_BYTES) || null }),
  11: (table) => ({
    id: 'interval',
    unit: pick(['month', 'day_time', 'month_day_nano'] as const, table.int16(0, 0), 'interval unit'),
  }),
  12: () => ({ id: 'list', large: false }),
  13: () => ({ id: 'struct' }),
  14: decodeUnion,
  15: (table) => ({ id: 'fixed_size_binary', bytes: notNegative(table.int32(0, 0), 'byte width') }),
  16: (table) => ({ id: 'fixed_size_list', size: notNegative(table.int32(0, 0), 'list size') }),
  17: (table) => ({ id: 'map', keysSorted: table.bool(0, false) }),
  18: (table) => ({ id: 'duration', unit: decodeUnit(table, 1) }),
  19: () => ({ id: 'binary', layout: 'large' }),
  20: () => ({ id: 'utf8', layout: 'large' }),
  21: () => ({ id: 'list', large: true }),
  22: () => ({ id: 'run_end_encoded' }),
  23: () => ({ id: 'binary', layout: 'view' }),
  24: () => ({ id: 'utf8', layout: 'view' }),
  25: () => ({ id: 'list_view', large: false }),
  26: () => ({ id: 'list_view', large: true }),
};

/** Refuses types that TYPES lacks: their layout is unknown, so the buffers of later columns could not be found. */
function decodeType(field: FlatTable, walk: Walk): ArrowType {
  const code = field.uint8(2, 0);
  const decode = TYPES[code];
  if (decode === undefined) {
    const name = field.text(0, MAX_NAME_BYTES) ?? '';
    throw unsupported(`column '${name}' has the unknown type number ${code}; leave the column out`);
  }
  return decode(field.requireTable(3, 'the parameters of a type'), field.structs(5, 4).count, walk);
}

function decodeInteger(table: FlatTable): IntegerType {
  const bits = table.int32(0, 0);
  if (bits !== 8 && bits !== 16 && bits !== 32 && bits !== 64)
    throw corrupt(`the schema has an integer of ${bits} bits`);
  return { id: 'int', bits, signed: table.bool(1, false) };
}

function decodeDecimal(table: FlatTable): ArrowType {
  const bits = table.int32(2, 128);
  if (![32, 64, 128, 256].includes(bits)) throw corrupt(`the schema has a decimal of ${bits} bits`);
  return { id: 'decimal', precision: table.int32(0, 0), scale: table.int32(1, 0), bits };
}

function decodeTime(table: FlatTable): ArrowType {
  const bits = table.int32(1, 32);
  if (bits !== 32 && bits !== 64) throw corrupt(`the schema has a time of ${bits} bits`);
  return { id: 'time', unit: decodeUnit(table, 1), bits };
}

function decodeUnion(table: FlatTable, children: number, walk: Walk): ArrowType {
  const codes = table.structs(1, 4);
  const dense = table.int16(0, 0) === 1;
  if (codes.count === 0) return { id: 'union', dense, codes: Array.from({ length: children }, (_, i) => i) };
  const read = (_: unknown, i: number): number => {
    spendItem(walk);
    return table.bytes.int32(codes.position + 4 * i);
  };
  return { id: 'union', dense, codes: Array.from({ length: codes.count }, read) };
}

function decodeUnit(table: FlatTable, absent: number): TimeUnit {
  return pick(TIME_UNITS, table.int16(0, absent), 'time unit');
}

function pick<T>(choices: readonly T[], index: number, name: string): T {
  const choice = choices[index];
  if (choice === undefined) throw corrupt(`the schema has an unknown ${name} (${index})`);
  return choice;
}

function notNegative(value: number, name: string): number {
  if (value < 0) throw corrupt(`the schema has a negative ${name}`);
  return value;
}
