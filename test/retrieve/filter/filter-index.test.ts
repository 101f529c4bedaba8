import { describe, expect, it } from 'vitest';
import type { ColumnType } from '../../../src/arrow/column.js';
import { openArrow } from '../../../src/arrow/read/reader.js';
import { seededRandom } from '../../../src/base/random.js';
import { FilterIndex, type FilterOptions } from '../../../src/retrieve/filter/filter-index.js';
import { hashBytes } from '../../../src/retrieve/filter/text-hash.js';
import { parseFilter } from '../../../src/retrieve/filter/parse-filter.js';
import { AttributeColumn, type AttributeChunk } from '../../../src/version/sealed/attribute-column.js';
import { AttributeStore } from '../../../src/version/sealed/attribute-store.js';
import { dealShards, storeOf, type TestColumn, type Value } from './stores.js';

const TEXT: ColumnType = { kind: 'utf8' };
const INT: ColumnType = { kind: 'int', bits: 32, signed: true };

async function indexOf(columns: readonly TestColumn[], options: FilterOptions = {}): Promise<FilterIndex> {
  const count = columns[0]!.values.length;
  const attributes = await storeOf(columns, [count]);
  return new FilterIndex({ count, attributes, shards: dealShards(count, 1) }, options);
}

function column(name: string, type: ColumnType, values: readonly Value[]): TestColumn {
  return { name, type, values };
}

/** Ordinals that pass, of an index of one shard. */
function find(index: FilterIndex, filter: unknown): number[] {
  const { shards, count } = index.select(parseFilter(filter, index.schema));
  const { rows } = shards[0]!;
  const found = Array.from({ length: rows.size }, (_, row) => row).filter((row) => rows.has(row));
  expect(count).toBe(found.length);
  return found;
}

describe('a null', async () => {
  // Row 3 is null throughout.
  const index = await indexOf([
    column('n', INT, [1, 2, 3, null]),
    column('t', TEXT, ['a', 'ab', '', null]),
    column('l', { kind: 'list', item: TEXT, size: null }, [['a'], [], [null], null]),
    column(
      'f',
      { kind: 'float', bits: 32 },
      [19.99, Infinity, NaN, null].map((value) => value && Math.fround(value)),
    ),
  ]);
  it.each<[unknown, number[]]>([
    [{ n: null }, [3]],
    [{ n: { $eq: null } }, [3]],
    [{ n: { $exists: false } }, [3]],
    [{ n: { $exists: true } }, [0, 1, 2]],
    [{ n: { $ne: null } }, [0, 1, 2]],
    [{ n: { $ne: 2 } }, [0, 2]],
    [{ n: { $nin: [1, 2] } }, [2]],
    [{ n: { $lt: 3 } }, [0, 1]],
    [{ $not: { n: { $lt: 3 } } }, [2, 3]],
    [{ n: { $not: { $lt: 3 } } }, [2, 3]],
    [{ $not: { n: { $ne: 2 } } }, [1, 3]],
    [{ $not: { n: { $nin: [1, 2] } } }, [0, 1, 3]],
    [{ $not: { n: null } }, [0, 1, 2]],
    [{ $not: { $not: { n: { $gt: 1 } } } }, [1, 2]],
    [{ $not: { $or: [{ n: 1 }, { t: 'ab' }] } }, [2, 3]],
    [{ t: { $contains: 'a' } }, [0, 1]],
    [{ t: { $contains: '' } }, [0, 1, 2]],
    [{ $not: { t: { $contains: 'b' } } }, [0, 2, 3]],
    [{ l: { $contains: 'a' } }, [0]],
    [{ l: null }, [3]],
    [{ l: { $ne: null } }, [0, 1, 2]],
    [{ $not: { l: { $contains: 'a' } } }, [1, 2, 3]],
    [{ f: null }, [2, 3]],
    [{ f: { $ne: 5 } }, [0, 1]],
    [{ f: { $not: { $gt: 5 } } }, [2, 3]],
    [{}, [0, 1, 2, 3]],
  ])('and NaN, under %j', (filter, rows) => {
    expect(find(index, filter)).toEqual(rows);
  });
});

