import type { Column, NumberArray } from '../arrow/column.js';

/** Some rows of a column, as a copy. @param rows distinct */
export function gatherColumn(column: Column, rows: Uint32Array): Column {
  const valid = column.valid === null ? null : gatherValues(column.valid, rows);
  const taken = { type: column.type, rows: rows.length, valid };
  switch (column.shape) {
    case 'numbers':
      return { ...taken, shape: 'numbers', values: gatherValues(column.values, rows) };
    case 'bools':
      return { ...taken, shape: 'bools', values: gatherValues(column.values, rows) };
    case 'strings': {
      const offsets = gatherOffsets(column.offsets, rows);
      return { ...taken, shape: 'strings', offsets, bytes: gatherBytes(column.offsets, column.bytes, rows, offsets) };
    }
    case 'lists': {
      const offsets = gatherOffsets(column.offsets, rows);
      const items = gatherColumn(column.items, listItems(column.offsets, rows, offsets));
      return { ...taken, shape: 'lists', offsets, items };
    }
  }
}

function gatherValues<T extends NumberArray>(values: T, rows: Uint32Array): T {
  // A copy of the same type and length. The loop below moves a number or a bigint alike; one of them stands in for
  // the type checker.
  const gathered = values.slice(0, rows.length) as T;
  const [from, to] = [values as Float64Array, gathered as Float64Array];
  for (let i = 0; i < rows.length; i++) to[i] = from[rows[i]!]!;
  return gathered;
}

/** Offsets of the gathered rows: their lengths, end to end. */
function gatherOffsets(offsets: Uint32Array, rows: Uint32Array): Uint32Array {
  const gathered = new Uint32Array(rows.length + 1);
  for (let i = 0; i < rows.length; i++) {
    gathered[i + 1] = gathered[i]! + offsets[rows[i]! + 1]! - offsets[rows[i]!]!;
  }
  return gathered;
}

function gatherBytes(offsets: Uint32Array, bytes: Uint8Array, rows: Uint32Array, ends: Uint32Array): Uint8Array {
  const gathered = new Uint8Array(ends[rows.length]!);
  for (let i = 0; i < rows.length; i++) {
    gathered.set(bytes.subarray(offsets[rows[i]!], offsets[rows[i]! + 1]), ends[i]);
  }
  return gathered;
}

/** Positions of all items of the gathered rows. */
function listItems(offsets: Uint32Array, rows: Uint32Array, ends: Uint32Array): Uint32Array {
  const items = new Uint32Array(ends[rows.length]!);
  for (let i = 0; i < rows.length; i++) {
    const start = offsets[rows[i]!]!;
    for (let at = ends[i]!; at < ends[i + 1]!; at++) items[at] = start + at - ends[i]!;
  }
  return items;
}
