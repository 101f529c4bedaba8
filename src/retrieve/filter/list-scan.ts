/**
 * Scans lists for many tests at once, each for any of its items or all of them. Reads each item once. Rows without a
 * value may pass; callers mask them.
 */
import type { Column } from '../../arrow/column.js';
import type { AttributeColumn } from '../../version/sealed/attribute-column.js';
import { addBit, emptySets } from './bits.js';
import type { ItemsTest, Test } from './filter-plan.js';
import type { Rows } from './rows.js';
import { TextSet } from './text-set.js';
import { throwUnsupported } from './value-index.js';
import type { Meter, Work } from '../../base/work.js';

type Lists = Column & { readonly shape: 'lists' };

/** The items that tests ask for, numbered, with the tests for each. */
interface ItemSet {
  /** The number of the item; -1 if no test asks for it. */
  find(items: Column, position: number): number;
  testsOf(item: number): readonly number[];
}

export function* scanLists(
  column: AttributeColumn,
  tests: readonly Test[],
  rows: Rows,
  meter: Meter,
): Work<Uint32Array[]> {
  const itemTests = tests.map(itemsOf);
  const outs = yield* emptySets(itemTests.length, rows.count, meter);
  const reader = new ListReader(itemTests, yield* buildItemSet(itemTests, meter), outs, meter);
  if (rows.list !== null) {
    for (let position = 0; position < rows.count; position++) {
      const { first, column: chunk } = column.chunks[column.chunkOf(rows.list[position]!)]!;
      yield* reader.readRow(chunk as Lists, rows.list[position]! - first, position);
    }
    return outs;
  }
  for (const { first, column: chunk } of column.chunks) {
    for (let row = 0; row < chunk.rows; row++) {
      const lists = chunk as Lists;
      const items = lists.offsets[row + 1]! - lists.offsets[row]!;
      if (items > LONG_LIST) yield* reader.readRow(lists, row, first + row);
      else if (reader.readShort(lists, row, first + row)) yield;
    }
  }
  return outs;
}

/** Items read between two checks of the meter. */
const LONG_LIST = 1_024;

/** Meter units of an item, in addition to the bytes of its text. */
const ITEM_UNITS = 40;

export function itemsOf(test: Test): ItemsTest {
  return test.kind === 'items' ? test : throwUnsupported(test);
}

class ListReader {
  /** Position of the current row plus 1. */
  private row = 0;
  /** By test: the last row in which each item was seen, and the last row in which any was. */
  private readonly seen: Map<number, number>[];
  private readonly begun: Uint32Array;
  private readonly left: Uint32Array;
  private readonly wanted: readonly number[];

  constructor(
    tests: readonly ItemsTest[],
    private readonly set: ItemSet,
    private readonly outs: readonly Uint32Array[],
    private readonly meter: Meter,
  ) {
    // An item that the type cannot hold is never seen, so a test for all items fails.
    this.wanted = tests.map(({ all, values, never }) => (all ? new Set<unknown>(values).size + (never ? 1 : 0) : 1));
    this.begun = new Uint32Array(tests.length);
    this.left = new Uint32Array(tests.length);
    this.seen = tests.map(() => new Map<number, number>());
  }

  *readRow(lists: Lists, row: number, position: number): Work<void> {
    this.row = position + 1;
    const end = lists.offsets[row + 1]!;
    for (let from = lists.offsets[row]!; from < end; from += LONG_LIST) {
      if (this.readItems(lists.items, from, Math.min(from + LONG_LIST, end))) yield;
    }
    if (this.meter.spend(ITEM_UNITS)) yield;
  }

  /** @returns true if the slice is over */
  readShort({ items, offsets }: Lists, row: number, position: number): boolean {
    this.row = position + 1;
    return this.readItems(items, offsets[row]!, offsets[row + 1]!);
  }

  private readItems(items: Column, from: number, to: number): boolean {
    let units = 5;
    for (let at = from; at < to; at++) {
      units += ITEM_UNITS;
      if (items.valid !== null && items.valid[at] === 0) continue;
      const item = this.set.find(items, at);
      if (item < 0) continue;
      const tests = this.set.testsOf(item);
      for (const test of tests) this.countItem(test, item);
      units += 10 * tests.length;
    }
    if (items.shape === 'strings' && to > from) units += 2 * (items.offsets[to]! - items.offsets[from]!);
    return this.meter.spend(units);
  }

  private countItem(test: number, item: number): void {
    const needed = this.wanted[test]!;
    if (needed > 1) {
      // A list may contain an item twice.
      const seen = this.seen[test]!;
      if (seen.get(item) === this.row) return;
      seen.set(item, this.row);
      if (this.begun[test] !== this.row) {
        this.begun[test] = this.row;
        this.left[test] = needed;
      }
      if (--this.left[test]! > 0) return;
    }
    addBit(this.outs[test]!, this.row - 1);
  }
}

function* buildItemSet(tests: readonly ItemsTest[], meter: Meter): Work<ItemSet> {
  return tests.some(({ values }) => typeof values[0] === 'string')
    ? yield* buildTexts(tests, meter)
    : yield* buildNumbers(tests, meter);
}

function* buildTexts(tests: readonly ItemsTest[], meter: Meter): Work<ItemSet> {
  const set = yield* TextSet.build(
    tests.map(({ values }) => values as readonly string[]),
    meter,
  );
  const testsByItem: number[][] = [];
  for (let text = 0; text < set.size; text++) {
    const own = new Set<number>();
    set.eachTest(text, (test) => own.add(test));
    testsByItem.push([...own]);
    if (meter.spend(200)) yield;
  }
  return {
    find: (items, at) => {
      const { bytes, offsets } = items as Column & { readonly shape: 'strings' };
      return set.find(bytes, offsets[at]!, offsets[at + 1]!);
    },
    testsOf: (text) => testsByItem[text]!,
  };
}

function* buildNumbers(tests: readonly ItemsTest[], meter: Meter): Work<ItemSet> {
  const numbers = new Map<number | bigint, number>();
  const testsByItem: number[][] = [];
  for (const [test, { values }] of tests.entries()) {
    for (const value of new Set(values as readonly (number | bigint)[])) {
      const known = numbers.get(value);
      if (known !== undefined) testsByItem[known]!.push(test);
      else numbers.set(value, testsByItem.push([test]) - 1);
      if (meter.spend(100)) yield;
    }
  }
  return {
    find: (items, at) => numbers.get((items as Column & { readonly shape: 'numbers' }).values[at]!) ?? -1,
    testsOf: (number) => testsByItem[number]!,
  };
}
