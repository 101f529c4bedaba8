/**
 * The rows of one column in one row group, page by page, with their nulls and lists.
 *
 * Parquet stores values one after the other, and for each entry two levels that tell which list it continues and how
 * much of it is there (Dremel encoding). A row of lists may go on in the next page, so its entries are kept back and
 * put before those of the next page.
 */
import type { Column, ColumnType, Validity } from '../../arrow/column.js';
import { corrupt, unsupported } from '../../arrow/fault.js';
import type { Leaf } from './columns.js';
import type { Page, PageReader } from './pages.js';
import { cut, join, spread, toColumn, type Values } from './values.js';

/** The lists of one depth. List i has the items [offsets[i] .. offsets[i + 1]): lists of the next depth, or values. */
interface Lists {
  readonly valid: Validity;
  readonly offsets: Uint32Array;
}

/** Consecutive rows. */
interface Rows {
  readonly count: number;
  /** The outermost first. None for a column that is not a list. */
  readonly lists: readonly Lists[];
  readonly values: Values;
  readonly valid: Validity;
}

/** Most values of a row and the page that ends it. They are in memory together; a page has at most half as many. */
const MAX_ROW_ENTRIES = 2 ** 27;

const NO_ROWS: Rows = { count: 0, lists: [], values: { shape: 'bools', values: new Uint8Array(0) }, valid: null };

export class ColumnCursor {
  private rows: Rows = NO_ROWS;
  private at = 0;
  /** The entries of the last row of a page, which the next page may continue. */
  private open: Page | null = null;
  private ended = false;

  constructor(
    private readonly pages: PageReader,
    private readonly leaf: Leaf,
    private readonly type: ColumnType,
  ) {}

  /** Reads until there are rows. @returns how many can be taken; 0 at the end */
  async fill(): Promise<number> {
    while (this.at === this.rows.count) {
      if (this.ended) return 0;
      this.rows = await this.nextRows();
      this.at = 0;
    }
    return this.rows.count - this.at;
  }

  /** About how many bytes a row has. */
  get rowBytes(): number {
    const { count, values } = this.rows;
    if (count === 0) return 1;
    const bytes = values.shape === 'strings' ? values.bytes.length : values.values.byteLength;
    return Math.max(1, bytes / count);
  }

  /** @param count at most what `fill` returned */
  take(count: number): Column {
    const from = this.at;
    this.at += count;
    return columnOf(this.rows, 0, this.type, from, this.at);
  }

  private async nextRows(): Promise<Rows> {
    const page = await this.pages.next();
    this.ended = page === null;
    if (this.leaf.itemDefinitions.length === 0) return page === null ? NO_ROWS : this.scalarRows(page);
    const entries = page === null ? this.open : joinPages(this.open, page, this.leaf);
    this.open = null;
    if (entries === null) return NO_ROWS;
    const whole = this.ended ? entries : this.holdLast(entries);
    return this.listRows(whole);
  }

  private scalarRows({ definitions, entries, values }: Page): Rows {
    const { maxDefinition } = this.leaf;
    const valid = definitions.length === 0 ? null : Uint8Array.from(definitions, (level) => (level === maxDefinition ? 1 : 0)); // prettier-ignore
    return { count: entries, lists: [], values: spread(values, valid), valid };
  }

  /** The entries before the last row, which is kept back. */
  private holdLast(page: Page): Page {
    const { definitions, repetitions, entries, values } = page;
    let start = entries - 1;
    while (start > 0 && repetitions[start] !== 0) start--;
    if (start < 0) return page;
    const present = countPresent(definitions, 0, start, this.leaf.maxDefinition);
    const all = countPresent(definitions, start, entries, this.leaf.maxDefinition) + present;
    this.open = {
      definitions: cutLevels(definitions, start, entries),
      repetitions: cutLevels(repetitions, start, entries),
      entries: entries - start,
      values: cut(values, present, all),
    };
    return {
      definitions: cutLevels(definitions, 0, start),
      repetitions: cutLevels(repetitions, 0, start),
      entries: start,
      values: cut(values, 0, present),
    };
  }

