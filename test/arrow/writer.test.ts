import fc from 'fast-check';
import { tableFromIPC } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import type { Column, ColumnType, Validity } from '../../src/arrow/column.js';
import { numberArrayOf } from '../../src/arrow/gather.js';
import { openArrowBytes } from '../../src/arrow/read/reader.js';
import { encodeArrow } from '../../src/arrow/write/encoder.js';
import { ArrowWriter } from '../../src/arrow/write/writer.js';
import type { ArrowFormat } from '../../src/arrow/frame/sniff.js';
import type { ArrowSchema } from '../../src/arrow/write/arrow-schema.js';
import { columnValues, readChunks } from './arrow-files.js';

const SCALARS: readonly ColumnType[] = [
  { kind: 'bool' },
  ...([8, 16, 32, 64] as const).flatMap((bits): ColumnType[] => [
    { kind: 'int', bits, signed: true },
    { kind: 'int', bits, signed: false },
  ]),
  { kind: 'float', bits: 16 },
  { kind: 'float', bits: 32 },
  { kind: 'float', bits: 64 },
  { kind: 'utf8' },
  { kind: 'date', unit: 'day' },
  { kind: 'date', unit: 'ms' },
  ...(['s', 'ms', 'us', 'ns'] as const).map((unit): ColumnType => ({ kind: 'timestamp', unit, timezone: null })),
  { kind: 'timestamp', unit: 'us', timezone: 'Europe/Berlin' },
];

const scalarType = fc.constantFrom(...SCALARS);
const anyType: fc.Arbitrary<ColumnType> = fc.oneof(
  { weight: 3, arbitrary: scalarType },
  scalarType.map((item): ColumnType => ({ kind: 'list', item, size: null })),
  fc
    .tuple(scalarType, fc.integer({ min: 1, max: 5 }))
    .map(([item, size]): ColumnType => ({ kind: 'list', item, size })),
);

function validityOf(rows: number): fc.Arbitrary<Validity> {
  const bits = fc.array(fc.nat(1), { minLength: rows, maxLength: rows }).map((list) => Uint8Array.from(list));
  // All rows valid is null, as the reader gives it.
  return fc.option(bits).map((valid) => (valid?.includes(0) === true ? valid : null));
}

function columnOf(type: ColumnType, rows: number): fc.Arbitrary<Column> {
  return validityOf(rows).chain((valid): fc.Arbitrary<Column> => {
    switch (type.kind) {
      case 'bool':
        return bytesOf(rows, 1).map((values) => ({ shape: 'bools', type, rows, valid, values }));
      case 'utf8':
        return fc
          .array(fc.string({ unit: 'grapheme', maxLength: 20 }), { minLength: rows, maxLength: rows })
          .map((strings) => stringColumn(type, valid, strings));
      case 'list':
        return listColumn(type, rows, valid);
      default:
        return bytesOf(rows * 8, 255).map((bytes) => {
          const values = new (numberArrayOf(type))(rows);
          new Uint8Array(values.buffer).set(bytes.subarray(0, values.byteLength));
          if (type.kind === 'float') values.forEach((_, i) => (values[i] = (bytes[i]! - 128) / 8)); // exact as float16
          return { shape: 'numbers', type, rows, valid, values };
        });
    }
  });
}

function bytesOf(count: number, max: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: count, maxLength: count, max });
}

function stringColumn(type: ColumnType, valid: Validity, strings: readonly string[]): Column {
  const parts = strings.map((text, row) => Buffer.from(valid?.[row] === 0 ? '' : text));
  return {
    shape: 'strings',
    type,
    rows: strings.length,
    valid,
    offsets: ends(parts.map((part) => part.length)),
    bytes: Buffer.concat(parts),
  };
}

function ends(lengths: readonly number[]): Uint32Array {
  const offsets = new Uint32Array(lengths.length + 1);
  lengths.forEach((length, i) => (offsets[i + 1] = offsets[i]! + length));
  return offsets;
}

function listColumn(type: ColumnType & { kind: 'list' }, rows: number, valid: Validity): fc.Arbitrary<Column> {
  const lengths =
    type.size === null
      ? fc.array(fc.nat(4), { minLength: rows, maxLength: rows })
      : fc.constant(Array.from({ length: rows }, () => type.size!));
  return lengths.chain((list) => {
    const offsets = ends(list);
    return columnOf(type.item, offsets[rows]!).map((items) => ({ shape: 'lists', type, rows, valid, offsets, items }));
  });
}

interface Table {
  readonly types: readonly ColumnType[];
  readonly batches: readonly (readonly Column[])[];
}

const table: fc.Arbitrary<Table> = fc.array(anyType, { minLength: 1, maxLength: 6 }).chain((types) => {
  const batch = fc.nat(30).chain((rows) => fc.tuple(...types.map((type) => columnOf(type, rows))));
  return fc.array(batch, { maxLength: 3 }).map((batches) => ({ types, batches }));
});