describe('a literal takes the type of its column', () => {
  it('as float32: 19.99 is the stored 19.99, in ranges too', async () => {
    const values = [19.99, 20, 0.1, -0, 3.4e38, Infinity, -Infinity].map(Math.fround);
    const index = await indexOf([column('price', { kind: 'float', bits: 32 }, values)]);
    expect(find(index, { price: 19.99 })).toEqual([0]);
    expect(find(index, { price: { $lte: 19.99, $gte: 0.1 } })).toEqual([0, 2]);
    expect(find(index, { price: { $lt: 19.99, $gt: 0.1 } })).toEqual([]);
    expect(find(index, { price: 0 })).toEqual([3]);
    expect(find(index, { price: { $gt: 1e39 } })).toEqual([5]);
    expect(find(index, { price: { $lte: 1e39 } })).toEqual([0, 1, 2, 3, 4, 6]);
    expect(find(index, { price: 1e39 })).toEqual([]);
  });

  it('as 64-bit integers: text reaches every one, and ranges may have a fraction', async () => {
    const index = await indexOf([
      column('id', { kind: 'int', bits: 64, signed: true }, [2n ** 53n, 2n ** 53n + 1n, -(2n ** 63n), 2n, 3n]),
      column('big', { kind: 'int', bits: 64, signed: false }, [2n ** 64n - 1n, 0n, 2n ** 63n, 5n, 6n]),
    ]);
    expect(find(index, { id: '9007199254740993' })).toEqual([1]);
    expect(find(index, { id: { $in: ['9007199254740992', 2] } })).toEqual([0, 3]);
    expect(find(index, { id: { $gt: 2.5 } })).toEqual([0, 1, 4]);
    expect(find(index, { id: { $lt: '-9223372036854775807' } })).toEqual([2]);
    expect(find(index, { big: { $gte: '9223372036854775808' } })).toEqual([0, 2]);
    expect(find(index, { big: { $gte: -1 } })).toEqual([0, 1, 2, 3, 4]);
    expect(find(index, { big: -1 })).toEqual([]);
  });

  it('as dates and times, with offsets and before 1970', async () => {
    const day = 86_400_000n;
    const index = await indexOf([
      column('day', { kind: 'date', unit: 'day' }, [0, -1, 19_782]),
      column('ms', { kind: 'date', unit: 'ms' }, [0n, -1n, 19_782n * day + 5n]),
      column('us', { kind: 'timestamp', unit: 'us', timezone: 'UTC' }, [0n, -1n, 1_704_067_200_000_000n]),
    ]);
    expect(find(index, { day: '2024-02-29' })).toEqual([2]);
    expect(find(index, { day: { $lt: '1970-01-01' } })).toEqual([1]);
    expect(find(index, { ms: { $in: ['1969-12-31', '2024-02-29'] } })).toEqual([1, 2]);
    expect(find(index, { ms: { $lte: '2024-02-29', $gt: '1970-01-01' } })).toEqual([2]);
    expect(find(index, { us: '2024-01-01' })).toEqual([2]);
    expect(find(index, { us: '2024-01-01T05:30:00+05:30' })).toEqual([2]);
    expect(find(index, { us: { $lt: '1970-01-01T00:00:00.0000005Z' } })).toEqual([0, 1]);
    expect(find(index, { us: '1969-12-31T23:59:59.999999' })).toEqual([1]);
  });
});

