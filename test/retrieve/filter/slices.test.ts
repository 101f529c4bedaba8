/** Filters as work in slices: whatever is left unfinished or goes on in between, the answers are the same. */
import { describe, expect, it } from 'vitest';
import type { ColumnType } from '../../../src/arrow/column.js';
import { ShortlistError } from '../../../src/base/errors.js';
import { seededRandom } from '../../../src/base/random.js';
import { FilterIndex } from '../../../src/retrieve/filter/filter-index.js';
import { MAX_FILTER_CLAUSES, MAX_FILTER_WORK } from '../../../src/retrieve/filter/filter-plan.js';
import { parseFilter, parseFilterInSlices } from '../../../src/retrieve/filter/parse-filter.js';
import type { Test } from '../../../src/retrieve/filter/filter-plan.js';
import { allRows } from '../../../src/retrieve/filter/rows.js';
import { scanTexts } from '../../../src/retrieve/filter/text-scan.js';
import { Meter, runSync, type Work } from '../../../src/base/work.js';
import { jsonOf, matches } from './naive.js';
import { below, makeColumn, makeFilter, pick, rowOf, TYPES } from './random-filters.js';
import { dealShards, storeOf, type TestColumn } from './stores.js';

const TEXT: ColumnType = { kind: 'utf8' };

async function indexOf(columns: readonly TestColumn[], batches?: readonly number[]): Promise<FilterIndex> {
  const count = columns[0]!.values.length;
  const attributes = await storeOf(columns, batches ?? [count]);
  return new FilterIndex({ count, attributes, shards: dealShards(count, 1) });
}

/** Slices that the work takes. */
function countSlices(work: Work<unknown>): number {
  let slices = 1;
  while (work.next().done !== true) slices++;
  return slices;
}

function* selecting(index: FilterIndex, filter: unknown): Work<number[]> {
  const plan = yield* parseFilterInSlices(filter, index.schema);
  const { shards } = yield* index.selectInSlices(plan);
  const { rows } = shards[0]!;
  return Array.from({ length: rows.size }, (_, row) => row).filter((row) => rows.has(row));
}

describe('filters that go on side by side', () => {
  it('and are left unfinished pass the rows that each passes alone', async () => {
    const random = seededRandom(4020);
    for (let round = 0; round < 4; round++) {
      const columns = Array.from({ length: 4 }, (_, i) => makeColumn(random, `a${i}`, pick(random, TYPES), 9_000));
      const index = await indexOf(columns, [4_000, 5_000]);
      const rows = columns[0]!.values.map((_, ordinal) => rowOf(columns, ordinal));
      const filters = Array.from({ length: 24 }, () => makeFilter(random, columns, 2));
      const running = filters.map((filter) => ({
        work: selecting(index, JSON.parse(JSON.stringify(jsonOf(filter)))),
        wanted: rows.flatMap((row, ordinal) => (matches(filter, row) ? [ordinal] : [])),
        json: JSON.stringify(jsonOf(filter)),
      }));
      while (running.length > 0) {
        const at = below(random, running.length);
        const { work, wanted, json } = running[at]!;
        const step = work.next();
        if (step.done === true) expect(step.value, json).toEqual(wanted);
        if (step.done === true || random() < 0.02) running.splice(at, 1);
      }
    }
  });

  it('finish the index that an unfinished one has begun', async () => {
    const values = Array.from({ length: 300_000 }, (_, i) => `text ${i % 90_000} of many`);
    const index = await indexOf([{ name: 't', type: TEXT, values }]);
    const asked = (i: number) => ({ t: { $in: [`text ${i} of many`, `text ${i + 1} of many`] } });
    const left = selecting(index, asked(1));
    for (let i = 0; i < 5; i++) left.next();
    const rows = (i: number) =>
      [i, i + 1].flatMap((n) => [n, n + 90_000, n + 180_000, n + 270_000]).sort((a, b) => a - b);
    expect(runSync(selecting(index, asked(7)))).toEqual(rows(7));
    expect(runSync(selecting(index, asked(9)))).toEqual(rows(9));
    expect(runSync(left)).toEqual(rows(1));
    // Built once: eight bytes a row, and what is kept of four filters.
    expect(index.residentBytes).toBeLessThan(9 * values.length);
  });
});

/** Sums what work says that it costs. */
class Account extends Meter {
  total = 0;

  override spend(units: number): boolean {
    this.total += units;
    return super.spend(units);
  }
}

describe('what a filter costs', () => {
  const nasty = 'aaaaaaaaaab'.repeat(12);
  const needles = (count: number): Test[] =>
    Array.from({ length: count }, (_, i) => ({
      kind: 'substrings',
      all: false,
      texts: [`${'a'.repeat(i % 100)}ba${nasty.slice(0, 100)}${i}`],
    }));

  async function unitsOf(rows: number, tests: readonly Test[]): Promise<number> {
    const values = Array.from({ length: rows }, (_, i) => (i % 2 === 0 ? 'a'.repeat(130) : `${'a'.repeat(120)}${i}`));
    const store = await storeOf([{ name: 't', type: TEXT, values }], [rows]);
    const account = new Account();
    runSync(scanTexts(store.column('t'), tests, allRows(rows), account));
    return account.total;
  }

  it('grows with the text and not with the number of needles, however nasty', async () => {
    const few = await unitsOf(20_000, needles(16));
    expect(await unitsOf(40_000, needles(16))).toBeLessThan(2.1 * few);
    // The automaton of sixteen times as many takes longer to build, and each has its set of rows.
    expect(await unitsOf(20_000, needles(256))).toBeLessThan(2 * few);
  });

  it('goes in slices where a single text is very long', async () => {
    const long = `${'ab'.repeat(2_000_000)}c`;
    const index = await indexOf([{ name: 't', type: TEXT, values: [long, 'x', `${long}d`] }]);
    for (const part of ['bbc', 'abcd', 'a'.repeat(20)]) {
      const wanted = [long, 'x', `${long}d`].flatMap((text, row) => (text.includes(part) ? [row] : []));
      expect(runSync(selecting(index, { t: { $contains: part } }))).toEqual(wanted);
    }
    expect(countSlices(selecting(index, { t: { $contains: 'ba'.repeat(300) + 'x' } }))).toBeGreaterThan(5);
  });

  it('is bounded: clauses times rows', async () => {
    const count = Math.floor(MAX_FILTER_WORK / 100);
    const attributes = await storeOf([{ name: 't', type: TEXT, values: ['a'] }], [1]);
    const index = new FilterIndex({ count, attributes, shards: [] });
    const clauses = Array.from({ length: MAX_FILTER_CLAUSES }, (_, i) => ({ t: { $ne: String(i) } }));
    const select = () => index.select(parseFilter({ $and: clauses }, index.schema));
    expect(select).toThrow(ShortlistError);
    expect(select).toThrow(/256 clauses over 21474836 rows; at most 100 are allowed/);
  });
});
