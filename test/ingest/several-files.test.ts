/** Files whose schemas differ: one input, whatever their order, or one refusal. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Column, ColumnType } from '../../src/arrow/column.js';
import { encodeArrow } from '../../src/arrow/write/encoder.js';
import { ShortlistError } from '../../src/base/errors.js';
import { planIngest, type IngestOptions, type IngestPlan } from '../../src/ingest/plan.js';
import { typeName } from '../../src/version/sealed/type-name.js';
import { countIds, countVectors, types, writeArrow, type TestColumn } from './arrow-files.js';
import { ingest, type Ingested } from './ingest.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'several-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

type Columns = Record<string, TestColumn>;
const write = (name: string, columns: Columns): string => writeArrow(join(folder, name), columns);
const id = (from: number): TestColumn => [types.int64, countIds(3, from)];
const vector: TestColumn = [types.vector(4), countVectors(3, 4)];
/** Files of three rows each, with ids from 0, 3, 6, ... unless they say otherwise. */
const writeAll = (...files: Columns[]): string[] =>
  files.map((columns, i) => write(`${'abcdef'[i]!}.arrow`, { id: id(3 * i), v: vector, ...columns }));
const orders = (paths: readonly string[]): string[][] => [[...paths], [...paths].reverse()];

/** Ids and attributes of every row, by id: what may not depend on the order of files. */
function rowsOf(got: Ingested, plan: IngestPlan): Record<string, unknown> {
  const named = (row: number): unknown =>
    Object.fromEntries(plan.attributes.map(({ name }, i) => [name, got.attributes[i]![row]]));
  return Object.fromEntries(got.ids.map((text, row) => [text, named(row)]));
}

/** The same rows and the same types from both orders, which are given. */
async function readBoth(
  paths: readonly string[],
  options: Omit<IngestOptions, 'paths'> = {},
): Promise<{ rows: Record<string, unknown>; plan: IngestPlan }> {
  const results = [];
  for (const order of orders(paths)) {
    const plan = await planIngest({ ...options, paths: order });
    results.push({
      plan,
      rows: rowsOf(await ingest(order, { ...options, metric: 'l2' }), plan),
    });
  }
  const [first, second] = results;
  expect(second!.rows).toEqual(first!.rows);
  expect(second!.plan.attributes).toEqual(first!.plan.attributes);
  expect([second!.plan.idType, second!.plan.vectorField]).toEqual([first!.plan.idType, first!.plan.vectorField]);
  return first!;
}

/** The one refusal of both orders. */
async function refusedBoth(
  paths: readonly string[],
  options: Omit<IngestOptions, 'paths'> = {},
): Promise<ShortlistError> {
  const errors: ShortlistError[] = [];
  for (const order of orders(paths)) {
    const error: unknown = await planIngest({ ...options, paths: order }).catch((reason: unknown) => reason);
    if (!(error instanceof ShortlistError)) throw new Error('expected a coded error');
    errors.push(error);
  }
  expect(errors[1]!.code).toBe(errors[0]!.code);
  for (const path of paths) expect(errors[0]!.message).toContain(path);
  return errors[0]!;
}

const typesOf = (plan: IngestPlan): Record<string, string> =>
  Object.fromEntries(plan.attributes.map(({ name, type }) => [name, typeName(type)]));

