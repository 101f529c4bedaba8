/** The rows of one column in one row group, page by page, with their nulls and lists. */
import type { Column, ColumnType, Validity } from '../../arrow/column.js';
import { corrupt } from '../../arrow/fault.js';
import type { Leaf } from './columns.js';
import type { Page, PageReader } from './pages.js';
import { cut, join, lengthOf, spread, toColumn, type Values } from './values.js';

/** Consecutive rows. Items of lists have their own nulls. */
interface Rows {
  readonly count: number;
  readonly valid: Validity;
  /** Of lists: row r has the items [offsets[r] .. offsets[r + 1]). Null for a column that is not a list. */
  readonly offsets: Uint32Array | null;
  readonly items: Values;
  readonly itemsValid: Validity;
}

export class ColumnCursor {
  private rows: Rows | null = null;
  private at = 0;
  /** The last row of a page, which the next page may continue. */
  private open: Rows | null = null;
  private ended = false;

  constructor(
    private readonly pages: PageReader,
    private readonly leaf: Leaf,
    private readonly type: ColumnType,
  ) {}

  /** Reads until there are rows. @returns how many can be taken; 0 at the end */
  async fill(): Promise<number> {
    while (this.rows === null || this.at === this.rows.count) {
      if (this.ended) return 0;
      this.rows = await this.nextRows();
      this.at = 0;
    }
    return this.rows.count - this.at;
  }

  /** About how many bytes a row has. */
  get rowBytes(): number {
    const { rows } = this;
    if (rows === null || rows.count === 0) return 1;
    const bytes = rows.items.shape === 'strings' ? rows.items.bytes.length : rows.items.values.byteLength;
    return Math.max(1, bytes / rows.count);
  }

  /** @param count at most what `fill` returned */
  take(count: number): Column {
    const rows = this.rows!;
    const [from, to] = [this.at, this.at + count];
    this.at = to;
    const valid = rows.valid === null ? null : rows.valid.subarray(from, to);
    if (rows.offsets === null) return toColumn(cut(rows.items, from, to), this.type, valid);
    if (this.type.kind !== 'list') throw new TypeError('a column of lists has a list type');
    const [start, end] = [rows.offsets[from]!, rows.offsets[to]!];
    const itemsValid = rows.itemsValid === null ? null : rows.itemsValid.subarray(start, end);
    const items = toColumn(cut(rows.items, start, end), this.type.item, itemsValid);
    const offsets = rows.offsets.slice(from, to + 1).map((offset) => offset - start);
    return { shape: 'lists', type: this.type, rows: count, valid, offsets, items };
  }

  private async nextRows(): Promise<Rows> {
    const page = await this.pages.next();
    if (page === null) {
      this.ended = true;
      const last = this.open ?? EMPTY;
      this.open = null;
      return last;
    }
    if (this.leaf.itemDefinition === 0) return this.scalarRows(page);
    return this.holdLast(this.listRows(page));
  }

  private scalarRows({ definitions, entries, values }: Page): Rows {
    const { maxDefinition } = this.leaf;
    const valid = definitions.length === 0 ? null : Uint8Array.from(definitions, (level) => (level === maxDefinition ? 1 : 0)); // prettier-ignore
    return { count: entries, valid, offsets: null, items: spread(values, valid), itemsValid: null };
  }

  private listRows({ definitions, repetitions, entries, values }: Page): Rows {
    const { maxDefinition, itemDefinition } = this.leaf;
    const offsets = new Uint32Array(entries + 1);
    const valid = new Uint8Array(entries).fill(1);
    const itemsValid = new Uint8Array(entries);
    let [rows, items, nullRows, nullItems] = [0, 0, 0, 0];
    for (let i = 0; i < entries; i++) {
      const level = definitions.length === 0 ? maxDefinition : definitions[i]!;
      if (repetitions.length === 0 || repetitions[i] === 0 || i === 0) {
        offsets[rows] = items;
        if (level < itemDefinition - 1) {
          valid[rows] = 0;
          nullRows++;
        }
        rows++;
      }
      if (level < itemDefinition) continue;
      itemsValid[items] = level === maxDefinition ? 1 : 0;
      nullItems += 1 - itemsValid[items]!;
      items++;
    }
    offsets[rows] = items;
    const present = nullItems === 0 ? null : itemsValid.subarray(0, items);
    const page: Rows = {
      count: rows,
      valid: nullRows === 0 ? null : valid.subarray(0, rows),
      offsets: offsets.subarray(0, rows + 1),
      items: spread(values, present),
      itemsValid: present,
    };
    return repetitions.length > 0 && repetitions[0] !== 0 ? this.continueOpen(page) : this.afterOpen(page);
  }

  /** The first entries of the page belong to the row that is open. */
  private continueOpen(page: Rows): Rows {
    const { open } = this;
    if (open === null) throw corrupt('its first page begins within a row');
    const added = open.offsets![1]!;
    return {
      ...page,
      offsets: page.offsets!.map((offset, row) => (row === 0 ? 0 : offset + added)),
      items: join(open.items, page.items),
      itemsValid: joinValid(open, page),
    };
  }

  private afterOpen(page: Rows): Rows {
    const { open } = this;
    if (open === null) return page;
    const added = open.offsets![1]!;
    const offsets = new Uint32Array(page.count + 2);
    page.offsets!.forEach((offset, row) => (offsets[row + 1] = offset + added));
    const valid = open.valid === null && page.valid === null ? null : concat(validOf(open.valid, 1), validOf(page.valid, page.count)); // prettier-ignore
    return { count: page.count + 1, valid, offsets, items: join(open.items, page.items), itemsValid: joinValid(open, page) };
  } // prettier-ignore

  /** Keeps the last row back, since the next page may continue it. */
  private holdLast(rows: Rows): Rows {
    const { count, valid, itemsValid } = rows;
    if (count === 0) return rows;
    const offsets = rows.offsets!;
    const [start, end] = [offsets[count - 1]!, offsets[count]!];
    this.open = {
      count: 1,
      valid: valid === null || valid[count - 1] === 1 ? null : Uint8Array.of(0),
      offsets: Uint32Array.of(0, end - start),
      items: cut(rows.items, start, end),
      itemsValid: itemsValid === null ? null : itemsValid.slice(start, end),
    };
    return { ...rows, count: count - 1 };
  }
}

const EMPTY: Rows = {
  count: 0,
  valid: null,
  offsets: null,
  items: { shape: 'bools', values: new Uint8Array(0) },
  itemsValid: null,
};

function joinValid(a: Rows, b: Rows): Validity {
  if (a.itemsValid === null && b.itemsValid === null) return null;
  return concat(validOf(a.itemsValid, lengthOf(a.items)), validOf(b.itemsValid, lengthOf(b.items)));
}

function validOf(valid: Validity, length: number): Uint8Array {
  return valid ?? new Uint8Array(length).fill(1);
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
