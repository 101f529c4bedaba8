/**
 * Tables of ids in parts: each shard of a version has the ids of its rows. `pickIds` gives a part of a table its own
 * table, as if its ids had been added to an empty one; `joinIds` makes one table of the tables of several parts.
 * `gatherIds` makes a table for an answer, which shows ids and looks none up.
 */
import { ShortlistError } from './errors.js';
import type { GetSection } from './id-table-check.js';
import {
  fillSlots,
  IdTable,
  MAX_ID_TABLE_BYTES,
  readIdValues,
  slotsFor,
  type IdSlots,
  type IdType,
  type IdValues,
} from './id-table.js';

const NO_WORDS = new Uint32Array(0);
const NO_BYTES = new Uint8Array(0);

/** A table of the ids at these ordinals, which become 0, 1, 2, ... */
export function pickIds({ type, values }: IdTable, ordinals: Uint32Array): IdTable {
  const picked = type.kind === 'int' ? pickIntegers(values, ordinals) : pickTexts(values, ordinals);
  const count = ordinals.length;
  const slots = fillSlots(type, picked, count, new Uint32Array(slotsFor(count)));
  return new IdTable(type, count, picked, [{ slots, ordinals: null }]);
}

function pickIntegers({ words }: IdValues, ordinals: Uint32Array): IdValues {
  const picked = new Uint32Array(2 * ordinals.length);
  for (let row = 0; row < ordinals.length; row++) {
    picked[2 * row] = words[2 * ordinals[row]!]!;
    picked[2 * row + 1] = words[2 * ordinals[row]! + 1]!;
  }
  return { words: picked, offsets: NO_WORDS, bytes: NO_BYTES };
}

function pickTexts({ offsets, bytes }: IdValues, ordinals: Uint32Array): IdValues {
  const ends = new Uint32Array(ordinals.length + 1);
  for (let row = 0; row < ordinals.length; row++) {
    ends[row + 1] = ends[row]! + offsets[ordinals[row]! + 1]! - offsets[ordinals[row]!]!;
  }
  const picked = new Uint8Array(ends[ordinals.length]!);
  for (let row = 0; row < ordinals.length; row++) {
    let from = offsets[ordinals[row]!]!;
    for (let at = ends[row]!; at < ends[row + 1]!; at++, from++) picked[at] = bytes[from]!;
  }
  return { words: NO_WORDS, offsets: ends, bytes: picked };
}

/** The ids of one shard. */
export interface IdPart {
  readonly shard: number;
  readonly ids: IdTable;
  /** Ordinal in the joined table of each id, ascending. */
  readonly ordinals: Uint32Array;
}

/**
 * One table of the ids of some shards. Memory: the values once more; the slots are those of the parts.
 * @param parts their ordinals together are 0 to their number, each once
 * @param shards number of shards of the version
 * @throws input_too_large if the texts exceed what one table holds
 */
export function joinIds(type: IdType, parts: readonly IdPart[], shards: number): IdTable {
  const index: (IdSlots | null)[] = Array.from({ length: shards }, () => null);
  const count = parts.reduce((sum, { ids }) => sum + ids.count, 0);
  const values = type.kind === 'int' ? joinIntegers(parts, count) : joinTexts(parts, count);
  for (const { shard, ids, ordinals } of parts) index[shard] = { slots: ids.parts[0]!.slots, ordinals };
  return new IdTable(type, count, values, index);
}

function joinIntegers(parts: readonly IdPart[], count: number): IdValues {
  const joined = new Uint32Array(2 * count);
  for (const { ids, ordinals } of parts) {
    const { words } = ids.values;
    for (let row = 0; row < ordinals.length; row++) {
      joined[2 * ordinals[row]!] = words[2 * row]!;
      joined[2 * ordinals[row]! + 1] = words[2 * row + 1]!;
    }
  }
  return { words: joined, offsets: NO_WORDS, bytes: NO_BYTES };
}

function joinTexts(parts: readonly IdPart[], count: number): IdValues {
  const total = parts.reduce((sum, { ids }) => sum + ids.values.bytes.length, 0);
  if (total > MAX_ID_TABLE_BYTES) {
    const message = `the ids of these shards have ${total} bytes, and one process holds ${MAX_ID_TABLE_BYTES}; serve fewer shards in one process`;
    throw new ShortlistError('input_too_large', message, { max_id_bytes: MAX_ID_TABLE_BYTES });
  }
  const ends = new Uint32Array(count + 1);
  for (const { ids, ordinals } of parts) {
    const { offsets } = ids.values;
    for (let row = 0; row < ordinals.length; row++) ends[ordinals[row]! + 1] = offsets[row + 1]! - offsets[row]!;
  }
  for (let ordinal = 0; ordinal < count; ordinal++) ends[ordinal + 1]! += ends[ordinal]!;
  const joined = new Uint8Array(total);
  for (const { ids, ordinals } of parts) {
    const { offsets, bytes } = ids.values;
    for (let row = 0; row < ordinals.length; row++) {
      let at = ends[ordinals[row]!]!;
      for (let from = offsets[row]!; from < offsets[row + 1]!; from++, at++) joined[at] = bytes[from]!;
    }
  }
  return { words: NO_WORDS, offsets: ends, bytes: joined };
}

/** No id of such a table can be looked up. */
const NO_INDEX: readonly null[] = [null];

/** A table of values as `IdTable.sections` gives them, without its index. @throws file_corrupt */
export function readUnindexed(type: IdType, count: number, get: GetSection): IdTable {
  return new IdTable(type, count, readIdValues(type, count, get), NO_INDEX);
}

/**
 * A table of ids of several tables, without an index.
 * @param tables of this type
 * @param pieces for each id, the position of its table
 * @param rows for each id, its ordinal there
 */
export function gatherIds(type: IdType, tables: readonly IdTable[], pieces: Uint32Array, rows: Uint32Array): IdTable {
  const count = rows.length;
  const words = type.kind === 'int' ? new Uint32Array(2 * count) : NO_WORDS;
  const ends = type.kind === 'int' ? NO_WORDS : new Uint32Array(count + 1);
  for (let i = 0; i < count; i++) {
    const { values, count: there } = tables[pieces[i]!]!;
    const row = rows[i]!;
    if (row >= there) throw new Error(`ordinal ${row} of a table of ${there} ids`);
    if (type.kind === 'int') {
      words[2 * i] = values.words[2 * row]!;
      words[2 * i + 1] = values.words[2 * row + 1]!;
    } else ends[i + 1] = ends[i]! + values.offsets[row + 1]! - values.offsets[row]!;
  }
  if (type.kind === 'int') return new IdTable(type, count, { words, offsets: ends, bytes: NO_BYTES }, NO_INDEX);
  const bytes = new Uint8Array(ends[count]!);
  for (let i = 0; i < count; i++) {
    const { values } = tables[pieces[i]!]!;
    let from = values.offsets[rows[i]!]!;
    for (let at = ends[i]!; at < ends[i + 1]!; at++, from++) bytes[at] = values.bytes[from]!;
  }
  return new IdTable(type, count, { words, offsets: ends, bytes }, NO_INDEX);
}