const schemaOf = ({ types }: Table): ArrowSchema => ({
  fields: types.map((type, i) => ({ name: `column ${i}`, type, nullable: true })),
  metadata: new Map([['written by', 'a test']]),
});

const FORMATS: readonly ArrowFormat[] = ['file', 'stream'];

async function writeAll(format: ArrowFormat, written: Table): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const writer = new ArrowWriter(format, schemaOf(written), async (bytes) => {
    await Promise.resolve();
    pieces.push(Buffer.from(bytes));
  });
  for (const batch of written.batches) await writer.write(batch);
  await writer.close();
  return Buffer.concat(pieces);
}

describe.each(FORMATS)('an Arrow %s', (format) => {
  it('gives back what was written to it: types, rows, nulls and values', async () => {
    await fc.assert(
      fc.asyncProperty(table, async (written) => {
        const reader = await openArrowBytes('written', await writeAll(format, written));
        expect(reader.format).toBe(format);
        expect(reader.fields.map((field) => field.type)).toEqual(written.types);
        const chunks = await readChunks(
          reader,
          written.types.map((_, i) => i),
        );
        written.types.forEach((_, i) => {
          const expected = written.batches.flatMap((batch) => columnValues(batch[i]!));
          expect(chunks.flatMap((chunk) => columnValues(chunk.columns[i]!))).toEqual(expected);
          expect(reader.rows).toBe(expected.length);
        });
      }),
      { seed: 20267, numRuns: 300 },
    );
  });

  it('has the same bytes for the same rows, whatever stands where they are null', async () => {
    const type: ColumnType = { kind: 'int', bits: 32, signed: true };
    const valid = Uint8Array.of(1, 0, 1);
    const batch = (hidden: number): Column[] => [
      { shape: 'numbers', type, rows: 3, valid, values: Int32Array.of(7, hidden, 9) },
      { shape: 'bools', type: { kind: 'bool' }, rows: 3, valid, values: Uint8Array.of(0, hidden & 1, 1) },
    ];
    const written = (hidden: number): Table => ({ types: [type, { kind: 'bool' }], batches: [batch(hidden)] });
    const bytes = await writeAll(format, written(123));
    expect(bytes.equals(await writeAll(format, written(456)))).toBe(true);
    expect(bytes.equals(encodeArrow(format, schemaOf(written(789)), [batch(789)]))).toBe(true);
  });

  it('is read by apache-arrow, metadata included', async () => {
    const types: ColumnType[] = [{ kind: 'utf8' }, { kind: 'list', item: { kind: 'float', bits: 32 }, size: 2 }];
    const items: Column = {
      shape: 'numbers',
      type: { kind: 'float', bits: 32 },
      rows: 4,
      valid: null,
      values: Float32Array.of(1, 2, 3, 4),
    };
    const batch: Column[] = [
      stringColumn(types[0]!, null, ['a', 'bc']),
      { shape: 'lists', type: types[1]!, rows: 2, valid: null, offsets: Uint32Array.of(0, 2, 4), items },
    ];
    const read = tableFromIPC(await writeAll(format, { types, batches: [batch, batch] }));
    expect(read.toArray().map((row) => JSON.stringify(row))).toEqual(
      [0, 1, 0, 1].map((i) => JSON.stringify({ 'column 0': ['a', 'bc'][i], 'column 1': [[1, 2], [3, 4]][i] })), // prettier-ignore
    );
    expect([...read.schema.metadata]).toEqual([['written by', 'a test']]);
  });
});

describe('columns that do not fit the schema', () => {
  const type: ColumnType = { kind: 'int', bits: 32, signed: true };
  const numbers = (values: Int32Array | Float64Array): Column => ({
    shape: 'numbers',
    type,
    rows: values.length,
    valid: null,
    values,
  });
  const write = (types: ColumnType[], columns: Column[]) =>
    encodeArrow('file', schemaOf({ types, batches: [] }), [columns]);

  it('are bugs, and say so', () => {
    expect(() => write([type], [])).toThrow(TypeError);
    expect(() => write([type, type], [numbers(Int32Array.of(1)), numbers(Int32Array.of(1, 2))])).toThrow(TypeError);
    expect(() => write([type], [numbers(Float64Array.of(1))])).toThrow(TypeError);
    expect(() => write([{ kind: 'other' }], [numbers(Int32Array.of(1))])).toThrow(TypeError);
    const lists: Column = {
      shape: 'lists',
      type: { kind: 'list', item: type, size: 2 },
      rows: 2,
      valid: null,
      offsets: Uint32Array.of(0, 2, 3),
      items: numbers(Int32Array.of(1, 2, 3)),
    };
    expect(() => write([lists.type], [lists])).toThrow(TypeError);
  });
});