describe('bounds beyond what a column can hold', () => {
  const int = (bits: 8 | 16 | 32 | 64, signed: boolean): ColumnType => ({ kind: 'int', bits, signed });
  const columns = [
    column('byte', int(8, true), [-128, 0, 127]),
    column('int', int(32, true), [-(2 ** 31), 0, 2 ** 31 - 1]),
    column('uint', int(32, false), [0, 1, 2 ** 32 - 1]),
    column('wide', int(64, true), [-(2n ** 63n), 0n, 2n ** 63n - 1n]),
    column('uwide', int(64, false), [0n, 1n, 2n ** 64n - 1n]),
    column('single', { kind: 'float', bits: 32 }, [-3e38, 0, 3e38]),
    column('half', { kind: 'float', bits: 16 }, [-65_504, 0, 65_504]),
    column('day', { kind: 'date', unit: 'day' }, [-(2 ** 31), 0, 2 ** 31 - 1]),
    column('ns', { kind: 'timestamp', unit: 'ns', timezone: null }, [-(2n ** 63n), 0n, 2n ** 63n - 1n]),
  ];
  const cases: readonly (readonly [string, unknown, unknown])[] = [
    ['byte', 3_000_000_000, -3_000_000_000],
    ['int', 3_000_000_000, -1e18],
    ['uint', 1e300, -1],
    ['wide', '99999999999999999999', '-99999999999999999999999999'],
    ['wide', 2 ** 63, -(2 ** 64)],
    ['uwide', 2 ** 65, -1],
    ['uwide', JSON.parse('1e999'), '-1'],
    ['single', 1e39, -1e39],
    ['half', 70_000, -1e300],
    ['day', '+9999999-12-31', '-9999999-01-01'],
    ['ns', '9999-12-31', '0001-01-01T00:00:00Z'],
  ];

  it.each(cases)('of %s: %j and %j', async (name, above, below) => {
    const index = await indexOf(columns);
    for (let prepared = 0; prepared < 2; prepared++) {
      for (const passing of [{ $lt: above }, { $lte: above }, { $gt: below }, { $gte: below }, { $ne: above }, { $nin: [above, below] }]) {
        expect(find(index, { [name]: passing }), JSON.stringify(passing)).toEqual([0, 1, 2]);
      }
      for (const failing of [{ $gt: above }, { $gte: above }, { $lt: below }, { $lte: below }, { $eq: above }, { $in: [above, below] }]) {
        expect(find(index, { [name]: failing }), JSON.stringify(failing)).toEqual([]);
      }
      await index.prepare();
    }
  }); // prettier-ignore
});

describe('infinite values', () => {
  it('are values like others, and NaN is none', async () => {
    for (const bits of [16, 32, 64] as const) {
      const index = await indexOf([column('f', { kind: 'float', bits }, [1, Infinity, -Infinity, NaN, null, -2])]);
      for (let prepared = 0; prepared < 2; prepared++) {
        expect(find(index, { f: 'Infinity' })).toEqual([1]);
        expect(find(index, { f: { $in: ['-Infinity', 1] } })).toEqual([0, 2]);
        expect(find(index, { f: { $lt: 'Infinity' } })).toEqual([0, 2, 5]);
        expect(find(index, { f: { $lte: 'Infinity' } })).toEqual([0, 1, 2, 5]);
        expect(find(index, { f: { $gt: '-Infinity' } })).toEqual([0, 1, 5]);
        expect(find(index, { f: { $gt: 'Infinity' } })).toEqual([]);
        expect(find(index, { f: { $exists: true } })).toEqual([0, 1, 2, 5]);
        expect(find(index, { f: { $lt: 1e300 } })).toEqual([0, 2, 5]);
        expect(find(index, { f: { $gt: 1e300 } })).toEqual([1]);
        await index.prepare();
      }
      const removed = index.explain(parseFilter({ f: { $lt: 5 } }, index.schema), [1, 3]);
      expect(removed.map((parts) => parts.map(({ value }) => value))).toEqual([['Infinity'], [null]]);
    }
  });
});

