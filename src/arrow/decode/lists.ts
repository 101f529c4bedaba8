/** Arrays of lists; the items are an array of their own. */
import type { BatchBody } from '../frame/batch-body.js';
import { CHUNK_ROWS } from '../bounds.js';
import type { Column, ColumnType } from '../column.js';
import { openValidity, type ColumnSource, type ListExtents } from './column-source.js';
import { corrupt } from '../fault.js';
import type { ArrayLayout } from './layout.js';
import { OffsetSource } from './offsets.js';

export function openLists(
  type: ColumnType,
  layout: ArrayLayout,
  large: boolean,
  body: BatchBody,
  items: ColumnSource,
): ColumnSource {
  const validity = openValidity(layout, body);
  const offsetSource = new OffsetSource(layout.buffers[1]!, layout.length, large, body);
  const checkEnd = (end: number): void => {
    if (end > items.length) throw corrupt(`its lists refer to item ${end} of ${items.length}`);
  };
  return {
    length: layout.length,
    async measure(start, rows) {
      const { first, end } = await offsetSource.span(start, rows);
      checkEnd(end);
      return (await items.measure(first, end - first)) + rows * 4;
    },
    async read(start, rows): Promise<Column> {
      const valid = await validity.read(start, rows);
      const { first, offsets } = await offsetSource.read(start, rows);
      const count = offsets[rows]!;
      checkEnd(first + count);
      return { shape: 'lists', type, rows, valid, offsets, items: await items.read(first, count) };
    },
    extents: {
      async countLists(start, rows) {
        const { first, end } = await offsetSource.span(start, rows);
        checkEnd(end);
        return items.extents === undefined ? 0 : end - first;
      },
      async read(start, rows): Promise<ListExtents> {
        const valid = await validity.read(start, rows);
        const { first, offsets } = await offsetSource.read(start, rows);
        const count = offsets[rows]!;
        checkEnd(first + count);
        return { rows, valid, offsets, items: (await items.extents?.read(first, count)) ?? null };
      },
    },
  };
}

export function openFixedSizeLists(
  type: ColumnType,
  layout: ArrayLayout,
  size: number,
  body: BatchBody,
  items: ColumnSource,
): ColumnSource {
  const validity = openValidity(layout, body);
  if (items.length < layout.length * size) {
    throw corrupt(`it has ${items.length} items for ${layout.length} lists of ${size}`);
  }
  return {
    length: layout.length,
    measure: (start, rows) => items.measure(start * size, rows * size),
    async read(start, rows): Promise<Column> {
      const valid = await validity.read(start, rows);
      const offsets = evenOffsets(rows, size);
      return { shape: 'lists', type, rows, valid, offsets, items: await items.read(start * size, rows * size) };
    },
    extents: {
      countLists: (_start, rows) => Promise.resolve(items.extents === undefined ? 0 : rows * size),
      async read(start, rows): Promise<ListExtents> {
        const valid = await validity.read(start, rows);
        const inner = (await items.extents?.read(start * size, rows * size)) ?? null;
        return { rows, valid, offsets: evenOffsets(rows, size), items: inner };
      },
    },
  };
}

function evenOffsets(rows: number, size: number): Uint32Array {
  const offsets = new Uint32Array(rows + 1);
  for (let row = 1; row <= rows; row++) offsets[row] = row * size;
  return offsets;
}

/** Most inner lists whose extents are read together. */
const MAX_INNER_LISTS = 4 * CHUNK_ROWS;

/** The extents of all rows of a list column of one batch, in parts of bounded size. */
export async function* readExtents(source: ColumnSource): AsyncGenerator<ListExtents, void, undefined> {
  const { extents, length } = source;
  if (extents === undefined) throw new TypeError('the column holds no lists');
  for (let start = 0; start < length;) {
    let rows = Math.min(CHUNK_ROWS, length - start);
    let lists = await extents.countLists(start, rows);
    while (rows > 1 && lists > MAX_INNER_LISTS) {
      rows >>>= 1;
      lists = await extents.countLists(start, rows);
    }
    // One row with too many lists: callers only need to know that it has many.
    if (lists > MAX_INNER_LISTS) yield { rows, valid: null, offsets: Uint32Array.of(0, lists), items: null };
    else yield await extents.read(start, rows);
    start += rows;
  }
}
