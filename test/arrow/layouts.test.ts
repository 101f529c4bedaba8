import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openArrow } from '../../src/arrow/read/reader.js';
import { failureOf, fixture, readTable } from './arrow-files.js';

type Table = Record<string, unknown[]>;

const expected = JSON.parse(readFileSync(fixture('expected.json'), 'utf8')) as Table;

/** Each library's choice of types for one and the same table. */
const LAYOUTS: readonly (readonly [file: string, format: string, embedding: string, id: string])[] = [
  ['pyarrow.arrow', 'file', 'fixed_size_list<item: float>[4]', 'string'],
  ['pyarrow-batches.arrows', 'stream', 'fixed_size_list<item: float>[4]', 'string'],
  ['feather-lz4.feather', 'file', 'fixed_size_list<item: float>[4]', 'string'],
  ['feather-zstd.feather', 'file', 'fixed_size_list<item: float>[4]', 'string'],
  ['feather-sliced.feather', 'file', 'fixed_size_list<item: float>[4]', 'string'],
  ['pandas.feather', 'file', 'list<item: double>', 'large_string'],
  ['polars.arrow', 'file', 'fixed_size_list<item: float>[4]', 'string_view'],
  ['polars-lz4.arrow', 'file', 'fixed_size_list<item: float>[4]', 'string_view'],
  ['polars-zstd.arrow', 'file', 'fixed_size_list<item: float>[4]', 'string_view'],
  ['polars-stream.arrows', 'stream', 'fixed_size_list<item: float>[4]', 'string_view'],
  ['polars-lists.arrow', 'file', 'large_list<item: float>', 'string_view'],
  ['datasets.arrow', 'stream', 'list<item: double>', 'string'],
];

describe('one table as different libraries write it', () => {
  it.each(LAYOUTS)('reads %s', async (file, format, embedding, id) => {
    const table = await readTable(fixture(file));
    expect(table.format).toBe(format);
    expect(table.labels).toMatchObject({ embedding, id });
    expect(table.values).toEqual(expected);
  });
});

describe('dictionaries', () => {
  const once = ['a', 'b', null, 'b'];
  const grown = ['c', 'a', 'b', 'd'];

  it.each(['dictionary-delta.arrows', 'dictionary-delta.arrow'])('grow by the deltas of %s', async (file) => {
    expect((await readTable(fixture(file))).values).toEqual({ value: [...once, ...grown] });
  });

  it('are replaced from one batch of a stream to the next', async () => {
    const table = await readTable(fixture('dictionary-replaced.arrows'));
    expect(table.values).toEqual({ value: [...once, ...grown, 'a', 'x', 'x', null] });
  });

  it('hold numbers, bools, nulls and large strings, under indexes of any width, in lists too', async () => {
    expect((await readTable(fixture('dictionary-types.feather'))).values).toEqual({
      int: ['4611686018427387904', -5, '4611686018427387904'],
      bool: [false, true, false],
      nulls: ['v', null, null],
      large: ['l1', 'l0', 'l0'],
      lists: [['q', 'p'], [], ['q']],
    });
  });
});

interface Types {
  readonly labels: Record<string, string>;
  readonly read: string[];
  readonly other: string[];
}

describe('types', () => {
  const types = JSON.parse(readFileSync(fixture('types.json'), 'utf8')) as Types;
  const before1970 = (fraction: string): unknown[] => [
    `1969-12-31T23:59:59${fraction}`,
    null,
    `1969-12-31T23:59:59${fraction}`,
  ];
  const values = {
    int8: [1, null, 127],
    uint8: [1, null, 127],
    int16: [1, null, 32767],
    uint16: [1, null, 32767],
    int32: [1, null, 2147483647],
    uint32: [1, null, 2147483647],
    int64: [1, null, '9223372036854775807'],
    uint64: [1, null, '9223372036854775807'],
    halffloat: [0.5, null, -2],
    float: [0.1, null, 3e38],
    double: [0.1, null, null],
    large_string: ['a', null, 'é'],
    string_view: ['short', null, 'longer than twelve bytes'],
    date64: ['2024-02-29', null, '1969-12-31'],
    timestamp_s: before1970(''),
    timestamp_ms: before1970('.000'),
    timestamp_us: before1970('.000000'),
    timestamp_ns: before1970('.000000000'),
    timestamp_tz: before1970('.000Z'),
    list_halffloat: [[0.5, 1], null, []],
    list_double: [[0.1], null, [2, null]],
    large_list_float: [[0.5], null, [2, 3]],
    fixed_double: [[1, 2], null, [3, 4]],
    fixed_halffloat: [[1, 2], [0.5, 0.25], [3, 4]], // prettier-ignore
    fixed_string: [['a', 'bc'], null, [null, 'd']],
    large_list_large_string: [['a', null], null, []],
    list_string_view: [['a', 'longer than twelve bytes'], null, []],
    list_bool: [[true, null], null, [false]],
    list_date: [['2024-02-29'], null, []],
    null: [null, null, null],
    decimal128: [1.5, null, 2.25],
    decimal256: [1.5, null, 2.25],
    nested_list: [[[1]], null, [[2], []]],
  };

  it.each(['types.arrow', 'types-lz4.arrow', 'types-zstd.arrow'])(
    'are read from %s, between columns of all types that are not',
    async (file) => {
      const table = await readTable(fixture(file));
      expect(table.values).toEqual(values);
      expect(Object.keys(table.values).toSorted()).toEqual(types.read.toSorted());
      expect(table.labels).toEqual(types.labels);
    },
  );

  it('that are not read are refused when asked for, with a way to convert them', async () => {
    const reader = await openArrow(fixture('types.arrow'));
    const messages: Record<string, string> = {};
    for (const name of types.other) {
      const error = await failureOf(async () => reader.read([reader.fields.findIndex((f) => f.name === name)]).next());
      expect(error.code).toBe('column_type');
      expect(error.message).toContain(`column '${name}'`);
      expect(error.message).toContain(types.labels[name]);
      messages[name] = error.message.split('is not read: ')[1]!;
    }
    await reader.close();
    expect(messages).toMatchSnapshot();
  });
});
