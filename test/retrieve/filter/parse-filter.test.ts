import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ColumnType } from '../../../src/arrow/column.js';
import { ShortlistError } from '../../../src/base/errors.js';
import {
  filterSchema,
  MAX_FILTER_CLAUSES,
  MAX_FILTER_DEPTH,
  MAX_FILTER_ITEMS,
  MAX_FILTER_LIST,
} from '../../../src/retrieve/filter/filter-plan.js';
import { parseFilter } from '../../../src/retrieve/filter/parse-filter.js';

const TYPES: Readonly<Record<string, ColumnType>> = {
  category: { kind: 'utf8' },
  price: { kind: 'float', bits: 32 },
  weight: { kind: 'float', bits: 64 },
  stock: { kind: 'int', bits: 32, signed: true },
  views: { kind: 'int', bits: 64, signed: true },
  sale: { kind: 'bool' },
  made: { kind: 'date', unit: 'day' },
  seen: { kind: 'timestamp', unit: 'ms', timezone: null },
  tags: { kind: 'list', item: { kind: 'utf8' }, size: null },
  codes: { kind: 'list', item: { kind: 'int', bits: 32, signed: true }, size: null },
  'a/b~c': { kind: 'utf8' },
  $odd: { kind: 'bool' },
};
const schema = filterSchema(
  Object.entries(TYPES).map(([name, type]) => ({ name, type })),
  true,
);

function keyOf(filter: unknown): string {
  return parseFilter(filter, schema).key;
}

function problemOf(filter: unknown): ShortlistError {
  try {
    parseFilter(filter, schema);
  } catch (error) {
    if (error instanceof ShortlistError) return error;
    throw error;
  }
  throw new Error(`${JSON.stringify(filter)} was taken`);
}

/** More than are sorted. */
function many(prefix: string): string[] {
  return Array.from({ length: 100 }, (_, i) => `${prefix}${i}`);
}

function nest(depth: number): unknown {
  return depth === 1 ? { stock: 1 } : { $and: [nest(depth - 1), { stock: 2 }] };
}