describe('a column that some files lack', () => {
  it('is null there, with a warning, whichever file comes first', async () => {
    const paths = writeAll({ name: [types.utf8, ['a', 'b', 'c']] }, { price: [types.float64, [1, 2, 3]] }, {});
    const { rows, plan } = await readBoth(paths);
    expect(rows['0']).toEqual({ name: 'a', price: null });
    expect(rows['4']).toEqual({ name: null, price: 2 });
    expect(rows['8']).toEqual({ name: null, price: null });
    expect(plan.attributes.map(({ nullable }) => nullable)).toEqual([true, true]);
    expect(plan.warnings).toEqual([
      `column "name" (string) is not in 2 of 3 files, such as ${paths[1]!}: its values there are null`,
      `column "price" (double) is not in 2 of 3 files, such as ${paths[0]!}: its values there are null`,
    ]);
  });

  it('is null there where a file holds nothing but nulls in it, without a warning', async () => {
    const nothing: TestColumn = [types.null, [null, null, null]];
    const paths = writeAll({ name: nothing, tags: [types.nulls, [[], null, [null]]] }, { name: [types.utf8, ['a', null, 'c']], tags: [types.strings, [['x'], null, []]] }); // prettier-ignore
    const { rows, plan } = await readBoth(paths);
    expect(typesOf(plan)).toEqual({ name: 'utf8', tags: 'list<utf8>' });
    expect([rows['0'], rows['1'], rows['2'], rows['3']]).toEqual([
      { name: null, tags: [] },
      { name: null, tags: null },
      { name: null, tags: [null] },
      { name: 'a', tags: ['x'] },
    ]);
    expect(plan.warnings).toEqual([]);
  });

  it.each([
    ['bool', [true, false, null]],
    ['int8', [1, 2, null]],
    ['uint64', [1n, 2n, null]],
    ['float32', [1, 2, null]],
    ['largeUtf8', ['a', 'b', null]],
    ['date', [new Date(0), new Date(86_400_000), null]],
    ['strings', [['a'], [], null]],
  ] as const)('of type %s is null there', async (type, values) => {
    const { rows } = await readBoth(writeAll({ x: [types[type], values] }, {}));
    expect(rows['5']).toEqual({ x: null });
    expect(rows['0']).not.toEqual({ x: null });
  });

  it('is left out with a warning where all files have nothing but nulls in it', async () => {
    const nothing: TestColumn = [types.null, [null, null, null]];
    const plan = await planIngest({ paths: writeAll({ x: nothing }, { x: nothing }) });
    expect(plan.attributes).toEqual([]);
    expect(plan.warnings).toEqual([expect.stringContaining('"x" (null) is left out')]);
  });

  it('may be named, when one file has it', async () => {
    const paths = writeAll({}, { price: [types.float64, [1, 2, 3]] });
    expect(typesOf((await readBoth(paths, { attributes: ['price'] })).plan)).toEqual({ price: 'float64' });
    await expect(planIngest({ paths, attributes: ['prize'] })).rejects.toMatchObject({ code: 'column_missing' });
  });

  it('is a refusal where it is the id or the vector', async () => {
    const paths = [write('a.arrow', { id: id(0), v: vector }), write('b.arrow', { v: vector, w: vector })];
    expect(await refusedBoth(paths, { vectorColumn: 'v' })).toMatchObject({
      code: 'schema_mismatch',
      details: { column: 'id' },
    });
    const others = [
      write('a.arrow', { id: id(0), v: vector }),
      write('b.arrow', { id: id(3), x: [types.int8, [1, 2, 3]] }),
    ];
    expect(await refusedBoth(others)).toMatchObject({ code: 'schema_mismatch', details: { column: 'v' } });
  });
});

