/** Gathers rows of a column that consists of several pieces into a new column. */
import type { Column, NumberArray, Validity } from '../../arrow/column.js';

/** The rows to gather, in order: row `rows[i]` of piece `pieces[i]`. A row may occur more than once. */
interface PickedRows {
  readonly pieces: Uint32Array;
  readonly rows: Uint32Array;
}

/** Called with the bytes of an array before it is allocated. Throws if that is too much. */
export type Budget = (bytes: number) => void;

type Of<Shape extends Column['shape']> = Extract<Column, { shape: Shape }>;

/** @param columns at least one, all of the same type */
export function gatherRows(columns: readonly Column[], picked: PickedRows, budget: Budget): Column {
  const first = columns[0]!;
  const { length } = picked.rows;
  const common = { type: first.type, rows: length, valid: gatherValidity(columns, picked) };
  switch (first.shape) {
    case 'numbers':
      return { shape: 'numbers', ...common, values: gatherNumbers(columns as Of<'numbers'>[], picked, budget) };
    case 'bools': {
      budget(length);
      const values = new Uint8Array(length);
      eachRow(picked, (piece, row, i) => (values[i] = (columns[piece] as Of<'bools'>).values[row]!));
      return { shape: 'bools', ...common, values };
    }
    case 'strings':
      return { shape: 'strings', ...common, ...gatherStrings(columns as Of<'strings'>[], picked, budget) };
    case 'lists': {
      const lists = columns as Of<'lists'>[];
      const offsets = gatherOffsets(lists, picked, budget);
      const items = lists.map((column) => column.items);
      return {
        shape: 'lists',
        ...common,
        offsets,
        items: gatherRows(items, pickItems(lists, picked, offsets), budget),
      };
    }
  }
}

function eachRow({ pieces, rows }: PickedRows, action: (piece: number, row: number, i: number) => void): void {
  for (let i = 0; i < rows.length; i++) action(pieces[i]!, rows[i]!, i);
}

function gatherValidity(columns: readonly Column[], picked: PickedRows): Validity {
  if (columns.every(({ valid }) => valid === null)) return null;
  const gathered = new Uint8Array(picked.rows.length);
  eachRow(picked, (piece, row, i) => (gathered[i] = columns[piece]!.valid?.[row] ?? 1));
  return gathered;
}

function gatherNumbers(columns: readonly Of<'numbers'>[], picked: PickedRows, budget: Budget): NumberArray {
  const { values } = columns[0]!;
  const { length } = picked.rows;
  budget(length * values.BYTES_PER_ELEMENT);
  const gathered = new (values.constructor as new (length: number) => NumberArray)(length);
  // Numbers and bigints are copied alike: one array type stands for all, for the type checker.
  const to = gathered as Float64Array;
  eachRow(picked, (piece, row, i) => (to[i] = (columns[piece]!.values as Float64Array)[row]!));
  return gathered;
}

/** Offsets of the gathered rows: the sums of their lengths. */
function gatherOffsets(
  columns: readonly { readonly offsets: Uint32Array }[],
  picked: PickedRows,
  budget: Budget,
): Uint32Array {
  budget(4 * (picked.rows.length + 1));
  const gathered = new Uint32Array(picked.rows.length + 1);
  let total = 0;
  eachRow(picked, (piece, row, i) => {
    const { offsets } = columns[piece]!;
    total += offsets[row + 1]! - offsets[row]!;
    gathered[i + 1] = total;
  });
  budget(total); // beyond 32 bits the offsets would be wrong, but that is beyond every budget
  return gathered;
}

function gatherStrings(columns: readonly Of<'strings'>[], picked: PickedRows, budget: Budget) {
  const offsets = gatherOffsets(columns, picked, budget);
  const bytes = new Uint8Array(offsets[picked.rows.length]!);
  eachRow(picked, (piece, row, i) => {
    const column = columns[piece]!;
    bytes.set(column.bytes.subarray(column.offsets[row], column.offsets[row + 1]), offsets[i]);
  });
  return { offsets, bytes };
}

function pickItems(lists: readonly Of<'lists'>[], picked: PickedRows, offsets: Uint32Array): PickedRows {
  const count = offsets[picked.rows.length]!;
  const items = { pieces: new Uint32Array(count), rows: new Uint32Array(count) };
  eachRow(picked, (piece, row, i) => {
    const start = lists[piece]!.offsets[row]!;
    items.pieces.fill(piece, offsets[i], offsets[i + 1]);
    for (let at = offsets[i]!; at < offsets[i + 1]!; at++) items.rows[at] = start + at - offsets[i]!;
  });
  return items;
}
