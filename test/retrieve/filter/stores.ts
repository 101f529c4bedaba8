/** Attribute stores over columns in memory, cut into chunks as files are. */
import type { ArrowField, Column, ColumnType, NumberArray } from '../../../src/arrow/column.js';
import { encodeArrow } from '../../../src/arrow/write/encoder.js';
import { openArrowBytes } from '../../../src/arrow/read/reader.js';
import { AttributeColumn, type AttributeChunk } from '../../../src/version/sealed/attribute-column.js';
import { AttributeStore } from '../../../src/version/sealed/attribute-store.js';

/** A value as its column stores it: numbers of 64 bits, dates and timestamps as counts. */
export type Value = null | boolean | number | bigint | string | readonly Item[];

export type Item = string | number | bigint | null;

export interface TestColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly values: readonly Value[];
}

/** The columns written as an Arrow file of batches of these sizes, and read again. */
export async function storeOf(columns: readonly TestColumn[], batches: readonly number[]): Promise<AttributeStore> {
  const fields = columns.map(({ name, type }): ArrowField => ({ name, type, nullable: true, label: '' }));
  const starts = batches.map((_, i) => batches.slice(0, i).reduce((sum, size) => sum + size, 0));
  const cut = batches.map((size, i) =>
    columns.map(({ type, values }) => columnOf(type, values.slice(starts[i], starts[i]! + size))),
  );
  const reader = await openArrowBytes('test.arrow', encodeArrow('file', { fields }, cut));
  const chunks: AttributeChunk[][] = fields.map(() => []);
  for await (const chunk of reader.read(fields.map((_, i) => i))) {
    chunk.columns.forEach((column, i) => chunks[i]!.push({ first: chunk.firstRow, column }));
  }
  return new AttributeStore(
    reader.rows,
    fields.map((field, i) => new AttributeColumn(field, reader.rows, chunks[i]!)),
  );
}

export function columnOf(type: ColumnType, values: readonly Value[]): Column {
  const rows = values.length;
  const valid = values.includes(null) ? Uint8Array.from(values, (value) => (value === null ? 0 : 1)) : null;
  switch (type.kind) {
    case 'bool':
      return {
        shape: 'bools',
        type,
        rows,
        valid,
        values: Uint8Array.from(values, (value) => (value === true ? 1 : 0)),
      };
    case 'utf8':
      return { shape: 'strings', type, rows, valid, ...textsOf(values as (string | null)[]) };
    case 'list': {
      const lists = values.map((value) => (value ?? []) as Item[]);
      const offsets = new Uint32Array(rows + 1);
      lists.forEach((list, row) => (offsets[row + 1] = offsets[row]! + list.length));
      return { shape: 'lists', type, rows, valid, offsets, items: columnOf(type.item, lists.flat()) };
    }
    default:
      return { shape: 'numbers', type, rows, valid, values: numbersOf(type, values) };
  }
}

function textsOf(values: readonly (string | null)[]): { offsets: Uint32Array; bytes: Uint8Array } {
  const encoded = values.map((value) => Buffer.from(value ?? ''));
  const offsets = new Uint32Array(values.length + 1);
  encoded.forEach((bytes, row) => (offsets[row + 1] = offsets[row]! + bytes.length));
  return { offsets, bytes: Buffer.concat(encoded) };
}

const INTEGERS = {
  8: [Uint8Array, Int8Array],
  16: [Uint16Array, Int16Array],
  32: [Uint32Array, Int32Array],
} as const;

function numbersOf(type: ColumnType, values: readonly Value[]): NumberArray {
  const numbers = values.map((value) => Number(value ?? 0));
  if (type.kind === 'float') return type.bits === 64 ? Float64Array.from(numbers) : Float32Array.from(numbers);
  if (type.kind === 'date' && type.unit === 'day') return Int32Array.from(numbers);
  if (type.kind === 'int' && type.bits !== 64) return INTEGERS[type.bits][type.signed ? 1 : 0].from(numbers);
  const counts = values.map((value) => (value ?? 0n) as bigint);
  return type.kind === 'int' && !type.signed ? BigUint64Array.from(counts) : BigInt64Array.from(counts);
}

/** Ordinals dealt to shards in an uneven way, ascending in each. */
export function dealShards(count: number, shards: number): { ordinals: Uint32Array }[] {
  const dealt: number[][] = Array.from({ length: shards }, () => []);
  for (let ordinal = 0; ordinal < count; ordinal++) dealt[(ordinal * ordinal + (ordinal >> 3)) % shards]!.push(ordinal);
  return dealt.map((ordinals) => ({ ordinals: Uint32Array.from(ordinals) }));
}