describe('a column of several types', () => {
  it.each([
    ['int32', [1, 2, null], 'int64', [2n ** 40n, -1n, null], 'int64', 1n],
    ['int8', [-1, 2, 3], 'uint8', [255, 0, 1], 'int16', -1],
    ['uint32', [2 ** 32 - 1, 2, 3], 'int8', [-1, 0, 1], 'int64', 4294967295n],
    ['uint16', [1, 2, 3], 'uint64', [2n ** 64n - 1n, 0n, 1n], 'uint64', 1n],
    ['float32', [0.5, 2, 3], 'float64', [0.1, 0, 1], 'float64', 0.5],
    ['int32', [2 ** 31 - 1, 2, 3], 'float32', [0.5, 0, 1], 'float64', 2 ** 31 - 1],
    ['int16', [7, 2, 3], 'float32', [0.5, 0, 1], 'float32', 7],
    ['utf8', ['a', 'b', null], 'largeUtf8', ['c', 'd', null], 'utf8', 'a'],
  ] as const)('of %s with others: every value stays what it was', async (a, first, b, second, common, value) => {
    const { rows, plan } = await readBoth(writeAll({ x: [types[a], first] }, { x: [types[b], second] }));
    expect(typesOf(plan)).toEqual({ x: common });
    expect(rows['0']).toEqual({ x: value });
    const numbers = (values: readonly unknown[]): unknown[] => values.map((x) => (typeof x === 'bigint' ? x.toString() : x === null || typeof x === 'string' ? x : String(Number(x)))); // prettier-ignore
    const got = Object.values(rows).map((row) => (row as { x: unknown }).x);
    expect(numbers(got)).toEqual(numbers([...first, ...second]));
  });

  it('has the type that all three need, in any order', async () => {
    const columns: Columns[] = [{ x: [types.int32, [1, 2, 3]] }, { x: [types.uint32, [1, 2, 3]] }, { x: [types.float32, [0.5, 1, 2]] }]; // prettier-ignore
    for (const [a, b, c] of [
      [0, 1, 2],
      [2, 0, 1],
      [1, 2, 0],
    ] as const) {
      const plan = await planIngest({ paths: writeAll(columns[a]!, columns[b]!, columns[c]!) });
      expect(typesOf(plan)).toEqual({ x: 'float64' });
    }
  });

  it('may be a dictionary in one file and plain in the next', async () => {
    const { rows } = await readBoth(
      writeAll({ x: [types.dictionary(), ['p', 'q', 'p']] }, { x: [types.utf8, ['r', null, 'p']] }),
    );
    expect(Object.values(rows)).toEqual(['p', 'q', 'p', 'r', null, 'p'].map((x) => ({ x })));
  });

  it('of lists of integers has the width that all items need', async () => {
    const narrow: TestColumn = [types.ints, [[1, 2], [], null]];
    const { rows, plan } = await readBoth(writeAll({ x: narrow }, { x: [types.longs, [[2n ** 40n], [-1n], [0n]]] }));
    expect(typesOf(plan)).toEqual({ x: 'list<int64>' });
    expect(Object.values(rows)).toEqual([[1n, 2n], [], null, [2n ** 40n], [-1n], [0n]].map((x) => ({ x })));
    await expect(
      planIngest({ paths: writeAll({ x: narrow }, { x: [types.strings, [['a'], [], []]] }) }),
    ).rejects.toMatchObject({ code: 'schema_mismatch', details: { column: 'x' } });
  });

  it.each<[string, TestColumn, TestColumn]>([
    ['strings and integers', [types.utf8, ['a', 'b', 'c']], [types.int64, countIds(3)]],
    ['64-bit integers of both signs', [types.int64, countIds(3)], [types.uint64, countIds(3)]],
    ['64-bit integers and floats', [types.int64, countIds(3)], [types.float64, [1, 2, 3]]],
    ['bools and integers', [types.bool, [true, false, null]], [types.int8, [1, 2, 3]]],
    ['a struct and a number', [types.struct, [{ x: 1 }, { x: 2 }, { x: 3 }]], [types.int32, [1, 2, 3]]],
    ['a list and a scalar', [types.strings, [['a'], [], null]], [types.utf8, ['a', 'b', 'c']]],
    ['vectors and strings', [types.vector(2), countVectors(3, 2)], [types.utf8, ['a', 'b', 'c']]],
  ])('that have none in common, %s, is refused whatever the order', async (_, a, b) => {
    const paths = writeAll({ x: a }, { x: b });
    const error = await refusedBoth(paths, { vectorColumn: 'v' });
    expect(error).toMatchObject({ code: 'schema_mismatch', exit: 65, details: { column: 'x' } });
    expect(await refusedBoth(paths, { vectorColumn: 'v', attributes: ['x'] })).toMatchObject({
      code: 'schema_mismatch',
    });
    expect((await planIngest({ paths, vectorColumn: 'v', attributes: 'none' })).rows).toBe(6);
  });

  it('that is kept of no file is left out', async () => {
    const plan = await planIngest({ paths: writeAll({ x: [types.struct, [{ x: 1 }, null, null]] }, {}) });
    expect(plan.warnings).toEqual([expect.stringContaining('"x" (struct<x: int32>) is left out')]);
  });
});

