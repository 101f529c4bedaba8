/**
 * The filters that cost most, by their bounds: what somebody could send who wants a server to stand still. Each is named,
 * and made for the columns of `extreme-rows.ts`.
 */
import {
  MAX_FILTER_CLAUSES,
  MAX_FILTER_DEPTH,
  MAX_FILTER_ITEMS,
  MAX_FILTER_LIST,
  MAX_FILTER_TEXT,
} from '../../src/retrieve/filter/filter-plan.js';

type Json = Record<string, unknown>;

const CLAUSES = MAX_FILTER_CLAUSES;

/** Items of a list where every clause has one. */
const SHORT = Math.floor(MAX_FILTER_ITEMS / CLAUSES);

function range<T>(count: number, make: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(i));
}

/** As many full lists as may be. */
function lists(make: (i: number) => unknown): unknown[][] {
  return range(MAX_FILTER_ITEMS / MAX_FILTER_LIST, (list) =>
    range(MAX_FILTER_LIST, (i) => make(list * MAX_FILTER_LIST + i)),
  );
}

const word = (i: number) => `w${(i * 7_919) % 100_003}x`;
const nasty = (i: number) => `${'aaaaaaaaaba'.repeat(20).slice(0, 60 + (i % 60))}${i}`;

const LEAVES: readonly (readonly [string, (i: number) => Json])[] = [
  ['parts', (i) => ({ text: { $contains: word(i) } })],
  ['frequent parts', (i) => ({ text: { $contains: `${String.fromCharCode(97 + (i % 26))}${i > 25 ? i % 10 : ''}` } })],
  ['nasty parts', (i) => ({ text: { $contains: nasty(i) } })],
  ['nasty parts of runs', (i) => ({ runs: { $contains: nasty(i) } })],
  ['runs', (i) => ({ runs: { $contains: 'a'.repeat(1 + (i % 130)) } })],
  ['ranges of texts', (i) => ({ text: { [i % 2 === 0 ? '$gt' : '$lt']: word(i) } })],
  ['ranges of runs', (i) => ({ runs: { [i % 2 === 0 ? '$gt' : '$lt']: `${'a'.repeat(120)}${i}` } })],
  ['other texts', (i) => ({ text: { $ne: word(i) } })],
  ['shops', (i) => ({ shop: { $contains: String(i) } })],
  ['tags', (i) => ({ tags: { $containsAll: [`tag${i}`, `tag${i + 1}`] } })],
  ['codes', (i) => ({ codes: { $containsAny: range(SHORT, (j) => i * SHORT + j) } })],
  ['prices', (i) => ({ price: { $gt: i, $lt: i + 500.5 } })],
  ['floats', (i) => ({ weight: { $ne: i / 8 } })],
  ['wide integers', (i) => ({ views: { $nin: range(SHORT, (j) => i * SHORT + j) } })],
  ['bools', (i) => ({ sale: { $ne: i % 2 === 0 } })],
  ['days', (i) => ({ made: { $lt: `20${10 + (i % 90)}-01-01` } })],
  ['moments', (i) => ({ seen: { $gt: `2024-01-01T00:00:00.${i}Z` } })],
  ['nulls', (i) => ({ weight: { $exists: i % 2 === 0 } })],
  ['ids', (i) => ({ id: { $ne: `item ${i}` } })],
];

/** Each kind of clause as many times as may be, under each joint. */
export function extremeFilters(): (readonly [string, Json])[] {
  const filters: [string, Json][] = [];
  for (const [name, leaf] of LEAVES) {
    const clauses = name === 'prices' ? CLAUSES / 2 : CLAUSES;
    const leaves = range(clauses, leaf);
    filters.push([`$or of ${name}`, { $or: leaves }]);
    filters.push([`$and of ${name}`, { $and: leaves }]);
    filters.push([`$and of $not of ${name}`, { $and: leaves.map((one) => ({ $not: one })) }]);
    filters.push([`$or of pairs of ${name}`, { $or: range(clauses / 2, (i) => ({ $and: [leaves[2 * i], leaves[2 * i + 1]] })) }]); // prettier-ignore
  }
  const everything = range(CLAUSES - CLAUSES / 8, (i) => LEAVES[i % LEAVES.length]![1](i));
  filters.push(['$or of everything', { $or: everything }]);
  filters.push(['$or of everything under ids', { $and: [{ id: { $in: range(9_000, (i) => `item ${i * 97}`) } }, { $or: everything.slice(1) }] }]); // prettier-ignore
  const joined: readonly (readonly [string, string, string, (i: number) => unknown])[] = [
    ['texts', 'text', '$in', (i) => `${word(i)} ${word(i + 1)}`],
    ['texts of one beginning', 'runs', '$in', (i) => `${'a'.repeat(120)}${i}`],
    ['other texts', 'text', '$nin', (i) => `${word(i)} ${word(i + 1)}`],
    ['shops', 'shop', '$in', (i) => `shop ${i}`],
    ['tags', 'tags', '$containsAny', (i) => `tag${i}`],
    ['tags, all', 'tags', '$containsAll', (i) => `tag${i % 5_000}`],
    ['codes', 'codes', '$containsAny', (i) => i],
    ['prices', 'price', '$in', (i) => 3 * i],
    ['floats', 'weight', '$in', (i) => i / 8],
    ['other floats', 'weight', '$nin', (i) => i / 8],
    ['wide integers', 'views', '$in', (i) => String(5 * i)],
    ['days', 'made', '$in', (i) => new Date(86_400_000 * (i % 40_000)).toISOString().slice(0, 10)],
    ['moments', 'seen', '$nin', (i) => new Date(1.7e12 + i).toISOString()],
    ['ids', 'id', '$in', (i) => `item ${(i * 31) % 2_000_000}`],
    ['other ids', 'id', '$nin', (i) => `item ${(i * 31) % 2_000_000}`],
  ];
  for (const [name, attribute, operator, make] of joined) {
    filters.push([`full lists of ${name}`, { $or: lists(make).map((values) => ({ [attribute]: { [operator]: values } })) }]); // prettier-ignore
  }
  filters.push(['long texts', { $or: range(CLAUSES, (i) => ({ text: `${'x'.repeat(MAX_FILTER_TEXT - 8)}${i}` })) }]); // prettier-ignore
  filters.push([
    'long parts',
    { $or: range(15, (i) => ({ runs: { $contains: `${'a'.repeat(MAX_FILTER_TEXT - 3)}${i}` } })) },
  ]);
  filters.push(['depth', range(MAX_FILTER_DEPTH / 2 - 1, (i) => i).reduce<Json>((inner, i) => ({ $and: [{ $not: inner }, { text: { $contains: word(i) } }] }), { runs: { $contains: 'ab' } })]); // prettier-ignore
  return filters;
}
