/** Dictionary-encoded arrays: the values of a dictionary are read once and kept; rows are returned as plain values. */
import type { DictionaryEncoding } from '../arrow-type.js';
import type { BatchBody } from '../frame/batch-body.js';
import { CHUNK_BYTES, CHUNK_ROWS, MAX_DICTIONARY_BYTES } from '../bounds.js';
import type { Column, ColumnType, NumberArray, Validity } from '../column.js';
import type { ColumnSource } from './column-source.js';
import { corrupt, unsupported } from '../fault.js';
import { openNumbers } from './fixed-width.js';
import { gatherRows, joinColumns, nullColumn } from '../gather.js';
import type { ArrayLayout } from './layout.js';

/** The state of one dictionary between two batches. */
interface Dictionary {
  readonly values: Column;
  /** Bytes of the longest value. */
  readonly longest: number;
}

/** Dictionaries by id. Deltas are joined when the values are next requested. */
export class DictionaryStore {
  private readonly parts = new Map<number, Column[]>();
  private readonly joined = new Map<number, Dictionary>();

  replace(id: number, values: Column): void {
    this.parts.set(id, [values]);
    this.joined.delete(id);
  }

  append(id: number, values: Column): void {
    const parts = this.parts.get(id);
    if (parts === undefined) throw corrupt(`dictionary ${id} has a delta and no values before it`);
    parts.push(values);
    this.joined.delete(id);
  }

  has(id: number): boolean {
    return this.parts.has(id);
  }

  /** @returns null if no batch of this dictionary was read yet */
  get(id: number): Dictionary | null {
    const parts = this.parts.get(id);
    if (parts === undefined) return null;
    const known = this.joined.get(id);
    if (known !== undefined) return known;
    const values = parts.length === 1 ? parts[0]! : joinColumns(parts);
    const dictionary = { values, longest: longestValue(values) };
    this.parts.set(id, [values]);
    this.joined.set(id, dictionary);
    return dictionary;
  }
}

/** All values of one dictionary batch. */
export async function readDictionaryValues(source: ColumnSource): Promise<Column> {
  const bytes = await source.measure(0, source.length);
  if (bytes > MAX_DICTIONARY_BYTES) {
    throw unsupported(`one of its dictionaries has ${bytes} bytes of values; write the column without a dictionary`);
  }
  return source.read(0, source.length);
}

export function openDictionaryRows(
  type: ColumnType,
  encoding: DictionaryEncoding,
  layout: ArrayLayout,
  body: BatchBody,
  store: DictionaryStore,
): ColumnSource {
  const { bits, signed } = encoding.index;
  const indexes = openNumbers({ kind: 'int', bits, signed }, layout, body);
  const readPicked = async (start: number, rows: number): Promise<Picked> => {
    const column = await indexes.read(start, rows);
    if (column.shape !== 'numbers') throw new TypeError('dictionary indexes are numbers');
    return pickRows(column.values, column.valid, store.get(encoding.id)?.values ?? null, start);
  };
  return {
    length: layout.length,
    async measure(start, rows) {
      const dictionary = store.get(encoding.id);
      // Exact only if it matters, since the indexes are then read twice.
      const bound = rows * (dictionary?.longest ?? 0);
      if (dictionary === null || bound <= CHUNK_BYTES / 8) return bound;
      let total = 0;
      for (let done = 0; done < rows; done += CHUNK_ROWS) {
        const picked = await readPicked(start + done, Math.min(CHUNK_ROWS, rows - done));
        total += measureRows(dictionary.values, picked.indexes);
      }
      return total;
    },
    async read(start, rows) {
      const { indexes: picked, valid } = await readPicked(start, rows);
      const values = store.get(encoding.id)?.values ?? null;
      if (values === null || values.rows === 0) return nullColumn(type, rows);
      return { ...gatherRows([values], { pieces: null, rows: picked, valid }), type };
    },
  };
}

/** Positions in the dictionary, 0 if the row is null. */
interface Picked {
  readonly indexes: Uint32Array;
  readonly valid: Validity;
}

/** A row is null by its own bitmap, or because its dictionary value is null. */
function pickRows(raw: NumberArray, valid: Validity, values: Column | null, start: number): Picked {
  const count = values?.rows ?? 0;
  const nulls = values?.valid ?? null;
  const indexes = new Uint32Array(raw.length);
  const merged = valid === null && nulls === null ? null : (valid?.slice() ?? new Uint8Array(raw.length).fill(1));
  for (let row = 0; row < raw.length; row++) {
    if (valid !== null && valid[row] === 0) continue;
    const index = Number(raw[row]!);
    if (index < 0 || index >= count)
      throw corrupt(`value ${start + row} is number ${index} of a dictionary of ${count}`);
    indexes[row] = index;
    if (nulls !== null && merged !== null) merged[row] = nulls[index]!;
  }
  return { indexes, valid: merged?.includes(0) === true ? merged : null };
}

const NUMBER_BYTES = 8;
const OFFSET_BYTES = 4;

function longestValue(values: Column): number {
  if (values.shape !== 'strings') return NUMBER_BYTES;
  let longest = 0;
  for (let i = 0; i < values.rows; i++) longest = Math.max(longest, values.offsets[i + 1]! - values.offsets[i]!);
  return longest + OFFSET_BYTES;
}

function measureRows(values: Column, indexes: Uint32Array): number {
  if (values.shape !== 'strings') return indexes.length * NUMBER_BYTES;
  let total = indexes.length * OFFSET_BYTES;
  for (const index of indexes) total += values.offsets[index + 1]! - values.offsets[index]!;
  return total;
}