describe('times of several units', () => {
  const stamp = (unit: 's' | 'ms' | 'us' | 'ns', timezone: string | null = null): ColumnType => ({
    kind: 'timestamp',
    unit,
    timezone,
  });
  const int64: ColumnType = { kind: 'int', bits: 64, signed: true };
  const vectors: Column = {
    shape: 'lists', type: { kind: 'list', item: { kind: 'float', bits: 32 }, size: 1 }, rows: 1, valid: null, offsets: Uint32Array.of(0, 1),
    items: { shape: 'numbers', type: { kind: 'float', bits: 32 }, rows: 1, valid: null, values: Float32Array.of(1) },
  }; // prettier-ignore
  const writeTime = (name: string, type: ColumnType, value: number | bigint): string => {
    const values =
      type.kind === 'date' && type.unit === 'day' ? Int32Array.of(Number(value)) : BigInt64Array.of(BigInt(value));
    const columns: Column[] = [
      { shape: 'numbers', type: int64, rows: 1, valid: null, values: BigInt64Array.of(BigInt(name.charCodeAt(0))) },
      vectors,
      { shape: 'numbers', type, rows: 1, valid: null, values },
    ];
    const fields = ['id', 'v', 'at'].map((field, i) => ({ name: field, type: columns[i]!.type, nullable: true }));
    writeFileSync(join(folder, name), encodeArrow('file', { fields }, [columns]));
    return join(folder, name);
  };
  const [a, b] = [`${'a'.charCodeAt(0)}`, `${'b'.charCodeAt(0)}`];

  it.each([
    ['seconds and nanoseconds', stamp('s'), stamp('ns'), 'timestamp[ns]', -5_000_000_000n],
    ['milliseconds and seconds', stamp('ms'), stamp('s'), 'timestamp[ms]', -5n],
    ['names of UTC', stamp('us', 'UTC'), stamp('ms', '+00:00'), 'timestamp[us, tz=UTC]', -5n],
    [
      'days and milliseconds',
      { kind: 'date', unit: 'day' } as const,
      { kind: 'date', unit: 'ms' } as const,
      'date64',
      -432_000_000n,
    ],
  ])('%s are counted in the finer one', async (_, first, second, common, value) => {
    const { rows, plan } = await readBoth([writeTime('a.arrow', first, -5), writeTime('b.arrow', second, 7)]);
    expect(typesOf(plan)).toEqual({ at: common });
    expect(rows[a]).toEqual({ at: value });
    expect(rows[b]).not.toEqual(rows[a]);
  });

  it('in several timezones, with and without one, or among dates are refused', async () => {
    const first = writeTime('a.arrow', stamp('us', 'Europe/Berlin'), 0);
    for (const other of [stamp('us'), stamp('us', 'UTC'), { kind: 'date', unit: 'ms' } as const]) {
      expect(await refusedBoth([first, writeTime('b.arrow', other, 0)])).toMatchObject({ code: 'schema_mismatch' });
    }
  });

  it('that no number of the finer unit says are refused by row', async () => {
    const paths = [writeTime('a.arrow', stamp('s'), 10_000_000_000), writeTime('b.arrow', stamp('ns'), 1)];
    for (const order of orders(paths)) {
      const error: unknown = await ingest(order, { metric: 'l2' }).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'schema_mismatch', details: { file: paths[0], row: 0, column: 'at' } });
    }
  });
});