describe('dates', () => {
  it('take the midnight of their day, and times within a day as bounds', async () => {
    const day = 86_400_000n;
    const index = await indexOf([
      column('day', { kind: 'date', unit: 'day' }, [0, 1, 2]),
      column('ms', { kind: 'date', unit: 'ms' }, [0n, day, 2n * day]),
      column('s', { kind: 'timestamp', unit: 's', timezone: null }, [0n, 86_400n, 172_800n]),
    ]);
    for (const name of ['day', 'ms', 's']) {
      expect(find(index, { [name]: '1970-01-02T00:00:00' })).toEqual([1]);
      expect(find(index, { [name]: { $in: ['1970-01-02T00:00:00Z', '1970-01-02T19:00:00-0500'] } })).toEqual([1, 2]);
      expect(find(index, { [name]: { $gt: '1970-01-01T12:00' } })).toEqual([1, 2]);
      expect(find(index, { [name]: { $lte: '1970-01-02T23:59:59.999999999' } })).toEqual([0, 1]);
      expect(find(index, { [name]: { $lt: '1970-01-02T02:00:00+0200' } })).toEqual([0]);
      expect(find(index, { [name]: { $lt: '1970-01-02T02:00:00+02' } })).toEqual([0]);
    }
  });
});

describe('lists of integers', () => {
  const types: readonly ColumnType[] = [
    ...([8, 16, 32] as const).map((bits): ColumnType => ({ kind: 'int', bits, signed: true })),
    { kind: 'int', bits: 16, signed: false },
  ];

  it.each(types)('are filtered by their items: %j', async (item) => {
    const lists = [[1, 2], [], null, [2, 2], [null, 3], [1, 2, 3]];
    const index = await indexOf([column('l', { kind: 'list', item, size: null }, lists)]);
    for (let prepared = 0; prepared < 2; prepared++) {
      expect(find(index, { l: { $contains: 2 } })).toEqual([0, 3, 5]);
      expect(find(index, { l: { $containsAny: [1, 3, 3] } })).toEqual([0, 4, 5]);
      expect(find(index, { l: { $containsAll: [2, 1, 2] } })).toEqual([0, 5]);
      expect(find(index, { l: { $containsAny: [1e12, 3] } })).toEqual([4, 5]);
      expect(find(index, { l: { $containsAll: [1e12, 3] } })).toEqual([]);
      expect(find(index, { $not: { l: { $contains: 2 } } })).toEqual([1, 2, 4]);
      expect(find(index, { l: { $exists: false } })).toEqual([2]);
      await index.prepare();
    }
  });

  it('of 64 bits and of one length too', async () => {
    const item: ColumnType = { kind: 'int', bits: 64, signed: false };
    const big = 2n ** 64n - 1n;
    const index = await indexOf([column('l', { kind: 'list', item, size: 2 }, [[1n, big], [big, 2n], [3n, 4n]])]);
    for (let prepared = 0; prepared < 2; prepared++) {
      expect(find(index, { l: { $contains: String(big) } })).toEqual([0, 1]);
      expect(find(index, { l: { $containsAll: [1, String(big)] } })).toEqual([0]);
      expect(find(index, { l: { $containsAny: [2, '3'] } })).toEqual([1, 2]);
      await index.prepare();
    }
  }); // prettier-ignore
});

describe('ids', () => {
  const names = ['a', 'b', 'c', '7'];
  const ids = { count: 4, find: (id: string) => names.indexOf(id), text: (ordinal: number) => names[ordinal]! };
  const attributes = storeOf([column('n', INT, [1, 2, 3, 4])], [4]);
  const make = async () => new FilterIndex({ count: 4, attributes: await attributes, ids, shards: dealShards(4, 1) });

  it('are filtered by the name id', async () => {
    const index = await make();
    expect(find(index, { id: 'b' })).toEqual([1]);
    expect(find(index, { id: { $in: ['c', 'nobody', 7] } })).toEqual([2, 3]);
    expect(find(index, { id: { $nin: ['a', 'c'] }, n: { $lt: 4 } })).toEqual([1]);
    expect(find(index, { id: { $ne: 'a' } })).toEqual([1, 2, 3]);
    expect(find(index, { $or: [{ id: 'a' }, { id: 'c' }, { n: 4 }] })).toEqual([0, 2, 3]);
    expect(find(index, { $not: { id: { $in: ['a', 'b'] } } })).toEqual([2, 3]);
    expect(index.explain(parseFilter({ id: { $in: ['a'] } }, index.schema), [1, 0])).toEqual([
      [{ path: '/id', operator: '$in', attribute: 'id', value: 'b' }].map((one) => ({ ...one, path: '/id/$in' })),
      [],
    ]);
  });

  it('leave the name to an attribute that has it', async () => {
    const own = await storeOf([column('id', INT, [1, 2, 3, 4])], [4]);
    const index = new FilterIndex({ count: 4, attributes: own, ids, shards: dealShards(4, 1) });
    expect(find(index, { id: { $gt: 2 } })).toEqual([2, 3]);
  });

  it('are all that a version without attributes is filtered by', () => {
    const index = new FilterIndex({ count: 4, attributes: null, ids, shards: dealShards(4, 1) });
    expect(find(index, { id: 'c' })).toEqual([2]);
    expect(() => parseFilter({ n: 1 }, index.schema)).toThrow(/the index has no attributes/);
  });
});