  /** Lists from levels. An entry begins a list of each depth from its repetition level on, as far as it is there. */
  private listRows({ definitions, repetitions, entries, values }: Page): Rows {
    const { maxDefinition, itemDefinitions } = this.leaf;
    const depths = itemDefinitions.map((item) => new ListsBuilder(entries, item));
    const valid = new Uint8Array(entries);
    let [items, nullItems] = [0, 0];
    for (let i = 0; i < entries; i++) {
      const level = definitions[i]!;
      for (let depth = repetitions[i]!; depth < depths.length; depth++) {
        const isThere = depth === 0 || level >= itemDefinitions[depth - 1]!;
        if (isThere) depths[depth]!.begin(level, depth + 1 < depths.length ? depths[depth + 1]!.count : items);
      }
      if (level < itemDefinitions.at(-1)!) continue;
      valid[items] = level === maxDefinition ? 1 : 0;
      nullItems += 1 - valid[items]!;
      items++;
    }
    const present = nullItems === 0 ? null : valid.subarray(0, items);
    const lists = depths.map((lists, depth) => lists.finish(depth + 1 < depths.length ? depths[depth + 1]!.count : items)); // prettier-ignore
    return { count: depths[0]!.count, lists, values: spread(values, present), valid: present };
  }
}

class ListsBuilder {
  count = 0;
  private nulls = 0;
  private readonly offsets: Uint32Array;
  private readonly valid: Uint8Array;

  /** @param item definition level from which a list of this depth has an item; one less if it is empty */
  constructor(
    entries: number,
    private readonly item: number,
  ) {
    this.offsets = new Uint32Array(entries + 1);
    this.valid = new Uint8Array(entries).fill(1);
  }

  /** @param items how many items the lists before it have */
  begin(level: number, items: number): void {
    this.offsets[this.count] = items;
    if (level < this.item - 1) {
      this.valid[this.count] = 0;
      this.nulls++;
    }
    this.count++;
  }

  finish(items: number): Lists {
    const { count, offsets, valid, nulls } = this;
    offsets[count] = items;
    return { valid: nulls === 0 ? null : valid.subarray(0, count), offsets: offsets.subarray(0, count + 1) };
  }
}

/** Lists from..to of a depth, or values from..to behind the last depth, with all that they contain. */
function columnOf(rows: Rows, depth: number, type: ColumnType, from: number, to: number): Column {
  const lists = rows.lists[depth];
  if (lists === undefined) return toColumn(cut(rows.values, from, to), type, rows.valid?.subarray(from, to) ?? null);
  if (type.kind !== 'list') throw new TypeError('a column of lists has a list type');
  const [start, end] = [lists.offsets[from]!, lists.offsets[to]!];
  const offsets = lists.offsets.slice(from, to + 1).map((offset) => offset - start);
  const valid = lists.valid?.subarray(from, to) ?? null;
  return { shape: 'lists', type, rows: to - from, valid, offsets, items: columnOf(rows, depth + 1, type.item, start, end) }; // prettier-ignore
}

/** The entries of a row that is open, then those of a page, all with their levels. */
function joinPages(open: Page | null, page: Page, { maxDefinition, itemDefinitions }: Leaf): Page {
  const definitions = levelsOf(page.definitions, page.entries, maxDefinition, maxDefinition);
  const repetitions = levelsOf(page.repetitions, page.entries, 0, itemDefinitions.length);
  if (open === null) {
    if (page.entries > 0 && repetitions[0] !== 0) throw corrupt('its first page begins within a row');
    return { ...page, definitions, repetitions };
  }
  const entries = open.entries + page.entries;
  if (entries > MAX_ROW_ENTRIES) throw unsupported(`a row has more than ${MAX_ROW_ENTRIES} values; shorten it, or leave the column out`); // prettier-ignore
  return {
    definitions: joinLevels(open.definitions, definitions),
    repetitions: joinLevels(open.repetitions, repetitions),
    entries,
    values: join(open.values, page.values),
  };
}

/** @param missing level of every entry if the page has none */
function levelsOf(levels: ArrayLike<number>, entries: number, missing: number, max: number): Uint8Array {
  if (levels.length === 0) return new Uint8Array(entries).fill(missing);
  if (levels.length !== entries) throw corrupt(`a page has ${levels.length} levels for ${entries} entries`);
  const checked = new Uint8Array(levels);
  for (const level of checked) if (level > max) throw corrupt(`a page has the level ${level} of ${max}`);
  return checked;
}

function cutLevels(levels: ArrayLike<number>, from: number, to: number): Uint8Array {
  return (levels as Uint8Array).subarray(from, to);
}

function joinLevels(a: ArrayLike<number>, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}

function countPresent(definitions: ArrayLike<number>, from: number, to: number, max: number): number {
  let count = 0;
  for (let i = from; i < to; i++) if (definitions[i] === max) count++;
  return count;
}