describe('ids of several types', () => {
  it('are the wider integer, or text in any layout', async () => {
    const ints = [write('a.arrow', { id: [types.int32, [-5, 0, 7]], v: vector }), write('b.arrow', { id: [types.int64, [2n ** 40n, 1n, 2n]], v: vector })]; // prettier-ignore
    const { rows, plan } = await readBoth(ints);
    expect(plan.idType).toEqual({ kind: 'int', bits: 64, signed: true });
    expect(Object.keys(rows).sort()).toEqual(['-5', '0', '1', '1099511627776', '2', '7']);
    const texts = [write('a.arrow', { id: [types.dictionary(), ['x', 'y', 'z']], v: vector }), write('b.arrow', { id: [types.largeUtf8, ['p', 'q', 'r']], v: vector })]; // prettier-ignore
    expect(Object.keys((await readBoth(texts)).rows)).toHaveLength(6);
  });

  it('may be UUIDs as bytes in one file and as text in the other, and are duplicates then', async () => {
    const bytes = [1, 2, 3].map((byte) => new Uint8Array(16).fill(byte));
    const text = '01010101-0101-0101-0101-010101010101';
    const a = write('a.arrow', { id: [types.bytes16, bytes], v: vector });
    const b = write('b.arrow', { id: [types.utf8, [text, 'other', 'third']], v: vector });
    expect((await ingest([a], { metric: 'l2' })).ids[0]).toBe(text);
    for (const order of orders([a, b])) {
      const got = await ingest(order, { metric: 'l2', onBadRow: 'skip' });
      expect(got.ids).toHaveLength(5);
      expect(got.rejects).toEqual([expect.objectContaining({ id: text, kind: 'duplicate_id' })]);
    }
  });

  it('that are text here and numbers there are refused', async () => {
    const paths = [
      write('a.arrow', { id: id(0), v: vector }),
      write('b.arrow', { id: [types.utf8, ['x', 'y', 'z']], v: vector }),
    ];
    expect(await refusedBoth(paths)).toMatchObject({ code: 'schema_mismatch', details: { column: 'id' } });
  });
});

describe('vectors of several types', () => {
  const rows = countVectors(3, 4).map((row) => row.map(Math.round));
  const layouts: Record<string, TestColumn> = {
    fixed32: [types.vector(4), rows],
    fixed64: [types.vector64(4), rows],
    fixed16: [types.vector16(4), rows],
    list32: [types.list32, rows],
    list64: [types.list64, rows],
    bytes: [types.bytes(4), rows],
    'lists of one list': [types.listOfLists, rows.map((row) => [row])],
  };

  it.each(Object.keys(layouts).flatMap((a) => Object.keys(layouts).map((b) => [a, b])))(
    '%s and %s are one input',
    async (a, b) => {
      const paths = [write('a.arrow', { id: id(0), v: layouts[a]! }), write('b.arrow', { id: id(3), v: layouts[b]! })];
      const got = await ingest(paths, { metric: 'l2', vectorColumn: 'v' });
      expect(got.vectors).toEqual([...rows, ...rows].flat());
      expect(got.report.dim).toBe(4);
    },
  );

  it('of bytes of both signs are chosen without being named, where they are all there is', async () => {
    const unsigned = rows.map((row) => row.map((x) => x + 200));
    const paths = [
      write('a.arrow', { id: id(0), v: layouts['bytes']! }),
      write('b.arrow', { id: id(3), v: [types.unsignedBytes, unsigned] }),
    ];
    expect((await ingest(paths, { metric: 'l2' })).vectors).toEqual([...rows, ...unsigned].flat());
  });

  it('of bytes beside others are attributes where their lengths vary, or where they are named', async () => {
    const all = { v: vector, fixed: layouts['bytes']!, free: [types.unsignedBytes, rows] as TestColumn };
    const [path] = writeAll(all);
    const plan = await planIngest({ paths: [path!], vectorColumn: 'v' });
    expect(typesOf(plan)).toEqual({ free: 'list<uint8>' });
    expect(plan.warnings).toEqual([expect.stringContaining('"fixed" (fixed_size_list')]);
    expect(plan.warnings[0]).toContain('it is a second vector column');
    const named = await planIngest({ paths: [path!], vectorColumn: 'v', attributes: ['fixed'] });
    expect(typesOf(named)).toEqual({ fixed: 'fixed_size_list<int8>[4]' });
  });

  it('of several fixed sizes are two models: refused with the counts, in any order', async () => {
    const paths = [write('a.arrow', { id: id(0), v: [types.vector(4), countVectors(3, 4)] }), write('b.arrow', { id: [types.int64, countIds(4, 3)], v: [types.vector64(5), countVectors(4, 5)] })]; // prettier-ignore
    const error = await refusedBoth(paths);
    expect(error.code).toBe('schema_mismatch');
    expect(error.message).toContain(
      `5 components in 4 rows (from ${paths[1]!} row 0), 4 in 3 (from ${paths[0]!} row 0)`,
    );
    expect(error.message).toContain('--on-bad-row skip');
  });
});

