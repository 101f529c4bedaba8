/** Ids as arrays of a message: the sections of an id table without its index. */
import { ShortlistError } from '../../base/errors.js';
import type { IdTable, IdType } from '../../base/id-table.js';
import { readUnindexed } from '../../base/id-table-parts.js';
import { FrameError } from './frame.js';
import type { FrameReader } from './frame-reader.js';

/** @returns one array for integers, two for strings */
export function writeIds(ids: IdTable): Uint8Array[] {
  const { words, offsets, bytes } = ids.values;
  return ids.type.kind === 'int' ? [bytesOf(words)] : [bytesOf(offsets), bytes];
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** @throws FrameError */
export function readIds(type: IdType, count: number, reader: FrameReader): IdTable {
  try {
    return readUnindexed(type, count, (name) => reader.bytes(name));
  } catch (error) {
    if (error instanceof ShortlistError) throw new FrameError(`ids: ${error.message}`);
    throw error;
  }
}
