/** Ids as arrays of a message: the sections of an id table without its index. */
import { ShortlistError } from '../../base/errors.js';
import { IdTable, type IdType } from '../../base/id-table.js';
import { FrameError } from './frame.js';
import type { FrameReader } from './frame-reader.js';

/** @returns one array for integers, two for strings */
export function writeIds(ids: IdTable): Uint8Array[] {
  return ids.sections().flatMap(({ name, bytes }) => (name === 'slots' ? [] : [bytes]));
}

/** @throws FrameError */
export function readIds(type: IdType, count: number, reader: FrameReader): IdTable {
  try {
    return IdTable.withoutIndex(type, count, (name) => reader.bytes(name));
  } catch (error) {
    if (error instanceof ShortlistError) throw new FrameError(`ids: ${error.message}`);
    throw error;
  }
}
