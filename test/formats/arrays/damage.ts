/** Damages the files of make.py, and reads what comes of it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { ShortlistError } from '../../../src/base/errors.js';
import { seededRandom } from '../../../src/base/random.js';
import { openIdTable, openTable } from '../../../src/formats/open-table.js';
import { temporaryFolder } from '../../indexes.js';
import { readAll, withTable } from '../read-table.js';

export const FILES = fileURLToPath(new URL('./files/', import.meta.url));

const CODES = /^(?:input_(?:corrupt|unsupported|format)|column_(?:missing|type))$/;

/** `table`, or the message of a coded error that names the file. Throws anything else. */
export async function outcome(path: string, isIds = false): Promise<string> {
  try {
    await withTable(isIds ? openIdTable(path, 'id') : openTable(path), readAll);
    return 'table';
  } catch (error) {
    if (!(error instanceof ShortlistError)) throw error;
    expect(error.code).toMatch(CODES);
    expect(error.message).toContain(path);
    return error.message;
  }
}

/** Cut short, longer, or with some bytes changed, most of them near the start where the header is. */
export function damage(good: Buffer, turn: number, random: () => number): Buffer {
  if (turn % 4 === 0) return good.subarray(0, Math.floor(random() * good.length));
  if (turn % 4 === 1) return Buffer.concat([good, Buffer.alloc(1 + Math.floor(20 * random()), turn)]);
  const bytes = Buffer.from(good);
  const reach = turn % 4 === 2 ? Math.min(good.length, 160) : good.length;
  for (let flips = 0; flips < 1 + 8 * random(); flips++)
    bytes[Math.floor(random() * reach)] = Math.floor(256 * random());
  return bytes;
}

/** Damages each HDF5 file so many times. */
export async function damageHdf5(seed: number, turns: number): Promise<void> {
  const random = seededRandom(seed);
  const path = join(temporaryFolder(), 'damaged.hdf5');
  for (const name of ['floats.ann-benchmarks.hdf5', 'floats.chunked.hdf5', 'ints.bytes.h5']) {
    const good = readFileSync(join(FILES, name));
    for (let turn = 0; turn < turns; turn++) {
      const bytes = Buffer.from(damage(good, turn, random));
      good.copy(bytes, 0, 0, Math.min(8, bytes.length)); // else it is no HDF5 file
      writeFileSync(path, bytes);
      await outcome(path);
    }
  }
}
