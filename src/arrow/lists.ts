/** Arrays of lists, whose items are an array of their own. */
import type { BatchBody } from './batch-body.js';
import type { Column, ColumnType } from './column.js';
import { openValidity, type ColumnSource } from './column-source.js';
import { corrupt } from './fault.js';
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
      const offsets = new Uint32Array(rows + 1);
      for (let row = 1; row <= rows; row++) offsets[row] = row * size;
      return { shape: 'lists', type, rows, valid, offsets, items: await items.read(start * size, rows * size) };
    },
  };
}
