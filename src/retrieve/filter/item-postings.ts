/**
 * The distinct items of a column of lists, each with the ordinals of the lists that contain it, as postings. Texts are
 * found by a dictionary, numbers by binary search.
 */
import type { ArrowField, Column } from '../../arrow/column.js';
import { AttributeColumn } from '../../version/sealed/attribute-column.js';
import { chunksOf, readPresence } from './column-blocks.js';
import { numberAt } from './number-scan.js';
import { buildPostings, type Postings } from './postings.js';
import { listPresent, lowerBound, sortByNumber } from './row-order.js';
import { buildDictionary, type Texts } from './text-dictionary.js';
import { SLICE_ROWS, type Work } from '../../base/work.js';

export interface ItemPostings {
  readonly postings: Postings;
  /** The code of an item; -1 if no list contains it. */
  readonly codeOf: (item: string | number | bigint) => number;
}

/** Bytes per item while the postings are built: its code or position, and the ordinal of its list. */
export const ITEM_BYTES = 8;

export function countItems(column: AttributeColumn): number {
  let count = 0;
  for (const { chunk } of chunksOf(column, 'lists')) count += chunk.items.rows;
  return count;
}

/** Returns null if there are too many distinct texts. */
export function* buildItemPostings(column: AttributeColumn): Work<ItemPostings | null> {
  const owners = yield* findOwners(column, countItems(column));
  const { type } = column.field;
  const isText = type.kind === 'list' && type.item.kind === 'utf8';
  return isText ? yield* postTexts(column, owners) : yield* postNumbers(column, owners);
}

function* findOwners(column: AttributeColumn, size: number): Work<Uint32Array> {
  const owners = new Uint32Array(size);
  let firstItem = 0;
  for (const { first, chunk } of chunksOf(column, 'lists')) {
    for (let row = 0; row < chunk.rows; row++) {
      owners.fill(first + row, firstItem + chunk.offsets[row]!, firstItem + chunk.offsets[row + 1]!);
      if (row % SLICE_ROWS === SLICE_ROWS - 1) yield;
    }
    firstItem += chunk.items.rows;
    yield;
  }
  return owners;
}

function* postTexts(column: AttributeColumn, owners: Uint32Array): Work<ItemPostings | null> {
  const chunks = [...chunksOf(column, 'lists')].map(({ chunk }) => chunk.items as Texts);
  const dictionary = yield* buildDictionary(chunks, owners.length);
  if (dictionary === null) return null;
  const { codes, counts, codeOf } = dictionary;
  const postings = yield* buildPostings(codes, counts, owners);
  return { postings, codeOf: (item) => codeOf(Buffer.from(item as string)) || -1 };
}

function* postNumbers(column: AttributeColumn, owners: Uint32Array): Work<ItemPostings> {
  const items = itemsAsColumn(column, owners.length);
  const present = yield* listPresent(items.count, yield* readPresence(items));
  const sorted = yield* sortByNumber(items, present);
  const values: (number | bigint)[] = [];
  const starts: number[] = [];
  const ordinals = new Uint32Array(sorted.length);
  for (let i = 0; i < sorted.length; i++) {
    const value = numberAt(items, sorted[i]!);
    if (value !== values.at(-1)) {
      values.push(value);
      starts.push(i);
    }
    ordinals[i] = owners[sorted[i]!]!;
    if (i % SLICE_ITEMS === SLICE_ITEMS - 1) yield;
  }
  starts.push(sorted.length);
  return {
    postings: { ordinals, starts: Uint32Array.from(starts) },
    codeOf: (item) => findValue(values, item as number | bigint),
  };
}

/** Items per slice; each is looked up in its chunk. */
const SLICE_ITEMS = 8_192;

function itemsAsColumn(column: AttributeColumn, size: number): AttributeColumn {
  const { type } = column.field;
  if (type.kind !== 'list') throw new TypeError(`${column.field.name} has no lists`);
  const field: ArrowField = { ...column.field, type: type.item, label: '' };
  const chunks: { first: number; column: Column }[] = [];
  let first = 0;
  for (const { chunk } of chunksOf(column, 'lists')) {
    if (chunk.items.rows > 0) chunks.push({ first, column: chunk.items });
    first += chunk.items.rows;
  }
  return new AttributeColumn(field, size, chunks);
}

function findValue(values: readonly (number | bigint)[], wanted: number | bigint): number {
  const place = lowerBound(values.length, (i) => values[i]! < wanted);
  return values[place] === wanted ? place : -1;
}