describe('the order of attributes', () => {
  it('is that of the schema, and where files differ the lowest place of each, then the name', async () => {
    const x: TestColumn = [types.int8, [1, 2, 3]];
    const plan = await planIngest({ paths: writeAll({ zebra: x, apple: x }, { zebra: x, apple: x }) });
    expect(plan.attributes.map(({ name }) => name)).toEqual(['zebra', 'apple']);
    const { plan: mixed } = await readBoth(writeAll({ zebra: x, apple: x }, { apple: x, zebra: x, late: x }));
    expect(mixed.attributes.map(({ name }) => name)).toEqual(['apple', 'zebra', 'late']);
  });
});

describe('pandas', () => {
  it('adds row numbers, which are left out unless they are named', async () => {
    const columns = {
      __index_level_0__: id(0),
      __index_level_1__: id(0),
      name: [types.utf8, ['a', 'b', 'c']] as TestColumn,
    };
    const [path] = writeAll(columns);
    const plan = await planIngest({ paths: [path!] });
    expect(plan.attributes.map(({ name }) => name)).toEqual(['name']);
    expect(plan.warnings[0]).toContain(
      '"__index_level_0__" (int64) is left out: it is the row number that pandas adds',
    );
    expect((await planIngest({ paths: [path!], attributes: ['__index_level_0__'] })).attributes).toHaveLength(1);
    expect((await planIngest({ paths: [path!], idColumn: '__index_level_0__' })).idField.name).toBe(
      '__index_level_0__',
    );
  });
});

describe('decimals', () => {
  /** Written by pyarrow, with ids from 0 and vectors of 2 components. */
  const decimals = fileURLToPath(new URL('../arrow/fixtures/decimals.arrow', import.meta.url));
  const floats = (): string =>
    write('floats.arrow', {
      id: id(100),
      v: [types.vector(2), countVectors(3, 2)],
      decimal64: [types.float32, [0.5, null, 2]],
    });

  it('are left out with advice, or kept as float64 with --cast-decimals', async () => {
    const plain = await planIngest({ paths: [decimals] });
    expect(plain.attributes).toEqual([]);
    expect(plain.warnings[0]).toContain(
      '"decimal32" (decimal32(9, 3)) is left out: attributes cannot have its type; to keep it, use --cast-decimals',
    );
    const named = planIngest({ paths: [decimals], attributes: ['decimal64'] });
    await expect(named).rejects.toMatchObject({ code: 'column_type' });
    await expect(named).rejects.toThrow('--cast-decimals');
    const { rows, plan } = await readBoth([decimals], { castDecimals: true });
    expect(typesOf(plan)).toEqual({ decimal32: 'float64', decimal64: 'float64', decimal128: 'float64' });
    expect(rows['3']).toEqual({ decimal32: 7, decimal64: 123456.789, decimal128: 123456.789 });
    expect(rows['7']).toEqual({ decimal32: null, decimal64: null, decimal128: null });
  });

  it('in one file and floats in another are one column with it, and refused without, in any order', async () => {
    const paths = [decimals, floats()];
    const error = await refusedBoth(paths);
    expect(error).toMatchObject({ code: 'schema_mismatch', details: { column: 'decimal64' } });
    expect(error.message).toContain('--cast-decimals');
    const { rows } = await readBoth(paths, { castDecimals: true });
    expect(rows['100']).toEqual({ decimal32: null, decimal64: 0.5, decimal128: null });
  });

  it('as the id column are refused with a line of Python that keeps every digit', async () => {
    for (const castDecimals of [true, false]) {
      const refused = planIngest({ paths: [decimals], idColumn: 'decimal64', castDecimals });
      await expect(refused).rejects.toMatchObject({ code: 'column_type', details: { column: 'decimal64' } });
      await expect(refused).rejects.toThrow(
        'table.set_column(table.schema.get_field_index("decimal64"), "decimal64", table["decimal64"].cast(pyarrow.string()))',
      );
    }
  });
});
