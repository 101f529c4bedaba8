/** Damaged arrays, and headers that lie: every one is a table or a coded error that names the file. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/base/random.js';
import { temporaryFolder } from '../../indexes.js';
import { damage, damageHdf5, FILES, outcome } from './damage.js';

describe('damaged arrays', () => {
  const seed = 11;
  const files = readdirSync(FILES).filter((name) => !/\.(?:arrow|parquet|hdf5|h5)$/.test(name));

  it(`end as tables or coded errors (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const folder = temporaryFolder();
    const seen = { table: 0, error: 0 };
    for (const name of files) {
      const good = readFileSync(join(FILES, name));
      for (let turn = 0; turn < 40; turn++) {
        const path = join(folder, `damaged${extname(name)}`);
        writeFileSync(path, damage(good, turn, random));
        seen[(await outcome(path, /^(?:ids|names)/.test(name))) === 'table' ? 'table' : 'error']++;
      }
    }
    expect(seen.table).toBeGreaterThan(50);
    expect(seen.error).toBeGreaterThan(500);
  });
});

describe('damaged HDF5 files', () => {
  const seed = 5;

  it(`end as tables or coded errors (seed ${seed})`, () => damageHdf5(seed, 4));
});

describe('a header that lies', () => {
  const path = (name: string): string => join(temporaryFolder(), name);
  const npy = (header: string, data = Buffer.alloc(64)): Buffer => {
    const text = Buffer.from(`${header}\n`, 'latin1');
    return Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), Buffer.from([text.length & 255, text.length >> 8]), text, data]); // prettier-ignore
  };
  const words = (...values: number[]): Buffer => Buffer.from(Int32Array.from(values).buffer);

  it.each<[string, Buffer, RegExp]>([
    ['a.npy', npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 4), }"), /the shape \(1099511627776, 4\) of <f4, which makes 17592186044\d+ bytes, but it has/], // prettier-ignore
    ['a.npy', npy("{'descr': '<f4', 'fortran_order': True, 'shape': (99999999999999999999, 4), }"), /a shape that no array/], // prettier-ignore
    [
      'a.npy',
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-4, 4), }"),
      /not as NumPy writes it at "'shape'/,
    ],
    ['a.npy', npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 4), 'shape': (4, 4), }"), /has shape twice/],
    ['a.npy', npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 4), 'more': 1, }"), /not as NumPy writes it/],
    ['a.npy', npy("{'descr': '<f4', 'shape': (4, 4), }"), /has the members descr, shape/],
    ['a.npy', npy("{'descr': '<f4', 'fortran_order': __import__('os'), 'shape': (4, 4), }"), /not as NumPy writes it/],
    ['a.npy', npy("{'descr': '<U999999999', 'fortran_order': False, 'shape': (0,), }", Buffer.alloc(0)), /have 3999999996 bytes/], // prettier-ignore
    ['a.npy', npy("{'descr': '|S0', 'fortran_order': False, 'shape': (1099511627776,), }", Buffer.alloc(0)), /have 0 bytes/], // prettier-ignore
    ['a.npy', npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 16385), }", Buffer.alloc(65540)), /16385 components; a vector may have 1 to 16384/], // prettier-ignore
    ['a.npy', Buffer.from('\x93NUMPY\x04\x00\x10\x00', 'latin1'), /the format 4.0 of NumPy/],
    ['a.npy', Buffer.from('\x93NUMPY\x02\x00\xff\xff\xff\xff', 'latin1'), /says that it has 4294967295 bytes/],
    ['a.fvecs', words(0, 0), /0 components/],
    ['a.fvecs', words(-3, 1, 2), /-3 components/],
    ['a.fvecs', words(2 ** 30, 1), /1073741824 components/],
    ['a.fvecs', words(2, 1, 1, 2, 1), /not whole vectors of 2 components, which have 12 bytes each/],
    ['a.fvecs', words(2, 1, 1, 1, 1, 1), /row 1 has 1 components, not 2 as the first/],
    ['a.fvecs', words(2, 1, 1, 1, 1, 1, 2, 1, 1), /row 1 has 1 components, not 2 as the first/],
    ['a.BVECS', Buffer.alloc(0), /has 0 bytes, less than one vector/],
    ['a.fbin', words(-1, 2, 1, 1), /it has 4294967295 vectors of 2 components, which makes 34359738368 bytes, but it has 16/], // prettier-ignore
    ['a.fbin', words(2, 0), /0 components/],
    ['a.U8bin', words(2, 4, 1, 1, 1), /makes 16 bytes, but it has 20/],
    ['a.ibin', Buffer.alloc(7), /has 7 bytes, less than its header/],
  ])('%s is refused', async (name, bytes, message) => {
    const file = path(name);
    writeFileSync(file, bytes);
    expect(await outcome(file)).toMatch(message);
  });

  it('does not stop an array whose values are not finite: its rows are bad', async () => {
    const file = path('a.fbin');
    writeFileSync(file, Buffer.concat([words(2, 1), Buffer.from(Float32Array.of(NaN, 1).buffer)]));
    expect(await outcome(file)).toBe('table');
  });
});