describe('a filter that cannot be meant is bad_filter with the path of the clause', () => {
  it.each<[string, unknown, string, RegExp]>([
    ['no object', [], '', /a filter is an object.*not a list/],
    ['null', null, '', /not null/],
    ['an unknown attribute', { prize: 1 }, '/prize', /no attribute "prize".*did you mean price/],
    ['an attribute of every object', { constructor: 1 }, '/constructor', /no attribute "constructor"/],
    ['an unknown operator', { price: { $gtt: 1 } }, '/price/$gtt', /"\$gtt" is not an operator on "price".*did you mean \$gt/],
    ['an operator without its sign', { price: { gte: 1 } }, '/price/gte', /did you mean \$gte/],
    ['an unknown joint', { $nor: [{ stock: 1 }] }, '/$nor', /"\$nor" is not an operator.*did you mean \$or/],
    ['an operator without an attribute', { $gt: 5 }, '/$gt', /write it under an attribute/],
    ['a joint under an attribute', { price: { $or: [1] } }, '/price/$or', /write it outside/],
    ['a text for a number', { price: '19.99' }, '/price', /takes a number, "Infinity" or "-Infinity", not the text "19\.99"/],
    ['a number for a text', { category: 3 }, '/category', /takes a text, not the number 3/],
    ['a number for a bool', { sale: 1 }, '/sale', /takes true or false/],
    ['a list where a value is wanted', { category: ['a'] }, '/category', /takes a text, not a list/],
    ['a fraction of an integer', { stock: 2.5 }, '/stock', /takes whole numbers here/],
    ['text for a short integer', { stock: '2' }, '/stock', /takes a number/],
    ['text that is no integer', { views: '2.0' }, '/views', /whole number or its decimal text/],
    ['a number that JSON has rounded', { views: 2 ** 53 }, '/views', /write the number as text/],
    ['NaN', { weight: 'NaN' }, '/weight', /NaN counts as null/],
    ['a day that is not', { made: '2023-02-29' }, '/made', /takes a date/],
    ['a time within a date', { made: '2023-02-28T12:00:00Z' }, '/made', /takes whole days here/],
    ['an offset that is none', { seen: '2024-01-01T00:00:00+2' }, '/seen', /takes a time/],
    ['a number for a time', { seen: { $gt: 1.7e12 } }, '/seen/$gt', /takes a time/],
    ['an hour that is not', { seen: { $gt: '2024-01-01T24:00:00Z' } }, '/seen/$gt', /takes a time/],
    ['a time finer than its column', { seen: '2024-01-01T00:00:00.0001Z' }, '/seen', /times in whole ms/],
    ['a range of bools', { sale: { $gt: true } }, '/sale/$gt', /supports \$eq, \$ne, \$in, \$nin, \$exists, not \$gt/],
    ['a part of a number', { stock: { $contains: '1' } }, '/stock/$contains', /not \$contains/],
    ['a list by $in', { tags: { $in: ['a'] } }, '/tags/$in', /\$containsAny to find any of several items/],
    ['a text among integers', { codes: { $contains: 'a' } }, '/codes/$contains', /takes a number/],
    ['a fraction among integers', { codes: { $containsAny: [1, 2.5] } }, '/codes/$containsAny/1', /whole numbers/],
    ['no list of items', { tags: { $containsAll: 'a' } }, '/tags/$containsAll', /takes a list/],
    ['no items', { tags: { $containsAny: [] } }, '/tags/$containsAny', /at least one value/],
    ['null among items', { tags: { $containsAny: ['a', null] } }, '/tags/$containsAny/1', /cannot contain null/],
    ['a range of ids', { id: { $gt: '1' } }, '/id/$gt', /"id" \(ids\) supports \$eq, \$ne, \$in, \$nin, not \$gt/],
    ['no id', { id: null }, '/id', /takes an id, a text or a whole number/],
    ['a fraction as id', { id: { $in: ['a', 1.5] } }, '/id/$in/1', /takes an id/],
    ['a list by a value', { tags: 'a' }, '/tags', /use \$contains to find an item/],
    ['null in a range', { price: { $gt: null } }, '/price/$gt', /cannot be null/],
    ['null in a list', { price: { $in: [1, null] } }, '/price/$in/1', /add \{"\$eq": null\} with \$or/],
    ['a wrong item', { category: { $nin: ['a', 'b', 4] } }, '/category/$nin/2', /takes a text, not the number 4/],
    ['an empty $in', { category: { $in: [] } }, '/category/$in', /at least one value/],
    ['an empty $nin', { category: { $nin: [] } }, '/category/$nin', /at least one value/],
    ['$in without a list', { category: { $in: 'a' } }, '/category/$in', /takes a list/],
    ['an empty $and', { $and: [] }, '/$and', /at least one filter/],
    ['an empty $or', { $or: [] }, '/$or', /at least one filter/],
    ['$or without a list', { $or: { stock: 1 } }, '/$or', /takes a list of filters/],
    ['a condition of nothing', { price: {} }, '/price', /the condition on "price" is empty/],
    ['$not of everything', { $not: {} }, '/$not', /\$not passes none/],
    ['$exists of no bool', { price: { $exists: 1 } }, '/price/$exists', /takes true or false/],
    ['half a character', { category: '\ud83d' }, '/category', /surrogate/],
    ['a wrong clause deep inside', { $or: [{ stock: 1 }, { $not: { 'a/b~c': 5 } }] }, '/$or/1/$not/a~1b~0c', /takes a text/],
    ['nesting too deep', nest(MAX_FILTER_DEPTH + 1), '/$and/0'.repeat(MAX_FILTER_DEPTH), /at most 16 deep/],
  ])('%s', (_, filter, path, message) => {
    const error = problemOf(filter);
    expect(error.code).toBe('bad_filter');
    expect(error.message).toMatch(message);
    expect(error.details['path']).toBe(path);
  }); // prettier-ignore

  it('as is one of too many clauses, branches or values', () => {
    const clauses = Array.from({ length: MAX_FILTER_CLAUSES + 1 }, (_, stock) => ({ stock }));
    expect(problemOf({ $or: clauses }).message).toMatch(/at most 256 clauses/);
    expect(problemOf({ $and: [{ $or: clauses.slice(0, 200) }, { $or: clauses.slice(0, 57) }] }).message).toMatch(/256/);
    expect(problemOf({ $and: clauses.map(() => ({})) }).code).toBe('bad_filter');
    const values = Array.from({ length: MAX_FILTER_LIST + 1 }, (_, i) => i);
    expect(problemOf({ stock: { $in: values } }).message).toMatch(/up to 10000 values/);
    expect(problemOf({ category: 'x'.repeat(4_097) }).message).toMatch(/4096 characters/);
    const lists = Array.from({ length: 3 }, () => ({ stock: { $in: values.slice(1) } }));
    expect(problemOf({ $or: lists }).message).toMatch(/at most 20000 items/);
    const parts = clauses.slice(1).map((_, i) => ({ category: { $contains: `${i}`.padEnd(257) } }));
    expect(problemOf({ $or: parts }).message).toMatch(/all \$contains texts .* at most 65536 bytes/);
    const empty = Array.from({ length: 40 }, () => ({ $and: Array.from({ length: 40 }, () => ({})) }));
    expect(problemOf({ $and: empty }).message).toMatch(/at most 1024 filters/);
  });

  it('with paths that begin where the filter stands, and what was probably meant', () => {
    expect(() => parseFilter({ prize: 1 }, schema, '/filter')).toThrow(/the filter at \/filter\/prize:/);
    expect(problemOf({ prize: 1 }).details).toEqual({ path: '/prize', attribute: 'prize', suggestion: 'price' });
    expect(problemOf({ price: { $lq: 1 } }).details).toMatchObject({ path: '/price/$lq', operator: '$lq' });
  });

  it('and does not follow what hides in a prototype', () => {
    expect(problemOf(JSON.parse('{"__proto__": {"stock": 1}}')).details['path']).toBe('/__proto__');
  });
});