describe('a column of more texts than a dictionary holds', () => {
  const random = seededRandom(4004);
  const texts = Array.from({ length: 80_000 }, (_, i) =>
    i % 7 === 0 ? null : `item ${i % 60_000}-${random() < 0.5 ? i : 'é'}`,
  );
  const want = (passes: (text: string) => boolean) =>
    texts.flatMap((text, row) => (text !== null && passes(text) ? [row] : []));
  const some = [texts[1]!, texts[69_998]!, texts[5_000]!, 'absent'];

  it.each([false, true])('is filtered by texts, parts and ranges, prepared: %s', async (prepared) => {
    const distinct = texts.map((text, i) => text && `${text} ${i}`);
    const index = await indexOf([
      column('t', TEXT, distinct),
      column(
        'n',
        INT,
        texts.map((_, i) => i % 100),
      ),
    ]);
    if (prepared) await index.prepare();
    const wanted = [distinct[1]!, distinct[69_998]!, 'absent'];
    expect(find(index, { t: wanted[0] })).toEqual([1]);
    expect(find(index, { t: { $in: wanted } })).toEqual([1, 69_998]);
    expect(find(index, { t: { $in: wanted }, n: 98 })).toEqual([69_998]);
    expect(find(index, { t: { $nin: wanted } })).toHaveLength(want(() => true).length - 2);
    expect(find(index, { t: { $contains: 'é 69' } })).toEqual(
      want((text) => text.endsWith('é')).filter((row) => String(row).startsWith('69')),
    );
    expect(find(index, { t: { $gte: 'item 9' } })).toEqual(want((text) => text >= 'item 9'));
  });

  it('is as right where texts repeat, at the edge of what a dictionary holds', async () => {
    const index = await indexOf([column('t', TEXT, texts)]);
    const set = new Set(some);
    for (let i = 0; i < 2; i++) {
      expect(find(index, { t: { $in: some } })).toEqual(want((text) => set.has(text)));
      expect(find(index, { t: { $contains: '-é' } })).toEqual(want((text) => text.endsWith('-é')));
      await index.prepare();
    }
  });
});

describe('texts', () => {
  it('are not found across the border of two rows', async () => {
    const index = await indexOf([column('t', TEXT, ['a', 'b', 'ab', '', 'aa', 'aab', null, 'b'])]);
    expect(find(index, { t: { $contains: 'ab' } })).toEqual([2, 5]);
    expect(find(index, { t: { $contains: 'aaa' } })).toEqual([]);
  });

  it('are told apart where their hashes are equal', async () => {
    const [a, b] = findCollision();
    const many = Array.from({ length: 70_000 }, (_, i) => `text ${i}`);
    for (const values of [
      [a, b, a],
      [a, b, a, ...many],
    ]) {
      const index = await indexOf([column('t', TEXT, values)]);
      for (let i = 0; i < 2; i++) {
        expect(find(index, { t: a })).toEqual([0, 2]);
        expect(find(index, { t: { $in: [b, 'absent'] } })).toEqual([1]);
        await index.prepare();
      }
    }
  });
});

/** Two texts of one hash, which differs from process to process: among 400,000 texts there are some twenty such pairs. */
function findCollision(): [string, string] {
  const known = new Map<number, string>();
  const random = seededRandom(4009);
  for (;;) {
    const text = `${random().toString(36)}${random().toString(36)}`;
    const hash = hashBytes(Buffer.from(text), 0, text.length);
    const other = known.get(hash);
    if (other !== undefined && other !== text) return [other, text];
    known.set(hash, text);
  }
}

describe('an index of filters', () => {
  const random = seededRandom(4005);
  const columns = [
    column(
      'category',
      TEXT,
      Array.from({ length: 5_000 }, () => `c${Math.floor(random() * 40)}`),
    ),
    column(
      'price',
      { kind: 'float', bits: 64 },
      Array.from({ length: 5_000 }, () => random() * 100),
    ),
    column(
      'tags',
      { kind: 'list', item: TEXT, size: null },
      Array.from({ length: 5_000 }, (_, i) => [`t${i % 9}`, `t${i % 7}`]),
    ),
  ];

  it('answers a filter it knows with the same object, however it is written', async () => {
    const index = await indexOf(columns);
    const first = index.select(parseFilter({ category: 'c1', price: { $lt: 50 } }, index.schema));
    expect(index.select(parseFilter({ price: { $lt: 50 }, category: { $in: ['c1'] } }, index.schema))).toBe(first);
    expect(index.select(parseFilter({ category: 'c1', price: { $lt: 51 } }, index.schema))).not.toBe(first);
  });

  it('keeps its memory within bounds, whatever is asked', async () => {
    const [cacheBytes, indexBytes] = [16_384, 40_000];
    const index = await indexOf(columns, { cacheBytes, indexBytes });
    for (let i = 0; i < 200; i++) {
      find(index, { category: { $in: [`c${i % 40}`, `c${i % 7}`] }, price: { $gt: i / 2 } });
      expect(index.residentBytes).toBeLessThanOrEqual(cacheBytes + indexBytes);
    }
    expect(index.residentBytes).toBeGreaterThan(indexBytes / 2);
  });

  it('answers alike before, while and after it is prepared, and after many filters', async () => {
    const index = await indexOf(columns);
    const price = columns[1]!.values as readonly number[];
    const check = (i: number): void => {
      const rows = price.flatMap((value, row) => (value > i && value <= i + 30 ? [row] : []));
      expect(find(index, { price: { $gt: i, $lte: i + 30 } })).toEqual(rows);
    };
    for (let i = 0; i < 12; i++) check(i / 2);
    const preparing = index.prepare();
    for (let i = 12; i < 20; i++) {
      check(i);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await preparing;
    for (let i = 20; i < 24; i++) check(i);
    expect(index.usedAttributes).toEqual(['price', 'category', 'tags']);
  });

  it('does not let one result change another', async () => {
    const index = await indexOf(columns);
    const before = find(index, { category: 'c3' });
    find(index, { category: 'c3', price: { $gt: 50 } });
    find(index, { $or: [{ category: 'c3' }, { price: { $lt: 1 } }] });
    find(index, { $not: { category: 'c3' } });
    expect(find(index, { $and: [{ category: 'c3' }, {}] })).toEqual(before);
  });

  it('splits what passes over shards, also those without a row', async () => {
    const attributes = await storeOf(columns, [5_000]);
    const shards = [...dealShards(5_000, 3), { ordinals: new Uint32Array(0) }];
    const index = new FilterIndex({ count: 5_000, attributes, shards });
    const whole = find(await indexOf(columns), { tags: { $contains: 't3' } });
    const selection = index.select(parseFilter({ tags: { $contains: 't3' } }, index.schema));
    const found = selection.shards.flatMap(({ rows }, shard) =>
      [...shards[shard]!.ordinals].filter((_, row) => rows.has(row)),
    );
    expect(found.sort((a, b) => a - b)).toEqual(whole);
    expect(selection.shards.map(({ count }) => count)[3]).toBe(0);
    expect(selection.count).toBe(whole.length);
  });

  it('refuses a plan of another version', async () => {
    const [one, other] = [await indexOf(columns), await indexOf(columns)];
    expect(() => one.select(parseFilter({}, other.schema))).toThrow(/another version/);
  });

  it('of a version without attributes or rows knows {} alone', () => {
    const index = new FilterIndex({ count: 40, attributes: null, shards: dealShards(40, 1) });
    expect(find(index, {})).toHaveLength(40);
    expect(() => parseFilter({ a: 1 }, index.schema)).toThrow(/the index has no attributes/);
    const empty = new FilterIndex({ count: 0, attributes: null, shards: [{ ordinals: new Uint32Array(0) }] });
    expect(find(empty, {})).toEqual([]);
  });
});

describe('an explanation', async () => {
  const index = await indexOf([
    column('price', INT, [5, 20, null]),
    column('tags', { kind: 'list', item: TEXT, size: null }, [['a'], ['b'], null]),
  ]);
  const explain = (filter: unknown, ordinal: number) =>
    index.explain(parseFilter(filter, index.schema, '/filter'), [ordinal])[0]!;

  it('names each clause that removes the row by itself, and what the row has', () => {
    const filter = { price: { $gte: 10, $lt: 50 }, $and: [{ tags: { $contains: 'b' } }] };
    expect(explain(filter, 1)).toEqual([]);
    expect(explain(filter, 0)).toEqual([
      { path: '/filter/price/$gte', operator: '$gte', attribute: 'price', value: 5 },
      { path: '/filter/$and/0/tags/$contains', operator: '$contains', attribute: 'tags', value: ['a'] },
    ]);
    expect(explain(filter, 2).map(({ path, value }) => [path, value])).toEqual([
      ['/filter/price/$gte', null],
      ['/filter/price/$lt', null],
      ['/filter/$and/0/tags/$contains', null],
    ]);
  });

  it('names $or and $not as a whole', () => {
    expect(explain({ $or: [{ price: 1 }, { price: 2 }] }, 0)).toEqual([
      { path: '/filter/$or', operator: '$or', attribute: null },
    ]);
    expect(explain({ price: { $not: { $lt: 10 } } }, 0)).toEqual([
      { path: '/filter/price/$not', operator: '$not', attribute: null },
    ]);
  });
});

const DATA = process.env['SHORTLIST_TEST_DATA'];

describe.skipIf(DATA === undefined)('65,778 real products (needs SHORTLIST_TEST_DATA)', () => {
  it.each<[string, unknown]>([
    ['price_lt_100', { price: { $lt: 100 } }],
    ['memory_price_lt_150', { category: 'memory', price: { $lt: 150 } }],
    ['price_gte_2000', { price: { $gte: 2000 } }],
    ['price_null', { price: null }],
  ])('pass %s as the published truth has it', async (name, filter) => {
    const reader = await openArrow(`${DATA!}/pcparts/base.zstd.arrow`);
    const wanted = ['category', 'price'].map((field) => reader.fields.findIndex((found) => found.name === field));
    const columns = wanted.map((): AttributeChunk[] => []);
    for await (const chunk of reader.read(wanted)) {
      chunk.columns.forEach((one, i) => columns[i]!.push({ first: chunk.firstRow, column: one }));
    }
    await reader.close();
    const attributes = new AttributeStore(
      reader.rows,
      wanted.map((position, i) => new AttributeColumn(reader.fields[position]!, reader.rows, columns[i]!)),
    );
    const index = new FilterIndex({ count: reader.rows, attributes, shards: dealShards(reader.rows, 1) });
    const passing = new Set(find(index, filter));
    const truth = await openArrow(`${DATA!}/pcparts/truth_${name}.arrow`);
    let neighbours = 0;
    for await (const { columns: lists } of truth.read([
      truth.fields.findIndex((field) => field.name === 'neighbors'),
    ])) {
      const list = lists[0]!;
      if (list.shape !== 'lists' || list.items.shape !== 'numbers')
        throw new Error('neighbors are no lists of numbers');
      for (const row of list.items.values) expect(passing.has(Number(row))).toBe(true);
      neighbours += list.items.rows;
    }
    await truth.close();
    expect(neighbours).toBeGreaterThan(50_000);
  });
});