describe('whatever JSON comes', () => {
  const names = [
    ...Object.keys(TYPES),
    '$and',
    '$or',
    '$not',
    '$eq',
    '$in',
    '$gt',
    '$contains',
    '$exists',
    'x',
    '__proto__',
  ];
  const scalar = fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1.5,
    1e300,
    2 ** 60,
    '',
    'a',
    '12',
    '2024-02-29',
    '2024-02-29T10:00:00Z',
  );
  const { json } = fc.letrec((tie) => ({
    json: fc.oneof(
      { maxDepth: 5 },
      scalar,
      fc.dictionary(fc.constantFrom(...names), tie('json'), { maxKeys: 3 }),
      fc.array(tie('json'), { maxLength: 3 }),
    ),
  }));

  it('ends in a plan or in bad_filter with a path into it', () => {
    let taken = 0;
    fc.assert(
      fc.property(json, (filter) => {
        try {
          expect(parseFilter(filter, schema).key).not.toBe('');
          taken++;
        } catch (error) {
          if (!(error instanceof ShortlistError)) throw error;
          expect(error.code).toBe('bad_filter');
          const path = error.details['path'] as string;
          const reached = path
            .split('/')
            .slice(1)
            .reduce<unknown>((value, member) => {
              const name = member.replaceAll('~1', '/').replaceAll('~0', '~');
              expect(Object.hasOwn(value as object, name)).toBe(true);
              return (value as Record<string, unknown>)[name];
            }, filter);
          expect(reached).not.toBe(undefined);
        }
      }),
      { seed: 4006, numRuns: 5_000 },
    );
    expect(taken).toBeGreaterThan(50);
  });
});

describe('a filter is taken', () => {
  it('at the bounds of depth, clauses and values', () => {
    expect(parseFilter(nest(MAX_FILTER_DEPTH), schema).root.kind).toBe('and');
    const clauses = Array.from({ length: MAX_FILTER_CLAUSES }, (_, stock) => ({ stock }));
    expect(parseFilter({ $or: clauses }, schema).root.kind).toBe('or');
    const lists = Array.from({ length: MAX_FILTER_ITEMS / MAX_FILTER_LIST }, (_, list) => ({
      category: { $in: Array.from({ length: MAX_FILTER_LIST }, (_, i) => `${list} ${i}`) },
    }));
    // Keys of long lists are digests: results are kept by them.
    expect(keyOf({ $or: lists }).length).toBeLessThan(1_000);
    const parts = Array.from({ length: MAX_FILTER_CLAUSES }, (_, i) => ({
      category: { $contains: `${i}`.padEnd(256) },
    }));
    expect(parseFilter({ $or: parts }, schema).root.kind).toBe('or');
  });

  it('where it says nothing: {} passes everything', () => {
    expect(parseFilter({}, schema).root.kind).toBe('all');
    expect(keyOf({ $and: [{}, { stock: 1 }] })).toBe(keyOf({ stock: 1 }));
    expect(parseFilter({ $or: [{}, { stock: 1 }] }, schema).root.kind).toBe('all');
  });

  it('with an attribute whose name looks like an operator', () => {
    expect(parseFilter({ $odd: true }, schema).root).toMatchObject({ kind: 'clause', attribute: '$odd' });
  });
});

describe('filters of equal meaning share their results', () => {
  it.each<[string, unknown, unknown]>([
    ['a bare value and $eq', { stock: 1 }, { stock: { $eq: 1 } }],
    ['$in of one value and $eq', { stock: { $in: [1] } }, { stock: 1 }],
    ['the order of members', { stock: 1, sale: true }, { sale: true, stock: 1 }],
    ['the order and repeats of values', { category: { $in: ['b', 'a', 'b'] } }, { category: { $in: ['a', 'b'] } }],
    ['members and $and', { stock: 1, sale: true }, { $and: [{ sale: true }, { stock: 1 }] }],
    ['the order of branches', { $or: [{ stock: 1 }, { sale: true }] }, { $or: [{ sale: true }, { stock: 1 }] }],
    ['literals that the column cannot tell apart', { price: 19.99 }, { price: 19.989999771118164 }],
    ['ways to write a time', { seen: '2024-01-01T00:00:00+01:00' }, { seen: '2023-12-31 23:00' }],
    ['ways to write an integer', { views: '12' }, { views: 12 }],
    ['parts of a text, and any of them', { $or: [{ category: { $contains: 'a' } }, { category: { $contains: 'b' } }] }, { category: { $containsAny: ['b', 'a'] } }],
    ['items of a list, and all of them', { $and: [{ tags: { $contains: 'a' } }, { tags: { $contains: 'b' } }] }, { tags: { $containsAll: ['b', 'a'] } }],
    ['values of one attribute, and $in', { $or: [{ category: 'a' }, { category: 'b' }] }, { category: { $in: ['b', 'a'] } }],
    ['negations, and a negation', { $and: [{ $not: { stock: 1 } }, { $not: { sale: true } }] }, { $not: { $or: [{ sale: true }, { stock: 1 }] } }],
    ['an id as number and text', { id: 12 }, { id: { $in: ['12'] } }],
    ['a date and its midnight', { made: '2024-02-29' }, { made: '2024-02-29T00:00:00Z' }],
    ['offsets with a colon and without', { seen: '2024-01-01T00:00:00+0130' }, { seen: '2024-01-01T00:00:00+01:30' }],
    ['$exists and null', { stock: { $exists: false } }, { stock: null }],
    ['ranges that meet in one', { stock: { $gte: 1, $lte: 5 } }, { $and: [{ stock: { $gt: 0 } }, { stock: { $lt: 6 } }] }],
  ])('%s', (_, a, b) => {
    expect(keyOf(a)).toBe(keyOf(b));
  }); // prettier-ignore

  it.each<[string, unknown, unknown]>([
    ['$eq and $ne', { stock: 1 }, { stock: { $ne: 1 } }],
    ['a text and a part', { category: 'a' }, { category: { $contains: 'a' } }],
    ['$gt and $gte', { category: { $gt: 'a' } }, { category: { $gte: 'a' } }],
    ['a text that looks like two', { category: { $in: ['a', 'b'] } }, { category: 'a","b' }],
    ['and, or', { stock: 1, sale: true }, { $or: [{ stock: 1 }, { sale: true }] }],
    ['any of some items and all', { tags: { $containsAny: ['a', 'b'] } }, { tags: { $containsAll: ['a', 'b'] } }],
    ['an item that no value can be', { codes: { $containsAll: [1, 2 ** 40] } }, { codes: { $contains: 1 } }],
    ['lists of many values', { category: { $in: many('a') } }, { category: { $in: many('b') } }],
    ['a filter and its $not', { stock: 1 }, { $not: { stock: 1 } }],
  ])('but not %s', (_, a, b) => {
    expect(keyOf(a)).not.toBe(keyOf(b));
  });
});
